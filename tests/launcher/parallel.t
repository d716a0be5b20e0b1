#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm: launchers in parallel, QMP, and the end by a signal."""
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import VM  # noqa: E402
from qmp import Qmp  # noqa: E402
from tap import Tap  # noqa: E402


def start(folder, *options):
    """Starts a guest that prints "ready" and then echoes a line."""
    return subprocess.Popen(
        [VM, "--no-capture", *options, "--", "sh", "-c",
         "echo ready; read line; echo got $line"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": folder})


def children(pid):
    """The process IDs of a process's children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def is_alive(pid):
    """Whether the process is running."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False


def test_side_by_side(tap, folder):
    first, second = start(folder, "--qmp", f"{folder}/qmp"), start(folder)
    both = (first, second)
    tap.equal([one.stdout.readline() for one in both], ["ready\n"] * 2,
              "two launchers at a time: both guests run")
    monitor = Qmp.connect(f"{folder}/qmp")
    tap.equal(monitor("query-status")["status"], "running",
              "--qmp SOCKET: query-status is answered")

    machines = children(first.pid)
    tap.equal(len(machines), 1, "two launchers at a time: the first has one QEMU")
    first.send_signal(signal.SIGTERM)
    tap.equal(first.wait(), 128 + signal.SIGTERM,
              "SIGTERM to one of two launchers: its status is 143")
    tap.ok(not any(map(is_alive, machines)), "SIGTERM to one of two launchers: its QEMU has ended")

    second.stdin.write("a line\n")
    second.stdin.close()
    tap.equal(second.stdout.read(), "got a line\n",
              "SIGTERM to one of two launchers: the other guest continues")
    tap.equal(second.wait(), 0, "SIGTERM to one of two launchers: the other one's status is 0")
    tap.equal([name for name in os.listdir(folder) if name != "qmp"], [],
              "SIGTERM to one of two launchers: no temporary files are left")


def test_killed(tap, folder):
    guest = start(folder)
    guest.stdout.readline()
    machine = os.pidfd_open(children(guest.pid)[0])
    guest.kill()
    guest.wait()
    # A pidfd is readable when the process has ended.
    tap.ok(select.select([machine], [], [], 60)[0],
           "SIGKILL to a launcher: its QEMU ends")


# The launcher, with a signal right after mkdtemp(3).
EARLIEST = f"""
import os, signal, sys, tempfile
sys.path.insert(0, {str(Path(VM).parent)!r})
from launcher.main import main
make = tempfile.mkdtemp
def make_and_signal(**words):
    path = make(**words)
    os.kill(os.getpid(), signal.SIGINT)
    return path
tempfile.mkdtemp = make_and_signal
sys.exit(main(["--no-capture", "--", "sleep", "1000"]))
"""


def test_interrupt_earliest(tap, folder):
    done = subprocess.run([sys.executable, "-c", EARLIEST], check=False,
                          stdin=subprocess.DEVNULL,
                          env={**os.environ, "TMPDIR": folder})
    tap.equal(done.returncode, 128 + signal.SIGINT,
              "SIGINT while the temporary folder is made: status 130")
    tap.equal(os.listdir(folder), [],
              "SIGINT while the temporary folder is made: the folder is removed")


def test_interrupt_early(tap, folder):
    guest = subprocess.Popen([VM, "--no-capture", "--", "sleep", "1000"],
                             stdin=subprocess.DEVNULL,
                             env={**os.environ, "TMPDIR": folder})
    while not os.listdir(folder):
        pass
    guest.send_signal(signal.SIGINT)
    tap.equal(guest.wait(), 128 + signal.SIGINT,
              "SIGINT while the guest is started: status 130")
    tap.equal(os.listdir(folder), [],
              "SIGINT while the guest is started: no temporary files are left")


tap = Tap()
for test in (test_side_by_side, test_killed, test_interrupt_earliest,
             test_interrupt_early):
    with tempfile.TemporaryDirectory() as name:
        tap.run(lambda tap: test(tap, name))
sys.exit(tap.done())
