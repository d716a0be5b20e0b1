#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Trace events that are enabled while the machine runs."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from virtio_pci import F_VERSION_1  # noqa: E402

FEATURES = (F_VERSION_1, spec.F_FILTER)

EVENTS = ["command", "tap", "listen", "frame", "complete", "flush", "clock",
          "drop", "filter"]


def switched_on(tap):
    """Each event is logged when it occurs."""
    with Stage(buffers=1, features=FEATURES) as stage:
        stage.cap.listen()
        stage.cap.listen(0)
        tap.ok("virtio_capture_" not in stage.machine.output(),
               "without -trace no event is printed")
        stage.machine.qmp("trace-event-set-state", name="virtio_capture_*",
                          enable=True)
        stage.cap.listen()
        stage.receive(frame(1))
        stage.cap.wait_records(1)
        stage.receive(frame(2))
        stage.cap.clock(5)
        stage.cap.filter([])
        stage.cap.flush()
        stage.cap.listen(0)
        output = stage.machine.output()
        for event in EVENTS:
            tap.contains(output, f"virtio_capture_{event} dev ",
                         f"the event {event} is printed when it happens")
        tap.contains(output, " len 60 caplen 60 flags 0x0",
                     "the event of a frame has its lengths and flags")


main = Tap()
main.run(switched_on)
sys.exit(main.done())
