#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reset of the device, of one queue, and of the machine."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import virtio_pci  # noqa: E402
from capture import CTRL, Capture, frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE
FEATURES = (virtio_pci.F_VERSION_1, virtio_pci.F_RING_RESET)


def in_progress(stage, delay=NONE):
    """Starts a listener that has a buffer in progress."""
    stage.cap.listen(delay=delay)
    stage.cap.clock(10 ** 18)
    stage.receive(frame(1))
    stage.cap.wait_counted(1)


def afresh(tap, stage, name):
    """Checks that nothing is left of the state before the reset."""
    cap = stage.cap
    tap.ok(not cap.tap_exists(), f"{name}: the tap is gone [CAP-DEV-TAP-5]")
    stage.receive(frame(2))
    cap.start()
    cap.post(4096)
    tap.equal(cap.flush()[1:], (0, 0), f"{name}: the counters are zero")
    tap.ok(cap.take() is None,
           f"{name}: no record of the old buffer is in a new one [CAP-DEV-RST-1]")
    cap.listen()
    stage.receive(frame(3))
    found = cap.wait_records(1)
    tap.equal([(r.data, r.sec < 10 ** 6) for r in found], [(frame(3), True)],
              f"{name}: a frame is captured, without the old offset [CAP-DEV-RST-1]")


def device(tap):
    """Reset while a buffer is in progress, with each kind of delay."""
    for delay in (NONE, 0, 3600 * 10 ** 6):
        with Stage() as stage:
            in_progress(stage, delay)
            stage.cap.set("status", 0)
            tap.equal(stage.cap.get("status"), 0,
                      "reset while commands wait: the status is 0")
            afresh(tap, stage, f"delay {delay}")


def pending_flush(tap):
    """Reset in the main loop iteration in which a FLUSH arrives."""
    with Stage(capture_args=",ioeventfd=off") as stage:
        in_progress(stage)
        stage.cap.submit(CTRL.pack(spec.C_FLUSH, 0), 32)
        status = stage.cap.common + 20
        stage.machine.commands(stage.cap.controls.kick_line(),
                               f"writeb {status} 0")
        for _ in range(10):
            stage.machine.qmp("query-status")
        tap.equal(stage.machine.read(stage.cap.answer, 8), b"\xa5" * 8,
                  "reset while commands wait: they are never answered")
        afresh(tap, stage, "FLUSH on its way")


def machine(tap):
    """Reset of the machine."""
    with Stage() as stage:
        in_progress(stage)
        stage.machine.qmp("system_reset")
        stage.machine.qmp.event("RESET")
        stage.machine.next_bar = 0xe0000000
        stage.nic = type(stage.nic)(stage.machine)
        tap.ok(not stage.cap.tap_exists(),
               "reset while commands wait: the tap is gone")
        stage.receive(frame(2))
        stage.cap = Capture(stage.machine)
        stage.cap.listen()
        stage.receive(frame(3))
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(3)],
                  "reset while commands wait: a new driver captures [CAP-DEV-RST-2]")


def capture_queue(tap):
    """Reset of the capture queue alone, with a buffer in progress."""
    with Stage() as stage:
        stage.cap.start(FEATURES)
        stage.cap.post(4096)
        in_progress(stage)
        stage.cap.captures.reset()
        tap.equal(stage.cap.flush()[1:], (1, 0),
                  "capture queue reset: FLUSH succeeds")
        stage.receive(frame(2))
        tap.equal(stage.cap.wait_counted(2).dropped, 1,
                  "capture queue reset: a frame is dropped, as the queue is empty")
        stage.cap.post(4096)
        stage.cap.post(4096)
        stage.receive(frame(3))
        stage.cap.flush()
        tap.equal([(r.data, r.dropped) for r in stage.cap.take_records()],
                  [(frame(3), 1)], "capture queue reset: new buffers are used")


def control_queue(tap):
    """Reset of the control queue alone, with a FLUSH in progress."""
    with Stage(capture_args=",ioeventfd=off") as stage:
        cap = stage.cap
        cap.start(FEATURES)
        cap.post(4096)
        in_progress(stage)
        cap.submit(CTRL.pack(spec.C_FLUSH, 0), 32)
        common = cap.common
        stage.machine.commands(
            cap.controls.kick_line(),
            f"writew {common + 22} {spec.VQ_CONTROL}",
            f"writew {common + 58} 1")
        for _ in range(10):
            stage.machine.qmp("query-status")
        tap.equal(stage.machine.read(cap.answer, 8), b"\xa5" * 8,
                  "control queue reset: the old command is never answered")
        cap.controls._enable()
        tap.equal(cap.flush()[1:], (1, 0),
                  "control queue reset: FLUSH succeeds in the new queue")
        tap.equal([r.data for r in cap.take_records()], [frame(1)],
                  "control queue reset: the buffer in progress is kept [CAP-DEV-RST-3]")


main = Tap()
main.run(device, pending_flush, machine, capture_queue, control_queue)
sys.exit(main.done())
