#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm: faults of the guest's kernel fail the launch; with the debug kernel
(make debug-check) also those that only its checks find."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
from guest import TIME_SCALE, is_debug, vm  # noqa: E402
from tap import Tap  # noqa: E402

MODULE = launches.build_fault()

# A time limit that is long enough for a boot, and the launcher's message.
LIMIT = 10 if is_debug() else 20
ENDED = f"ended after {LIMIT * TIME_SCALE:g} s"


def fault(kind, before="true"):
    """Causes a fault in a guest's kernel."""
    return vm(["--no-capture", "--timeout", "90", "--add", str(MODULE)],
              ["sh", "-c", f"echo started; {before}; "
                           f"insmod fault.ko kind={kind}; echo ended"],
              leaks=kind == "leak")


def test_warning(tap):
    done = fault("warning")
    tap.equal(done.returncode, 125, "a warning: status 125")
    tap.equal(done.stdout, "started\nended\n", "a warning: COMMAND continues")
    tap.contains(done.stderr, "tainted: warning",
                 "a warning: the error names the kernel's taint flag")
    tap.contains(done.stderr, "asked for by a test",
                 "a warning: the error shows the kernel's message")
    tap.contains(done.stderr, "fault_init+",
                 "a warning: the error shows the kernel's trace")


def test_silenced_warning(tap):
    done = fault("warning", "dmesg -n 1")
    tap.equal(done.returncode, 125,
              "a warning that the console does not show: status 125")
    tap.contains(done.stderr, "tainted: warning",
                 "a warning that the console does not show: the error names the taint flag")


def test_oops(tap):
    done = fault("oops")
    tap.equal(done.returncode, 125, "an oops: status 125")
    tap.equal(done.stdout, "started\n", "an oops: the guest ends")
    tap.contains(done.stderr, "NULL pointer dereference",
                 "an oops: the error has the kernel's message")


def test_lockup(tap):
    done = fault("lockup", "sysctl -q -w kernel.watchdog_thresh=1")
    tap.equal(done.returncode, 125, "a soft lockup: status 125")
    tap.contains(done.stderr, "soft lockup",
                 "a soft lockup: the error has the kernel's message")


def test_hang(tap):
    done = fault("hang", "sysctl -q -w kernel.hung_task_timeout_secs=1")
    tap.equal(done.returncode, 125, "a hung task: status 125")
    tap.contains(done.stderr, "blocked for more than",
                 "a hung task: the error has the kernel's message")


def test_panic(tap):
    done = vm(["--no-capture"], ["sh", "-c", "echo c >/proc/sysrq-trigger"])
    tap.equal(done.returncode, 125, "a panic: status 125")
    tap.contains(done.stderr, "Kernel panic - not syncing: sysrq triggered",
                 "a panic: the error has the kernel's message")


def test_silent_end(tap):
    done = vm(["--no-capture"], ["poweroff", "-f"], acpi=True)
    tap.equal(done.returncode, 125,
              "a guest that switches itself off: status 125")
    tap.contains(done.stderr, "ended without a verdict",
                 "a guest that switches itself off: the error reports it")


def test_time_out(tap):
    done = vm(["--no-capture", "--timeout", str(LIMIT)],
              ["sh", "-c", "echo started; sleep 1000; echo ended"])
    tap.equal(done.returncode, 124, "a time-out: status 124")
    tap.equal(done.stdout, "started\n",
              "a time-out: the output until then comes out")
    tap.contains(done.stderr, ENDED, "a time-out: the message names the limit")


def test_fault_and_time_out(tap):
    done = vm(["--no-capture", "--timeout", str(LIMIT), "--add", str(MODULE)],
              ["sh", "-c", "insmod fault.ko kind=warning; sleep 1000"])
    tap.equal(done.returncode, 125, "a warning and a time-out: status 125")
    tap.contains(done.stderr, "asked for by a test",
                 "a warning and a time-out: the error shows the warning")
    tap.contains(done.stderr, ENDED,
                 "a warning and a time-out: the message names the limit")


# Faults that a debug kernel finds, and its messages.
HIDDEN = (("leak", "unreferenced object"), ("freed", "BUG: KASAN: use-after"),
          ("shift", "UBSAN: shift-out-of-bounds"),
          ("order", "possible circular locking dependency"),
          ("asleep", "BUG: sleeping function called"),
          ("rcu", "WARNING: suspicious RCU usage"))


def test_hidden(tap):
    for kind, message in HIDDEN:
        done = fault(kind, "true")
        tap.equal(done.returncode, 125, f"fault {kind}: status 125")
        tap.contains(done.stderr, message, f"fault {kind}: the error has the kernel's message")


def main():
    tap = Tap()
    if is_debug():
        tap.run(test_hidden)
    tap.run(test_warning, test_silenced_warning, test_oops, test_lockup,
            test_hang, test_panic, test_silent_end, test_time_out,
            test_fault_and_time_out)
    return tap.done()


sys.exit(main())
