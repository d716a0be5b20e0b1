#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""When a buffer that is not full is completed: LISTEN's delay."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame, records, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE
LONG = 3600 * 1000000           # an hour, longer than any test


def at_once(tap):
    """Delay 0: a buffer is completed without any other event."""
    with Stage() as stage:
        stage.cap.listen(delay=0)
        for i in range(3):
            stage.receive(frame(i))
            tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(i)],
                      f"delay 0: frame {i} is in a used buffer at once [CAP-DEV-LSN-6]")


def timer(tap):
    """A delay: the buffer is completed after it, not before."""
    with Stage() as stage:
        delay = 20000
        stage.cap.listen(flags=spec.L_RECEIVED | spec.L_NANOSECONDS,
                         delay=delay)
        stage.receive(frame(1), frame(2), frame(3))
        data = stage.cap.captures.wait()
        now = stage.cap.clock().clock
        found = records(stage.machine.read(*data[0][0])[:data[1]])
        first = found[0].sec * 10 ** 9 + found[0].subsec
        tap.ok(now - first >= delay * 1000,
               "delay of 20 ms: the buffer is not used earlier [CAP-DEV-LSN-5]",
               first, now)
        tap.equal([r.data for r in found],
                  [frame(i) for i in range(1, 1 + len(found))],
                  "delay of 20 ms: the buffer has the frames that came meanwhile")


def waits(tap):
    """With a long delay or none, no other event completes a buffer."""
    for delay in (NONE, LONG):
        with Stage() as stage:
            stage.cap.listen(delay=delay)
            stage.receive(frame(1))
            stage.cap.wait_counted(1)
            stage.receive(frame(2))
            stage.cap.wait_counted(2)
            tap.ok(stage.cap.take() is None,
                   f"delay {delay}: no buffer is used for its age [CAP-DEV-BUF-4]")
            stage.cap.flush()
            tap.equal([r.data for r in stage.cap.take_records()],
                      [frame(1), frame(2)],
                      f"delay {delay}: FLUSH completes the buffer with both frames"
                      " [CAP-DEV-BUF-4]")


def changed(tap):
    """A new delay applies to the buffer in progress."""
    for delay in (0, 1, 1000):
        with Stage() as stage:
            stage.cap.listen(delay=NONE)
            stage.receive(frame(1))
            stage.cap.wait_counted(1)
            stage.cap.listen(delay=delay)
            tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(1)],
                      f"delay from none to {delay}: the buffer in progress is used"
                      " [CAP-DEV-LSN-5]")
    with Stage() as stage:
        stage.cap.listen(delay=100000)
        stage.receive(frame(1))
        stage.cap.listen(delay=NONE)
        if stage.cap.take() is None:    # otherwise this host was too slow
            start = stage.cap.clock().clock
            while stage.cap.clock().clock < start + 200 * 10 ** 6:
                pass
            tap.ok(stage.cap.take() is None,
                   "delay from 100000 to none: the buffer in progress is not used")


def unchanged(tap):
    """LISTEN with other parameters does not complete the buffer in progress."""
    with Stage() as stage:
        stage.cap.listen(18, delay=NONE)
        stage.receive(frame(1))
        stage.cap.wait_counted(1)
        stage.cap.listen(20, spec.L_RECEIVED | spec.L_NANOSECONDS, NONE)
        stage.receive(frame(2))
        stage.cap.flush()
        data = stage.cap.take()
        tap.equal([(r.data, r.flags) for r in records(data)],
                  [(frame(1)[:18], 0),
                   (frame(2)[:20], spec.R_NANOSECONDS)],
                  "LISTEN while a buffer is in progress: each record is as wanted at its time"
                  " [CAP-DEV-REC-8 CAP-DEV-LSN-3]")


main = Tap()
main.run(at_once, timer, waits, changed, unchanged)
sys.exit(main.done())
