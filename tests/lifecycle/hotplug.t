#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interface disappears and comes back under traffic, many times.
HOTPLUG_LOOPS: how often; SOAK=1: 1000 times."""
import itertools
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import (  # noqa: E402
    SOAK, Descriptor, dgram_guest, numbers, unbind, unplug, unplug_nic)
from tap import Tap  # noqa: E402

LOOPS = int(os.environ.get("HOTPLUG_LOOPS", 1000 if SOAK else 100))


class Traffic:
    """Sends numbered frames to the NIC, until the end of the block."""

    def __init__(self, link):
        self.link = link
        self.ended = False
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        for number in itertools.count():
            if self.ended:
                return
            self.link.send(frame(number))
            time.sleep(0.003)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()


def cycle(guest, turn):
    """Uses a descriptor until its interface disappears; returns the problems found."""
    ways = (unplug, unplug, unbind, unplug_nic)
    one = Descriptor(guest, "eth0", immediate=turn % 2)
    idle = Descriptor(guest, "eth0", size=4096)
    draining = one.begin("drain", 1 << 40)
    one.wait_captured(5)
    way = ways[turn % len(ways)](guest)
    next(way)
    error, text = guest.result(draining)
    seen = numbers(text)
    stats = one.stats()
    problems = []
    if error != "EIO" or idle.error("setif", "eth0") != "EINVAL":
        problems.append(f"{error}, not EIO")
    if stats[1] == 0 and (len(seen) != stats[2] or len(seen) < 5 or
                          seen != list(range(seen[0], seen[-1] + 1))):
        problems.append(f"read {text}, statistics {stats}")
    if seen != sorted(set(seen)):
        problems.append(f"not in order: {text}")
    one.close()
    idle.close()
    next(way, None)
    return problems


def loops(tap):
    """Every cycle succeeds and leaks nothing."""
    guest, link = dgram_guest(timeout=60 + 5 * LOOPS, acpi=True)
    with guest:
        guest.ready()
        before = guest.holdings()
        with Traffic(link):
            problems = [(turn, problem) for turn in range(LOOPS)
                        for problem in cycle(guest, turn)]
        tap.equal(problems, [], f"{LOOPS} times: readers get all that was "
                  "captured, in order, then EIO")
        tap.equal(guest.holdings(), before,
                  f"{LOOPS} times: no object is left behind")
        one = Descriptor(guest, "eth0", immediate=True)
        link.send(frame(7))
        one.wait_captured(1)
        tap.equal(one.read()[-1], 7,
                  f"{LOOPS} times: capture works afterwards [CAP-DRV-CFG-5]")
        one.close()
        guest.end(tap)


TAP = Tap()
TAP.run(loops)
sys.exit(TAP.done())
