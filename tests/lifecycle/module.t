#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The module is not unloaded while a descriptor is open; loading and unloading it
many times leaks nothing. MODULE_LOOPS: how often; SOAK=1: 1000 times."""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import SOAK, Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import PATIENCE  # noqa: E402

LOOPS = int(os.environ.get("MODULE_LOOPS", 1000 if SOAK else 100))

CYCLE = """i=0; while [ $i -lt %d ]; do i=$((i+1))
rmmod virtio_capture && modprobe virtio_capture || exit 1
done"""

# The kernel's small objects in use, by cache; per-processor stocks are freed first.
# Each write allocates one of the smallest for a moment, which KASAN keeps for longer,
# so their cache comes last.
OBJECTS = """for cache in /sys/kernel/slab/* /sys/kernel/slab/kmalloc-8
do echo 1 > $cache/shrink; done
grep -E "^(kmalloc|proc_dir|kernfs|vmap|idr|radix|skbuff|filp|inode|sock)" \
/proc/slabinfo | cut -c 1-40"""
TRACES = """grep -c virtio_capture /proc/vmallocinfo; ls /proc/net/bpf \
/proc/sys/net/bpf /sys/bus/virtio/drivers/virtio_capture /dev/bpf* \
/sys/class/misc/bpf* 2>&1 || true"""


def objects(guest):
    """Returns the number of objects in use, by the name of their cache."""
    return {name: int(count) for name, count in
            (line.split()[:2] for line in guest.shell(OBJECTS).splitlines())}


def grown(guest, before):
    """Returns the caches that have grown with the loops. Objects that are freed after
    a grace period may still be there for a while; leaked objects stay."""
    end = time.monotonic() + PATIENCE
    while True:
        found = {name: (before.get(name, 0), count)
                 for name, count in objects(guest).items()
                 if count - before.get(name, 0) > LOOPS * 3 // 4}
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)


def refused(tap, guest, link):
    """A descriptor, attached or not, holds a reference to the module."""
    for name in (None, "eth0"):
        one = Descriptor(guest, name, immediate=True)
        error, text = guest.both("sh rmmod virtio_capture 2>&1")
        tap.ok(error == "0" and "temporarily unavailable" in text or
               "busy" in text, f"rmmod is refused: a descriptor on {name}",
               text)
        if name:
            link.send(frame(1))
            one.wait_captured(1)
            tap.equal(one.read(), [1],
                      f"rmmod is refused: the descriptor on {name} captures")
        one.close()


def leaks(tap, guest, link):
    """Memory and names are the same after many loops as after a few."""
    loaded = guest.shell(TRACES)
    guest.shell("rmmod virtio_capture")
    names = guest.shell(TRACES).split("\n")
    tap.ok(names[0] == "0" and all("No such file" in line or "*" in line
                                   for line in names[1:]),
           "module unloaded: no buffer and no name is left", names)
    guest.shell("modprobe virtio_capture")
    tap.equal(guest.shell(TRACES), loaded,
              "module loaded again: nodes, files and parameters are there")

    guest.shell(CYCLE % 10)
    before, free = objects(guest), guest.free_memory()
    guest.shell(CYCLE % LOOPS)
    tap.equal(grown(guest, before), {},
              f"{LOOPS} times: no kind of object grows with them")
    # The kernel's use varies by some hundred KiB, by more if it checks itself.
    tap.ok(guest.free_memory() > free - 16 * LOOPS - 1024,
           f"{LOOPS} times: the free memory does not shrink",
           free, guest.free_memory())
    one = Descriptor(guest, "eth0", immediate=True)
    link.send(frame(1))
    one.wait_captured(1)
    tap.equal(one.read(), [1], f"{LOOPS} times: capture works afterwards")
    one.close()


def main(tap):
    """Runs all tests in one guest."""
    guest, link = dgram_guest(timeout=100 + 2 * LOOPS, leaks=True)
    with guest:
        guest.ready()
        refused(tap, guest, link)
        leaks(tap, guest, link)
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
