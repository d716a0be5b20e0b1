#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records have frames of all lengths unchanged, in both directions."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import nics  # noqa: E402
from capture import RECORD, frame, records, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

SIZES = [18, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 1514]


def right(tap, found, frames, flags, name):
    """Checks that records hold these frames, and that their other fields match."""
    tap.equal([r.data for r in found], frames,
              f"{name}: records have the frames' bytes in order [CAP-DEV-TAP-2]")
    tap.equal([(r.caplen, r.datalen) for r in found],
              [(len(f), len(f)) for f in frames],
              f"{name}: records have the frames' lengths [CAP-DEV-REC-4]")
    tap.equal({(r.hdrlen, r.flags, r.dropped) for r in found},
              {(spec.RECORD_HDRLEN, flags, 0)},
              f"{name}: records have header length, flags, and nothing dropped"
              " [CAP-DEV-REC-3 CAP-DEV-REC-6]")
    tap.ok(not any(any(r.padding) for r in found),
           f"{name}: the padding of records is zeros [CAP-DEV-REC-2]")
    tap.ok(all(r.subsec < 1000000 for r in found),
           f"{name}: the fraction is less than a million microseconds")


def directions(tap, name, **keywords):
    """Frames to the NIC and from it."""
    with Stage(buffers=64, **keywords) as stage:
        stage.cap.listen()
        frames = [frame(i, size, nics.MAC_BYTES)
                  for i, size in enumerate(SIZES)]
        stage.link.send(*frames)
        found = stage.cap.wait_records(len(frames))
        right(tap, found, frames, 0, f"{name}, received frames")
        times = [(r.sec, r.subsec) for r in found]
        tap.ok(times == sorted(times),
               f"{name}: times of records do not go back")

        frames = [frame(100 + i, size) for i, size in enumerate(SIZES)]
        for data in frames:             # a Unix socket holds only a few
            stage.send(data)
        right(tap, stage.cap.wait_records(len(frames)), frames, spec.R_SENT,
              f"{name}, sent frames")
        tap.equal(stage.cap.flush()[1:], (2 * len(SIZES), 0),
                  f"{name}: FLUSH counts all frames")


def virtio_net(tap):
    """A NIC that transmits in a bottom half."""
    directions(tap, "virtio-net")


def e1000(tap):
    """A NIC that transmits at the register write."""
    directions(tap, "e1000", model="e1000", driver=nics.E1000)


def chosen(tap):
    """Only one direction is captured."""
    for flags, wanted in ((spec.L_RECEIVED, 0), (spec.L_SENT, spec.R_SENT)):
        with Stage() as stage:
            stage.cap.listen(flags=flags)
            stage.receive(frame(1))
            stage.send(frame(2))
            stage.receive(frame(3))
            counters = stage.cap.flush()
            found = stage.cap.take_records()
            tap.equal([(r.flags, r.data) for r in found],
                      [(wanted, frame(2))] if wanted else
                      [(wanted, frame(1)), (wanted, frame(3))],
                      f"listen flags {flags}: frames of that direction are captured"
                      " [CAP-DEV-SEL-1]")
            tap.equal(counters[1:], (len(found), 0),
                      f"listen flags {flags}: frames of the other direction do not count"
                      " [CAP-DEV-SEL-4]")


def parts(tap):
    """Buffers whose parts split records at all offsets."""
    sizes = [[1] * 40 + [7, 25, 33, 500], [31, 33, 1, 2, 700], [3] * 200]
    with Stage(buffers=0) as stage:
        for each in sizes:
            stage.cap.post(*each)
        stage.cap.listen(delay=spec.DELAY_NONE)
        frames = [frame(i, 60 + i) for i in range(12)]
        stage.receive(*frames)
        stage.cap.flush()
        found = stage.cap.take_records()
        right(tap, found, frames, 0, "buffers of many parts [CAP-DEV-REC-1]")


def whole_buffer(tap):
    """The bytes that the device writes, and nothing behind them."""
    with Stage(buffers=0) as stage:
        stage.cap.post(256)
        stage.cap.listen()
        stage.receive(frame(1, 61))
        used = stage.cap.captures.wait()
        address, size = used[0][0]
        data = stage.machine.read(address, size)
        tap.equal(used[1], 96,
                  "used length of a record of 61 bytes is 32 + 61, rounded up to 8"
                  " [CAP-DEV-BUF-5]")
        fields = RECORD.unpack_from(data)
        tap.equal(fields[2:], (61, 61, 32, 0, 0),
                  "record in guest memory: header fields")
        tap.equal(data[32:], frame(1, 61) + bytes(3) + b"\xa5" * 160,
                  "record in guest memory: frame, padding, and what is behind it untouched"
                  " [CAP-DEV-REC-2 CAP-DEV-SEC-3]")
        tap.equal(len(records(data[:96])), 1,
                  "record in guest memory: the buffer has one")


main = Tap()
main.run(virtio_net, e1000, chosen, parts, whole_buffer)
sys.exit(main.done())
