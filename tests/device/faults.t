#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of a driver: an error status, or the device needs a reset."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import CLOCK, CTRL, LISTEN, frame, spec  # noqa: E402
from emulator import RAM  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from virtio_pci import NEEDS_RESET  # noqa: E402
from waiting import wait_for  # noqa: E402

GOOD = LISTEN.pack(100, spec.L_ALL, 0, 0)


def answered(tap):
    """Invalid commands with room for a reply."""
    cases = [
        ("command 0", CTRL.pack(0, 0), 32, spec.E_UNKNOWN),
        ("command 4", CTRL.pack(4, 0), 32, spec.E_UNKNOWN),
        ("command 2^32-1", CTRL.pack(0xffffffff, 0), 8, spec.E_UNKNOWN),
        ("an unknown one with a body [CAP-DEV-CTRL-3]",
         CTRL.pack(99, 0) + GOOD, 32, spec.E_UNKNOWN),
        ("no request at all", b"", 32, spec.E_INVALID),
        ("7 bytes", CTRL.pack(spec.C_FLUSH, 0)[:7], 32, spec.E_INVALID),
        ("LISTEN without body", CTRL.pack(spec.C_LISTEN, 0), 32,
         spec.E_INVALID),
        ("LISTEN, short", CTRL.pack(spec.C_LISTEN, 0) + GOOD[:-1], 32,
         spec.E_INVALID),
        ("LISTEN, long", CTRL.pack(spec.C_LISTEN, 0) + GOOD + b"\0", 32,
         spec.E_INVALID),
        ("FLUSH, long", CTRL.pack(spec.C_FLUSH, 0) + GOOD, 32,
         spec.E_INVALID),
        ("FLUSH, no room for the counters [CAP-DEV-CTRL-4]",
         CTRL.pack(spec.C_FLUSH, 0), 31, spec.E_INVALID),
        ("CLOCK, short", CTRL.pack(spec.C_CLOCK, 0) + bytes(15), 32,
         spec.E_INVALID),
        ("CLOCK, unknown flag [CAP-DEV-CLK-4]", CTRL.pack(spec.C_CLOCK, 0)
         + CLOCK.pack(5, 3, 0), 32, spec.E_INVALID),
        ("CLOCK, no room for the counters", CTRL.pack(spec.C_CLOCK, 0)
         + CLOCK.pack(5, 1, 0), 8, spec.E_INVALID)]
    with Stage() as stage:
        for name, request, room, wanted in cases:
            stage.cap.submit(request, room)
            stage.cap.controls.kick()
            length = stage.cap.controls.wait("reply")[1]
            reply = stage.machine.read(stage.cap.answer, 64)
            tap.equal((length, reply[:9]),
                      (8, bytes([wanted] + [0] * 7 + [0xa5])),
                      f"command refused: {name}")
        tap.ok(not stage.cap.broken(),
               "after refused commands the device needs no reset")
        stage.cap.listen(flags=spec.L_RECEIVED)
        stage.receive(frame(1))
        record = stage.cap.wait_records(1)[0]
        tap.ok(record.sec < 1000,
               "a refused CLOCK leaves the offset [CAP-DEV-CTRL-5]")


def scattered(tap):
    """A valid command in many parts."""
    with Stage() as stage:
        body = LISTEN.pack(33, spec.L_ALL, 0, 0)
        status, _ = stage.cap.control(spec.C_LISTEN, body, parts=24)
        tap.equal(status, spec.E_OK, "LISTEN in 24 parts of a byte succeeds")
        stage.receive(frame(1))
        tap.equal(stage.cap.wait_records(1)[0].caplen, 33,
                  "LISTEN in 24 parts: its snapshot length is in force")


def breaks(tap, name, fault, **keywords):
    """The device needs a reset after the fault, and works after the reset."""
    with Stage(**keywords) as stage:
        fault(stage)
        wait_for(stage.cap.broken, f"broken device: {name}")
        tap.ok(stage.machine.alive(),
               f"{name}: needs a reset, QEMU goes on [CAP-DEV-SEC-2]")
        stage.receive(frame(1))
        stage.send(frame(2))
        stage.cap.start()
        tap.ok(not stage.cap.broken(), f"{name}: the device works after a reset")
        stage.cap.post(4096)
        stage.cap.listen()
        stage.receive(frame(3))
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(3)],
                  f"{name}: after the reset a frame is captured")
        tap.equal(stage.cap.flush()[1:], (1, 0),
                  f"{name}: after the reset the counters begin at zero")


def silent(tap):
    """Control buffers without room for a reply."""
    flush = CTRL.pack(spec.C_FLUSH, 0)
    for room in (0, 1, 7):
        def fault(stage, room=room):
            stage.cap.submit(flush, room)
            stage.cap.controls.kick()
        breaks(tap, f"room of {room} bytes for a reply [CAP-DEV-CTRL-6]",
               fault)


def capture_buffers(tap):
    """Capture buffers that no record fits into, or that are device-readable."""
    def with_parts(readable, writable):
        def fault(stage):
            where = stage.machine.allocate(4096)
            stage.cap.captures.add([(where, n) for n in readable],
                                   [(where, n) for n in writable])
            stage.cap.listen()
            stage.link.send(frame(1))
            stage.nic.receive()
        return fault
    breaks(tap, "capture buffer of 39 bytes", with_parts([], [39]), buffers=0)
    breaks(tap, "readable capture buffer", with_parts([4096], []), buffers=0)
    breaks(tap,
           "capture buffer with a readable and a writable part [CAP-DEV-BUF-7]",
           with_parts([8], [4000]), buffers=0)


