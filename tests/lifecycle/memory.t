#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture buffers are there while somebody listens: the first descriptor has
them allocated, and with the last one their memory is given back."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402

# So many of 512 KiB, that their memory is far more than what a guest that does
# nothing else takes and gives back by itself.
BUFFERS = 48
SIZE = BUFFERS * 512
NOISE = 4096

ROUNDS = 5


def free_memory(guest):
    """Free memory, KiB, after caches were given back."""
    guest.shell("sync; echo 3 > /proc/sys/vm/drop_caches")
    return int(guest.shell("grep MemFree /proc/meminfo").split()[1])


def check(tap, guest, link):
    """Count the guest's memory before, between and after descriptors."""
    guest.shell("rmmod virtio_capture")
    unloaded = free_memory(guest)
    guest.shell(f"modprobe virtio_capture buffers={BUFFERS}")
    rest = free_memory(guest)
    tap.ok(unloaded - rest < NOISE, "without descriptors there are no buffers",
           f"{unloaded - rest} KiB are taken")
    for number in range(ROUNDS):
        one = Descriptor(guest, "eth0", immediate=True)
        two = Descriptor(guest, "eth0", immediate=True)
        taken = rest - free_memory(guest)
        tap.ok(SIZE <= taken < SIZE + NOISE,
               f"descriptors share one set of them ({number})",
               f"{taken} KiB are taken")
        one.close()
        link.send(frame(number))
        two.wait_captured(1)
        tap.equal(two.read(), [number], "the one that is left captures")
        two.close()
        taken = rest - free_memory(guest)
        tap.ok(taken < NOISE, f"the last one gives them back ({number})",
               f"{taken} KiB are taken")


def main(tap):
    """All in one guest."""
    guest, link = dgram_guest()
    with guest:
        guest.ready()
        check(tap, guest, link)
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
