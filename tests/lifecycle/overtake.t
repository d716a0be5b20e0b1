#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames arrive faster than the guest can take them: the device drops and counts
them, and the descriptor's counts include them. If the device fills the buffers of
descriptors, none is dropped before those are full."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tracing  # noqa: E402
from capture import frame  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402

# More than one buffer holds, and less than the NIC's ring of 256. The device gets
# 128 KiB for them.
BURST, LENGTH, SIZE = 200, 1514, 1 << 18


def burst(guest, end, first):
    """Sends a burst while the guest's only processor handles nothing but interrupts;
    returns two descriptors that capture it."""
    both = [Descriptor(guest, "eth0", size=SIZE, seesent=False)
            for _ in range(2)]
    guest.call("spin 2000")
    time.sleep(0.5)
    end.send(*[frame(first + i, LENGTH) for i in range(BURST)])
    return both


def kept(tap, guest, end):
    """The device fills the buffers."""
    both = burst(guest, end, 0)
    for one in both:
        tap.equal(one.stats(), (BURST, 0, BURST),
                  "the device fills both buffers: no frame is dropped")
        one.call("option", "immediate", 1)
        tap.equal([*one.read(), *one.read()], list(range(BURST)),
                  "the device fills both buffers: all can be read")
        one.close()


def overtake(tap, guest, end, first):
    """The driver fills the buffers, when the guest runs again."""
    before = guest.holdings()
    tracing.start(guest)
    both = burst(guest, end, first)
    for one in both:
        received, dropped, captured = one.stats()
        tap.equal(received, BURST, "all frames of the burst are received")
        tap.ok(0 < dropped < BURST and captured == BURST - dropped,
               "some of them are dropped, the others captured [CAP-DRV-BUF-2]",
               received, dropped, captured)
    # Both have room for all frames, so the driver itself drops none.
    tap.equal(tracing.drops(tracing.events(guest)), 2 * dropped,
              "the tracepoint drop reports what the device has dropped")
    end.send(*[frame(5000 + i) for i in range(10)])
    # Do not wait for the counts: each query takes the device's only buffer away.
    end.wait_taken()
    for one in both:
        tap.equal(one.stats(), (BURST + 10, dropped, captured + 10),
                  "capture goes on after the drops without further ones")
        one.call("option", "immediate", 1)
        seen = one.read()
        tap.equal(seen[captured:], list(range(5000, 5010)),
                  "frames sent after the drops are read last")
        early = seen[:captured]
        tap.ok(early == sorted(set(early)) and early[0] == first and
               early[-1] < first + BURST,
               "frames captured before the drops are read in order", early)
    new = Descriptor(guest, "eth0")
    tap.equal(new.stats()[:2], (0, 0), "a new descriptor has counts of zero")
    for one in [*both, new]:
        one.close()
    tap.equal(guest.holdings(), before, "no object is left behind")


def main(tap):
    """Tests with a single buffer of the driver, twice."""
    guest, end = dgram_guest()
    with guest:
        guest.ready()
        guest.shell("sysctl -w kernel.sched_rt_runtime_us=-1")
        tracing.mount(guest)
        kept(tap, guest, end)
        guest.shell("rmmod virtio_capture && "
                    "modprobe virtio_capture buffers=1 offload=0")
        overtake(tap, guest, end, 0)
        overtake(tap, guest, end, 1000)
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