def rings(tap):
    """Descriptors and rings that QEMU's virtio core refuses."""
    def empty(stage):
        stage.cap.captures.add([], [(stage.cap.answer, 0)])
        stage.cap.listen()
        stage.link.send(frame(1))
        stage.nic.receive()

    def loop(stage):
        queue = stage.cap.controls
        index = queue.add([(stage.cap.request, 8)], [(stage.cap.answer, 32)])
        stage.machine.put("w", queue.desc + 16 * queue.chains[index][0][1]
                          + 14, index)
        stage.machine.put("w", queue.desc + 16 * queue.chains[index][0][1]
                          + 12, 3)
        queue.kick()

    def index(stage):
        queue = stage.cap.controls
        stage.machine.put("w", queue.avail + 2, 1000)
        queue.kick()

    breaks(tap, "descriptor of no bytes", empty, buffers=0)
    breaks(tap, "descriptor loop", loop)
    breaks(tap, "available index out of range", index)


def own_registers(tap):
    """Buffers at the device's own registers, or outside all memory."""
    for extra in ("", ",ioeventfd=off"):
        for name in ("common", "notify", "config", None):
            def fault(stage, name=name):
                target = getattr(stage.cap, name) if name else 1 << 63
                stage.cap.captures.add([], [(target, 0x100),
                                            (RAM - 4096, 4096)])
                stage.cap.listen()
                stage.link.send(frame(1))
                stage.nic.receive()
            breaks(tap, f"capture buffer in {name}{extra}", fault, buffers=0,
                   capture_args=extra)

    def reply(stage):
        stage.cap.controls.add([(stage.cap.request, 8)],
                               [(stage.cap.notify, 64)])
        stage.cap.controls.kick()
    breaks(tap, "reply in notify", reply)


def own_status(tap):
    """
    A used ring at the device's status register: the device would reset itself
    while it completes a buffer.
    """
    for name, extra in (("eventfd", ""), ("no eventfd", ",ioeventfd=off")):
        with Stage(buffers=0, capture_args=extra) as stage:
            cap = stage.cap
            cap.listen()
            cap.set("queue_select", spec.VQ_CAPTURE)
            cap.set("queue_used", cap.common + 20 - 4)
            cap.set("queue_enable", 1)
            cap.post(96)
            for i in range(4):
                stage.receive(frame(i))
            tap.equal(cap.get("status"), 15 | NEEDS_RESET,
                      f"{name}, used ring on the status register: needs a reset, makes none"
                      " [CAP-DEV-SEC-4]")
            stage.machine.qmp("stop")
            stage.machine.qmp("cont")
            tap.equal(cap.get("status"), 15 | NEEDS_RESET,
                      f"{name}, used ring on the status register: stop makes no reset")


def resized(tap):
    """A queue whose size changes after QEMU has mapped its rings."""
    def fault(stage):
        queue = stage.cap.controls
        for _ in range(queue.size + 2):
            stage.cap.clock()
        stage.cap.set("queue_select", spec.VQ_CONTROL)
        stage.cap.set("queue_size", 1024 if queue.size < 1024 else 512)
        stage.machine.put("w", queue.avail + 2, queue.added + 1)
        queue.kick()
    breaks(tap, "queue whose size changes", fault)


def turns(tap):
    """More commands than are executed at a time."""
    with Stage(capture_args=",ioeventfd=off") as stage:
        cap, machine, queue = stage.cap, stage.machine, stage.cap.controls
        cap.set("status", 0)
        cap.set("status", 3)
        cap.set("driver_select", 1)
        cap.set("driver_feature", 1)
        cap.set("status", 11)
        queue.size = 256
        queue.desc, queue.avail, queue.used = [machine.allocate(4096)
                                               for _ in range(3)]
        cap.set("queue_select", spec.VQ_CONTROL)
        cap.set("queue_size", queue.size)
        for one in cap.queues:
            one._enable()
        cap.set("status", 15)
        machine.write(cap.request, CTRL.pack(spec.C_CLOCK, 0)
                      + CLOCK.pack(0, 0, 0))
        for _ in range(100):
            queue.add([(cap.request, 24)], [(cap.answer, 32)])
        answers = machine.commands(queue.kick_line(),
                                   f"readw {queue.used + 2}")
        tap.equal(int(answers[1], 16), 64,
                  "100 commands at once: 64 are executed in one iteration")
        wait_for(lambda: machine.get("w", queue.used + 2) == 100,
                 "the others")
        tap.ok(not cap.broken(),
               "100 commands at once: the others are executed later")


def early(tap):
    """Commands before DRIVER_OK are not executed."""
    with Stage() as stage:
        cap = stage.cap
        cap.set("status", 0)
        cap.set("status", 3)
        cap.set("driver_select", 1)
        cap.set("driver_feature", 1)
        cap.set("status", 11)
        for queue in cap.queues:
            queue._enable()
        cap.post(4096)
        cap.submit(CTRL.pack(spec.C_LISTEN, 0) + GOOD, 8)
        cap.controls.kick()
        stage.receive(frame(1))
        tap.ok(cap.controls.take() is None and not cap.tap_exists(),
               "a command before DRIVER_OK is not executed [CAP-DEV-INIT-1]")
        cap.set("status", 15)
        cap.controls.kick()
        tap.equal(cap.result()[0], spec.E_OK,
                  "a command before DRIVER_OK is executed after it")


main = Tap()
main.run(answered, scattered, silent, capture_buffers, rings, own_registers,
         own_status, resized, turns, early)
sys.exit(main.done())
