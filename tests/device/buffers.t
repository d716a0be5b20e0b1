#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshot length; how records fill buffers; frames too long for one."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame, records, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE


def snaplen(tap):
    """Frames are cut to the snapshot length."""
    with Stage(buffers=8) as stage:
        for length in (1, 18, 59, 60, 61, 0xffffffff):
            stage.cap.listen(length)
            stage.receive(frame(7))
            found = stage.cap.wait_records(1)
            wanted = min(length, 60)
            tap.equal([(r.caplen, r.datalen, r.data) for r in found],
                      [(wanted, 60, frame(7)[:wanted])],
                      f"snaplen {length}: a record has no more of the frame"
                      " [CAP-DEV-REC-5]")


def several(tap):
    """Many records share a buffer, which is used when the next does not fit."""
    size = 32 + 64                      # of the record of a frame of 60 bytes
    with Stage(buffers=0) as stage:
        stage.cap.post(3 * size + 50)
        stage.cap.post(2 * size)
        stage.cap.post(size)
        stage.cap.listen(delay=NONE)
        stage.receive(*[frame(i) for i in range(3)])
        stage.cap.wait_counted(3)
        tap.ok(stage.cap.take() is None,
               "a buffer with room for a short frame is not used yet")
        stage.receive(frame(3), frame(4))
        stage.cap.wait_counted(5)
        tap.equal([r.data for r in records(stage.cap.take())],
                  [frame(i) for i in range(3)],
                  "a buffer is used when the next record does not fit [CAP-DEV-BUF-1]")
        tap.equal([r.data for r in records(stage.cap.take() or b"")],
                  [frame(3), frame(4)],
                  "a buffer is used as soon as it is full [CAP-DEV-BUF-2]")
        tap.ok(stage.cap.take() is None,
               "a buffer without records is not used [CAP-DEV-BUF-3]")


def almost_full(tap):
    """A buffer is used at once if no record fits into the rest of it."""
    with Stage(buffers=0) as stage:
        for rest, full in ((32, True), (39, True), (40, False)):
            stage.cap.post(96 + rest)
            stage.cap.listen(delay=NONE)
            stage.receive(frame(1))
            stage.cap.wait_counted(1)
            data = stage.cap.take()
            tap.equal(data is not None, full,
                      f"{rest} bytes left in a buffer: used if no record fits"
                      " [CAP-DEV-BUF-4]")
            stage.cap.flush()
            stage.cap.take()
            stage.cap.start()


def cut(tap):
    """A frame that no buffer can hold is cut, never split."""
    with Stage(buffers=0) as stage:
        stage.cap.post(200)
        stage.cap.post(127)             # the device uses 120 bytes of it
        stage.cap.post(40)
        stage.cap.listen(delay=NONE)
        for size in (300, 301, 302):
            stage.receive(frame(size, size))
        stage.cap.wait_counted(3)
        for size, room in ((300, 200), (301, 120), (302, 40)):
            data = stage.cap.take()
            found = records(data)
            tap.equal((len(data), [(r.caplen, r.datalen, r.data)
                                   for r in found]),
                      (room, [(room - 32, size, frame(size, size)[:room - 32])]),
                      f"buffer of {room} bytes: a longer frame is cut to it"
                      " [CAP-DEV-BUF-6 CAP-DEV-REC-5]")


def largest(tap):
    """The longest frame fits into a buffer of the size that the header defines."""
    with Stage(buffers=0) as stage:
        config = stage.cap.read_config()
        stage.cap.post(config.max_frame + spec.RECORD_HDRLEN)
        stage.cap.listen(0xffffffff)
        data = frame(5, config.max_frame)
        stage.link.send(data)
        found = stage.cap.wait_records(1)
        tap.equal((found[0].caplen, found[0].datalen, found[0].data == data),
                  (len(data), len(data), True),
                  f"the longest frame, {len(data)} bytes, is captured whole"
                  " [CAP-DEV-REC-4]")


main = Tap()
main.run(snaplen, several, almost_full, cut, largest)
sys.exit(main.done())
