#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine stops, continues, and migrates to another QEMU while capturing."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import folders  # noqa: E402
import waiting  # noqa: E402
from capture import CTRL, COUNTERS, frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE


def stopped(tap):
    """A buffer in progress is completed when the machine stops."""
    for delay in (NONE, 3600 * 10 ** 6):
        with Stage() as stage:
            stage.cap.listen(delay=delay)
            stage.receive(frame(1))
            stage.cap.wait_counted(1)
            stage.machine.qmp("stop")
            tap.equal([r.data for r in stage.cap.take_records()], [frame(1)],
                      "stop: the buffer in progress is used [CAP-DEV-MIG-1]")
            stage.machine.qmp("cont")
            stage.receive(frame(2))
            tap.equal(stage.cap.flush()[1:], (2, 0), "cont: capture goes on")
            tap.equal([r.data for r in stage.cap.take_records()], [frame(2)],
                      "cont: the next frame is in the next buffer")


def commands(tap):
    """Commands in a stopped machine are executed later."""
    for extra in ("", ",ioeventfd=off"):
        commands_of(tap, extra)


def commands_of(tap, extra):
    """The same, with or without an ioeventfd."""
    with Stage(capture_args=extra) as stage:
        flush = CTRL.pack(spec.C_FLUSH, 0)
        for _ in range(20):             # some stops are during a FLUSH
            stage.cap.submit(flush, 32)
            stage.cap.controls.kick()
            stage.machine.qmp("stop")
            stage.machine.qmp("cont")
            status, rest = stage.cap.result()
            if status or len(rest) != COUNTERS.size:
                tap.ok(False,
                       "20 times FLUSH and stop at once: FLUSH has what was captured",
                       status, rest)
                return
        tap.ok(True,
               "20 times FLUSH and stop at once: FLUSH has what was captured")
        stage.machine.qmp("stop")
        stage.cap.submit(flush, 32)
        stage.cap.controls.kick()
        stage.machine.qmp("query-status")
        tap.ok(stage.cap.controls.take() is None,
               "machine stopped: a command is not answered")
        stage.machine.qmp("cont")
        tap.equal(stage.cap.result()[0], spec.E_OK,
                  "cont: a command given while stopped is answered")


def at_once(tap):
    """A pending FLUSH is answered before the machine stops."""
    with Stage("-device", "pvpanic", "-action", "panic=pause",
               capture_args=",ioeventfd=off") as stage:
        stage.cap.listen(delay=NONE)
        stage.receive(frame(1))
        stage.cap.wait_counted(1)
        used = stage.machine.get("w", stage.cap.controls.used + 2)
        stage.cap.submit(CTRL.pack(spec.C_FLUSH, 0), 32)
        replies = stage.machine.commands(
            stage.cap.controls.kick_line(),
            "outb 0x505 1",             # stops the machine
            f"readw {stage.cap.controls.used + 2}")
        tap.equal(stage.machine.qmp("query-status")["status"],
                  "guest-panicked", "guest panic: the machine has stopped")
        tap.equal(int(replies[2], 16), used + 1,
                  "guest panic: FLUSH given before it was answered")
        tap.equal(COUNTERS.unpack(stage.cap.result()[1])[1:], (1, 0),
                  "guest panic: FLUSH has the counters")
        tap.equal([r.data for r in stage.cap.take_records()], [frame(1)],
                  "guest panic: the buffer in progress was used before FLUSH's reply"
                  " [CAP-DEV-FLS-1]")


def frames(tap):
    """Frames that arrive while the machine is stopped are not captured."""
    with Stage() as stage:
        stage.cap.listen()
        stage.machine.qmp("stop")
        stage.link.send(frame(1))
        for _ in range(3):              # by then QEMU has read the frame
            stage.machine.qmp("query-status")
        tap.ok(stage.cap.take() is None,
               "machine stopped: a frame that arrives is not written to guest memory")
        stage.machine.qmp("cont")
        tap.equal(stage.nic.receive(), frame(1),
                  "cont: the NIC receives the frame that arrived while stopped")
        tap.equal(stage.cap.flush()[1:], (0, 1),
                  "cont: the frame that arrived while stopped counts as dropped")


def leave(stage):
    """Migrates a machine to a file; returns the URI that reads it."""
    file = folders.scratch() / "state"
    stage.machine.qmp("migrate", uri=f"exec:cat >{file}")
    waiting.wait_for(lambda: stage.machine.qmp("query-migrate").get("status")
                     == "completed", "migration")
    return f"exec:cat {file}"


def arrive(stage):
    """Waits until a machine has loaded the state, and runs."""
    waiting.wait_for(lambda: stage.machine.qmp("query-status")["running"],
                     "arrival")


def moved(tap):
    """Migration to a file and into another QEMU."""
    with Stage() as stage:
        cap = stage.cap
        cap.listen(50, spec.L_RECEIVED | spec.L_NANOSECONDS, NONE)
        cap.clock(10 ** 18)
        stage.receive(frame(1), frame(2))
        cap.wait_counted(2)
        with Stage("-incoming", leave(stage), adopt=stage) as target:
            arrive(target)
            tap.ok(target.cap.tap_exists(), "migration: the tap is there")
            tap.equal([r.data for r in target.cap.take_records()],
                      [frame(1)[:50], frame(2)[:50]],
                      "migration: the buffer in progress is completed, and in the target's queue")
            counters = target.cap.clock()
            tap.equal(counters[1:], (2, 0),
                      "migration: the counters are the source's")
            target.receive(frame(3))
            target.cap.wait_counted(3)
            tap.ok(target.cap.take() is None,
                   "migration: the delay is the source's")
            target.cap.flush()
            found = target.cap.take_records()
            tap.equal([(r.data, r.flags) for r in found],
                      [(frame(3)[:50], spec.R_NANOSECONDS)],
                      "migration: snapshot length and unit are the source's"
                      " [CAP-DEV-MIG-2]")
            tap.equal(found[0].sec // 10 ** 8, 10,
                      "migration: the clock's offset is the source's [CAP-DEV-MIG-2]")


def moved_without(tap):
    """The destination's netdev cannot be tapped when the state is loaded."""
    with Stage() as stage:
        stage.cap.listen()
        with Stage("-incoming", "defer", adopt=stage) as target:
            target.machine.qmp("netdev_del", id="n0")
            target.machine.qmp("migrate-incoming", uri=leave(stage))
            arrive(target)
            tap.contains(target.machine.output(), "virtio-capture: capture "
                         "cannot be resumed: 'netdev' names 'n0', which does "
                         "not exist",
                         "migration without the netdev: QEMU warns of it"
                         " [CAP-DEV-MIG-2]")
            tap.equal(target.cap.listen(), spec.E_GONE,
                      "migration without the netdev: LISTEN is refused")
            tap.equal(target.cap.flush()[1:], (0, 0),
                      "migration without the netdev: FLUSH succeeds")


def idle(tap):
    """Without a listener there is no tap after migration either."""
    with Stage() as stage:
        with Stage("-incoming", leave(stage), adopt=stage) as target:
            arrive(target)
            tap.ok(not target.cap.tap_exists(),
                   "migration without a listener: there is no tap")
            target.receive(frame(1))
            target.cap.listen()
            target.receive(frame(2))
            found = target.cap.wait_records(1)
            tap.equal([r.data for r in found], [frame(2)],
                      "migration without a listener: capture begins with LISTEN")


main = Tap()
main.run(stopped, commands, at_once, frames, moved, moved_without, idle)
sys.exit(main.done())
