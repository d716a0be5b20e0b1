#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The device's clock, the offset of record times, and their units."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import CLOCK, frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

SECOND = 10 ** 9


def stamp(stage, number):
    """Returns the clock before a frame, its record's time in ns, the clock after it,
    and the record."""
    before = stage.cap.clock().clock
    stage.receive(frame(number))
    record = stage.cap.wait_records(1)[0]
    nano = record.flags & spec.R_NANOSECONDS
    time = record.sec * SECOND + record.subsec * (1 if nano else 1000)
    return before, time, stage.cap.clock().clock, record


def counts(tap):
    """The clock runs, and CLOCK does not complete the buffer in progress."""
    with Stage() as stage:
        first, second = stage.cap.clock(), stage.cap.clock()
        tap.ok(0 < first.clock < second.clock,
               "CLOCK: the second time is later than the first", first, second)
        stage.cap.listen(delay=spec.DELAY_NONE)
        stage.receive(frame(1))
        tap.equal(stage.cap.wait_counted(1)[1:], (1, 0),
                  "CLOCK gives the counters")
        tap.ok(stage.cap.take() is None,
               "CLOCK does not complete the buffer in progress [CAP-DEV-CLK-2]")


def stands_still(tap):
    """The clock of a stopped machine does not run."""
    with Stage() as stage:
        before = stage.cap.clock().clock
        stage.machine.qmp("stop")
        stage.machine.qmp("cont")
        after = stage.cap.clock().clock
        tap.ok(after > before,
               "CLOCK after stop and cont: the time is later [CAP-DEV-CLK-1]")


def offsets(tap):
    """Record times in both units, with offsets of either sign."""
    now = 1700000000 * SECOND
    for unit, slack in ((0, 999), (spec.L_NANOSECONDS, 0)):
        with Stage(buffers=16) as stage:
            stage.cap.listen(flags=spec.L_RECEIVED | unit)
            for offset in (None, 0, now, now + 123456789, -1, -SECOND):
                if offset is not None:
                    stage.cap.clock(offset)
                before, time, after, record = stamp(stage, 1)
                low = max(0, before + (offset or 0) - slack)
                high = max(0, after + (offset or 0))
                tap.ok(low <= time <= high,
                       f"unit {unit}, offset {offset}: the record's time is between two CLOCKs"
                       " [CAP-DEV-CLK-3]", low, time, high)
                tap.ok(record.subsec < (SECOND if unit else 10 ** 6),
                       f"unit {unit}, offset {offset}: the fraction is less than a second")
                tap.equal(record.flags & spec.R_NANOSECONDS,
                          spec.R_NANOSECONDS if unit else 0,
                          f"unit {unit}, offset {offset}: the record's flags tell the unit"
                          " [CAP-DEV-REC-8]")


def kept(tap):
    """CLOCK without the flag does not change the offset."""
    with Stage(buffers=8) as stage:
        stage.cap.listen()
        stage.cap.clock(1000 * SECOND)
        status, _ = stage.cap.control(spec.C_CLOCK, CLOCK.pack(0, 0, 0))
        tap.equal(status, spec.E_OK, "CLOCK without the flag succeeds")
        before, time, after, _ = stamp(stage, 1)
        tap.ok(before - 1000 <= time - 1000 * SECOND <= after,
               "CLOCK without the flag leaves the offset")


def extremes(tap):
    """Sums that overflow become the smallest or the largest time."""
    with Stage(buffers=8) as stage:
        stage.cap.listen(flags=spec.L_RECEIVED | spec.L_NANOSECONDS)
        for offset, wanted in ((-2 ** 63, 0), (2 ** 63 - 1, 2 ** 63 - 1)):
            stage.cap.clock(offset)
            tap.equal(stamp(stage, 1)[1], wanted,
                      f"CLOCK with offset {offset}: times end at the least and the greatest"
                      " [CAP-DEV-CLK-5]")


# QEMU's virtual clock: the host's clock with an offset, or counted instructions.
CLOCKS = ((), ("-icount", "shift=auto"), ("-icount", "shift=3,sleep=off"))


def exact(tap):
    """A record's time is that of the clock, also after stops and in later seconds."""
    for args in CLOCKS:
        with Stage(*args, buffers=0) as stage:
            cap, name = stage.cap, " ".join(args) or "no option"
            cap.listen(flags=spec.L_RECEIVED | spec.L_NANOSECONDS)
            bad, seconds, turns = [], set(), 0
            cap.clock(987654321)
            while len(seconds) < 3 or turns < 6:
                cap.post(4096)
                if turns % 2:
                    stage.machine.qmp("stop")
                    stage.machine.qmp("cont")
                before, time, after, record = stamp(stage, turns)
                if not before <= time - 987654321 <= after:
                    bad.append((before, time, after))
                seconds.add(record.sec)
                turns += 1
                if turns > 6 and args:
                    break       # this clock does not run at the host's speed
                if turns % 50 == 0:
                    cap.start()     # frees the memory of used buffers
                    cap.listen(flags=spec.L_RECEIVED | spec.L_NANOSECONDS)
                    cap.clock(987654321)
            tap.equal(bad, [],
                      f"{name}: times are exactly between two CLOCKs, also after stops")


main = Tap()
main.run(counts, stands_still, offsets, kept, extremes, exact)
sys.exit(main.done())
