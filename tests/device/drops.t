#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that are dropped without a buffer are counted; records have the count."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402


def counted(tap):
    """No buffers, then some, then none again."""
    with Stage(buffers=0) as stage:
        stage.cap.listen()
        stage.receive(*[frame(i) for i in range(5)])
        tap.equal(stage.cap.flush()[1:], (0, 5),
                  "without buffers: five frames count as dropped")
        stage.cap.post(96)
        stage.cap.post(96)
        stage.receive(*[frame(i) for i in range(5, 9)])
        tap.equal(stage.cap.flush()[1:], (2, 7),
                  "two buffers of one record: two frames are captured, two dropped"
                  " [CAP-DEV-LOSS-1]")
        found = stage.cap.take_records()
        tap.equal([(r.data, r.dropped) for r in found],
                  [(frame(5), 5), (frame(6), 5)],
                  "records tell how many frames were dropped before them"
                  " [CAP-DEV-REC-7]")
        stage.cap.post(4096)
        stage.receive(frame(9))
        tap.equal([(r.data, r.dropped) for r in stage.cap.wait_records(1)],
                  [(frame(9), 7)],
                  "the record after further drops has their number")


def unwanted(tap):
    """Frames that the listener does not want do not count as dropped."""
    with Stage(buffers=0) as stage:
        stage.receive(frame(1))
        tap.equal(stage.cap.flush()[1:], (0, 0),
                  "without a listener: frames are neither captured nor dropped")
        stage.cap.listen(flags=spec.L_SENT)
        stage.receive(frame(2))
        tap.equal(stage.cap.flush()[1:], (0, 0),
                  "direction not wanted: frames are neither captured nor dropped"
                  " [CAP-DEV-SEL-4]")


def traffic(tap):
    """The NIC receives and sends without capture buffers."""
    with Stage(buffers=0) as stage:
        stage.cap.listen()
        for i in range(20):
            stage.receive(frame(i, 200 + i))
            stage.send(frame(100 + i, 300 + i))
        tap.equal(stage.cap.flush()[1:], (0, 40),
                  "without buffers: frames of both directions cross and count as dropped"
                  " [CAP-DEV-TAP-1]")


main = Tap()
main.run(counted, unwanted, traffic)
sys.exit(main.done())
