#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine is reset, or suspended and resumed, during a capture."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from guest import is_debug  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402


def captures(tap, link, one, first, name):
    """A descriptor in immediate mode gets three frames from the host."""
    before = one.stats()[2]
    link.send(*[frame(first + i) for i in range(3)])
    one.wait_captured(before + 3)
    tap.equal(one.read(), [first, first + 1, first + 2], name)


def reset(tap, guest, link):
    """system_reset with a blocked reader, a full buffer and traffic."""
    for turn in range(2):
        busy = Descriptor(guest, "eth0", immediate=True)
        reader = Descriptor(guest, "eth0")
        reader.begin_blocked("read")
        captures(tap, link, busy, 0, f"reset {turn}: before it")
        link.send(*[frame(i) for i in range(9)])
        guest.reset()
        tap.equal(guest.shell("tail -n +2 /proc/net/bpf"), "",
                  f"reset {turn}: the guest has booted again, without descriptors")
    one = Descriptor(guest, "eth0", immediate=True)
    captures(tap, link, one, 100, "after two resets: capture works")
    tap.equal(one.stats()[1:], (0, 3),
              f"reset {turn}: the counts begin at zero")
    one.close()


def suspend(guest, state):
    """Has every device's driver suspend, and resume a second later, 5 s for "disk".
    The machine itself is not suspended: with TCG it would not resume, with or
    without a capture device."""
    guest.shell("echo 1 > /sys/module/suspend/parameters/pm_test_delay\n"
                "echo devices > /sys/power/pm_test\n"
                f"echo {state} > /sys/power/state\n"
                "echo none > /sys/power/pm_test")


def suspended(tap, guest, link, state, fills):
    """Suspends with readers and buffered frames; fills: whether the device fills the
    buffers."""
    what = f"suspend to {state}"
    busy = Descriptor(guest, "eth0", immediate=True)
    reader = Descriptor(guest, "eth0", size=4096)
    captures(tap, link, busy, 0, f"{what}: before it")
    reading = reader.begin_blocked("read")
    counts = busy.stats()[1:]
    suspend(guest, state)
    tap.equal(busy.stats()[1:], counts, f"{what}: the counts are kept")
    captures(tap, link, busy, 10, f"{what}: the same descriptor goes on")
    before = busy.stats()[2]
    for i in range(40):
        # One at a time, as a slow guest would drop frames of a burst.
        link.send(frame(20 + i))
        busy.wait_captured(before + i + 1)
    seen = [guest.result(reading)]
    expected = [("0", "0-2 10-12 20-55 ")]
    if fills:
        # A device that is suspended uses all buffers.
        seen.append(guest.both(reader.command("read")))
        expected = [("0", "0-2 "), ("0", "10-12 20-58 ")]
    tap.equal(seen, expected, f"{what}: a blocked reader "
              f"{'gets what there is' if fills else 'waits on'}, and misses "
              "nothing")
    for one in (busy, reader):
        one.close()


def states():
    """The ways to suspend the machine; a debug kernel cannot hibernate."""
    if is_debug():
        return ["freeze", "mem"]
    return ["freeze", "mem", "disk"]


def main(tap):
    """Runs all tests in one guest."""
    guest, link = dgram_guest(table=True, acpi=True)
    with guest:
        guest.ready()
        for fills in True, False:
            guest.shell("rmmod virtio_capture && "
                        f"modprobe virtio_capture offload={int(fills)}")
            for state in states():
                suspended(tap, guest, link, state, fills)
        reset(tap, guest, link)
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
