#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interface of a program with zero-copy buffers disappears: the program gets all
captured packets, and neither device nor kernel writes to its memory afterwards."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from guest import PROGRAMS  # noqa: E402
from lifecycle import (  # noqa: E402
    dgram_guest, unbind, unplug, unplug_nic)
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

PROGRAM = os.path.join(PROGRAMS, "tools", "zerocopy")
FOLDER = "/tmp/zero"

# A buffer has 170 packets of 60 bytes: the program has one, the other is not full.
COUNT = 250

# The number of pinned pages of the whole system.
PINNED = """echo 1 > /proc/sys/vm/stat_refresh
awk '/^nr_foll_pin_acquired/ { n += $2 } /^nr_foll_pin_released/ { n -= $2 }
     END { print n }' /proc/vmstat"""


def exists(guest, name):
    """Returns whether the program has created a file."""
    return guest.shell(f"ls {FOLDER}") and \
        name in guest.shell(f"ls {FOLDER}").split()


def captured(guest):
    """Returns the number of frames captured for the program."""
    lines = guest.shell("grep ' zerocopy ' /proc/net/bpf || true").split()
    return int(lines[5]) if lines else 0


def goes(tap, guest, link, way, model):
    """Tests the program from start to end."""
    what = f"{model}: {way.__name__}"
    before = guest.holdings(), guest.shell(PINNED)
    guest.shell(f"rm -rf {FOLDER}; mkdir {FOLDER}; "
                f"./zerocopy {FOLDER} >{FOLDER}/out 2>&1 &")
    wait_for(lambda: exists(guest, "ready"), "program")
    for number in range(COUNT):
        link.send(frame(number))
        if number % 50 == 49:
            wait_for(lambda n=number: captured(guest) > n, "frames")
    tap.ok(f" zerocopy {model} " in guest.shell("cat /proc/net/bpf"),
           f"{what}: /proc/net/bpf shows who fills the buffers",
           guest.shell("cat /proc/net/bpf"))
    tap.equal(int(guest.shell(PINNED)), int(before[1]) + 8,
              f"{what}: the buffers' memory is pinned")
    steps = way(guest)
    next(steps)
    guest.shell(f"touch {FOLDER}/go")
    wait_for(lambda: exists(guest, "read"), "end of reading")
    tap.equal(guest.shell(f"cat {FOLDER}/out"),
              f"frames {COUNT} wrong 0 Input/output error",
              f"{what}: the program gets all that was captured, then EIO [BPF-ZBUF-14]")
    # Whichever side still used the memory would write to it now.
    next(steps, None)
    for number in range(50):
        link.send(frame(number))
    guest.shell(f"touch {FOLDER}/close")
    wait_for(lambda: exists(guest, "closed"), "close")
    tap.equal((guest.holdings(), guest.shell(PINNED)), before,
              f"{what}: close unpins the memory, and leaves no object behind"
              " [BPF-ZBUF-2]")
    for number in range(50):
        link.send(frame(number))
    guest.shell(f"touch {FOLDER}/end; while pidof zerocopy; do sleep 0.1; done")
    tap.equal(guest.shell(f"tail -n 1 {FOLDER}/out"), "memory untouched",
              f"{what}: the memory is not written after the close")


def check(tap, offload):
    """Runs all tests in one guest."""
    guest, link = dgram_guest(
        "--add", PROGRAM, "--append", f"virtio_capture.offload={offload}",
        acpi=True)
    with guest:
        guest.ready()
        for way in (unplug, unbind, unplug_nic):
            goes(tap, guest, link, way, "device" if offload else "jit")
        guest.end(tap)


def test_kernel(tap):
    """The kernel fills the buffers."""
    check(tap, 0)


def test_device(tap):
    """The device fills the buffers."""
    check(tap, 1)


TAP = Tap()
TAP.run(test_kernel, test_device)
sys.exit(TAP.done())
