#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tracepoints of the driver, read through tracefs in a guest."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tracing  # noqa: E402
from capture import frame  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402

# A buffer of this size holds three of these packets, with their headers.
SIZE, LENGTH, PACKET = 4096, 1000, 1032
FRAMES, DROPS = 10, 4


def overflow(guest, link, sequence):
    """Overflows the buffers of a descriptor; returns the events."""
    tracing.start(guest)
    one = Descriptor(guest, "eth0", size=SIZE, seesent=False)
    link.send(*[frame(sequence + i, LENGTH) for i in range(FRAMES)])
    one.wait_captured(FRAMES)
    found = one.stats()
    one.close()
    return found, tracing.events(guest)


def check(tap, stats, events, listener, buffers):
    """Checks the events of both buffer models."""
    who = f"tracepoints, buffers {buffers!r}"
    tap.equal(stats, (FRAMES, DROPS, FRAMES),
              f"{who}: 4 of 10 packets are dropped")
    both = [event for event in events if event[0] in ("attach", "detach")]
    tap.equal([name for name, _ in both], ["attach", "detach"],
              f"{who}: one attach and one detach")
    first, last = both[0][1], both[-1][1]
    tap.equal({**first, "pid": int(first["pid"]) > 1},
              {"dev": "capture0", "pid": True, "buffers": buffers,
               "listener": listener, "size": str(SIZE)},
              f"{who}: attach has the descriptor's fields")
    tap.equal(last, first, f"{who}: detach has the same fields as attach")
    used = [fields for name, fields in events if name == "buffer_used"]
    tap.ok(used and all(fields["dev"] == "capture0" and
                        fields["listener"] == listener for fields in used),
           f"{who}: buffer_used has the device and the queue", used)
    drops = [fields for name, fields in events if name == "drop"]
    tap.ok(tracing.drops(events) == DROPS and
           all(fields["pid"] == first["pid"] for fields in drops),
           f"{who}: drop counts the dropped packets", drops)


def main(tap):
    """Tests buffers that the device fills, then buffers that the driver fills."""
    guest, link = dgram_guest()
    with guest:
        guest.ready()
        tracing.mount(guest)
        stats, events = overflow(guest, link, 0)
        check(tap, stats, events, "1", "device")
        lengths = [int(fields["len"]) for name, fields in events
                   if name == "buffer_used"]
        tap.ok(3 * PACKET in lengths,
               "tracepoints: buffer_used has the length of a full buffer",
               lengths)

        guest.shell("rmmod virtio_capture; modprobe virtio_capture offload=0")
        stats, events = overflow(guest, link, 100)
        check(tap, stats, events, "0", "kernel")
        tap.equal([fields["len"] for name, fields in events
                   if name == "rotate"], [str(3 * PACKET)],
                  "tracepoints: rotate has the length of the hold buffer")
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
