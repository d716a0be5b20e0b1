#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that the driver injects leave as if the NIC had sent them."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import nics  # noqa: E402
from capture import (Capture, frame, inject, offer, options,  # noqa: E402
                     spec)
from links import link  # noqa: E402
from qtest import Machine  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402


def sent(tap):
    """The frame arrives at the backend, and is captured as a sent one."""
    with Stage() as stage:
        stage.cap.listen()
        for size in (14, 60, 1514):
            data = frame(size, 60)[:size] if size < 60 else frame(size, size)
            tap.equal(inject(stage.cap, data), spec.E_OK,
                      f"INJECT of {size} bytes succeeds")
            tap.equal(stage.link.receive(), data,
                      f"INJECT of {size} bytes: the backend gets the frame")
            record = stage.cap.wait_records(1)[0]
            tap.equal((record.data, record.flags), (data, spec.R_SENT),
                      f"INJECT of {size} bytes: the frame is captured as sent")
        tap.ok(stage.link.empty(),
               f"INJECT of {size} bytes: the backend gets no further frame")


def source(tap):
    """With the flag, the NIC's address replaces the frame's source address."""
    with Stage() as stage:
        mac = stage.cap.read_config().mac
        data = frame(1)
        tap.equal(inject(stage.cap, data, spec.I_SOURCE), spec.E_OK,
                  "INJECT with SOURCE succeeds")
        tap.equal(stage.link.receive(), data[:6] + mac + data[12:],
                  "INJECT with SOURCE: the frame has the NIC's address")


def feedback(tap):
    """The NIC receives the frame unchanged, and it is captured once."""
    with Stage() as stage:
        stage.cap.listen()
        data = frame(1)
        tap.equal(inject(stage.cap, data, spec.I_FEEDBACK | spec.I_SOURCE),
                  spec.E_OK, "INJECT with FEEDBACK and SOURCE succeeds")
        tap.equal(stage.nic.receive(), data,
                  "INJECT with FEEDBACK and SOURCE: the NIC gets the frame unchanged")
        tap.ok(stage.link.receive() != data,
               "INJECT with FEEDBACK and SOURCE: the backend gets it with the NIC's address")
        stage.cap.flush()
        records = stage.cap.take_records()
        tap.equal([record.flags for record in records], [spec.R_SENT],
                  "INJECT with FEEDBACK and SOURCE: the frame is captured once, as sent"
                  " [CAP-DEV-INJ-5]")


def refused(tap):
    """Frames that a driver must not inject."""
    with Stage() as stage:
        for name, data, flags in (
                ("no frame", b"", 0), ("13 bytes", bytes(13), 0),
                ("1515 bytes", bytes(1515), 0),
                ("an unknown flag [CAP-DEV-INJ-2]", frame(1), 4)):
            tap.equal(inject(stage.cap, data, flags), spec.E_INVALID,
                      f"INJECT refused: {name}")
        tap.ok(stage.link.empty(),
               "refused INJECT: nothing was sent [CAP-DEV-INJ-2]")
        tap.equal(inject(stage.cap, frame(2)), spec.E_OK,
                  "refused INJECT: the next one succeeds")
        stage.link.receive()
        stage.cap.queues[2].add([(stage.machine.allocate(64), 4)],
                                [(stage.machine.allocate(64), 8)])
        stage.cap.queues[2].kick()
        stage.cap.queues[2].wait("reply to a header cut short")
        tap.ok(not stage.cap.broken(),
               "INJECT of a header cut short: no reset is needed")
    for room in (0, 7):
        with Stage() as stage:
            offer(stage.cap, frame(1), room=room)
            stage.cap.queues[2].kick()
            wait_for(stage.cap.broken, "the device to need a reset")
            tap.ok(stage.machine.alive() and stage.link.empty(),
                   f"INJECT with {room} bytes for the reply: needs a reset, sends nothing"
                   " [CAP-DEV-INJ-3]")


def without_nic(tap):
    """There is no NIC whose frames could be injected."""
    option, _far = link()
    with Machine("-netdev", f"{option},id=n0", *options()) as machine:
        tap.equal(inject(Capture(machine), frame(1)), spec.E_GONE,
                  "INJECT without a NIC is refused [CAP-DEV-INJ-2]")


def many(tap):
    """More frames than are handled at a time, in order; FLUSH waits for them."""
    with Stage(size=1 << 18) as stage:
        stage.cap.listen(delay=spec.DELAY_NONE)
        frames = [frame(i) for i in range(120)]
        for data in frames:
            offer(stage.cap, data)
        stage.cap.queues[2].kick()
        got = [stage.link.receive() for _ in frames]
        tap.equal(got, frames,
                  "INJECT of 120 frames: the backend gets them in order"
                  " [CAP-DEV-INJ-1]")
        stage.cap.flush()
        tap.equal([r.data for r in stage.cap.take_records()], frames,
                  "INJECT of 120 frames: they are captured in order [CAP-DEV-FLS-2]")


def fill(stage, count):
    """Injects frames that the link does not read; returns them, and the number of
    replies before the backend was full."""
    frames = [frame(i) for i in range(count)]
    for data in frames:
        offer(stage.cap, data)
    stage.cap.queues[2].kick()
    stage.cap.flush()
    replies = 0
    while stage.cap.queues[2].take():
        replies += 1
    return frames, replies


def backpressure(tap):
    """Buffers stay in the queue while the backend is full."""
    with Stage() as stage:
        frames, replies = fill(stage, 60)
        tap.ok(0 < replies < 60,
               "backend without room: some of 60 frames are answered [CAP-DEV-INJ-4]",
               replies)
        got = [stage.link.receive() for _ in frames]
        tap.equal(got, frames,
                  "backend with room again: it gets all 60 frames")
        for _ in range(60 - replies):
            answer, _ = stage.cap.queues[2].wait("reply")
            if stage.machine.read(answer, 8) != bytes(8):
                tap.ok(False, "backend with room again: INJECT's reply is OK")
        tap.ok(True, "backend with room again: all frames are answered")


def ends(tap):
    """Reset, stop and removal while frames wait for the backend."""
    with Stage() as stage:
        fill(stage, 60)
        stage.cap.set("status", 0)
        tap.ok(stage.machine.alive(),
               "reset with frames waiting: QEMU goes on")
        while not stage.link.empty():
            stage.link.receive()
        stage.cap = Capture(stage.machine)
        while not stage.link.empty():
            stage.link.receive()
        tap.equal(inject(stage.cap, frame(9)), spec.E_OK,
                  "reset with frames waiting: INJECT succeeds after it")
        tap.equal(stage.link.receive(), frame(9),
                  "reset with frames waiting: the backend gets the new frame")
    with Stage() as stage:
        frames, replies = fill(stage, 60)
        stage.machine.qmp("stop")
        tap.ok(stage.cap.queues[2].take(),
               "stop with frames waiting: the one given to the backend is answered"
               " [CAP-DEV-INJ-4]")
        tap.ok(not stage.cap.queues[2].take(),
               "stop with frames waiting: no other is answered")
        stage.machine.qmp("cont")
        # QEMU purges the frames that wait in a netdev's queue at a stop.
        del frames[replies]
        tap.equal([stage.link.receive() for _ in frames], frames,
                  "cont: the frames that waited are sent")
        for _ in range(60 - replies - 1):
            stage.cap.queues[2].wait("reply")
    with Stage() as stage:
        fill(stage, 60)
        stage.machine.qmp("device_del", id="nic")
        stage.machine.qmp("device_del", id="cap")
        while not stage.link.empty():
            stage.link.receive()
        tap.ok(stage.machine.alive(),
               "device removed with frames waiting: QEMU goes on")


def received(stage):
    """Receives all frames that QEMU has queued; returns their number."""
    count = 0
    while True:
        stage.machine.qmp("query-status")
        if stage.link.empty():
            return count
        while not stage.link.empty():
            stage.link.receive()
            count += 1


def resets(tap):
    """Resets do not each leave a frame in the queue of a full backend."""
    with Stage() as stage:
        _, replies = fill(stage, 60)
        for i in range(100):
            stage.cap.start()
            offer(stage.cap, frame(i))
            stage.cap.queues[2].kick()
            stage.cap.flush()
        # Those before it was full, one that waited, and the last one.
        tap.equal(received(stage), replies + 2,
                  "100 resets with frames waiting: one frame is left, not 100"
                  " [CAP-DEV-INJ-7]")
        stage.cap.queues[2].wait("reply")
        tap.equal(inject(stage.cap, frame(9)), spec.E_OK,
                  "100 resets with frames waiting: INJECT succeeds")


def unplugs(tap):
    """The netdev is removed while a frame waits, without a tap."""
    with Stage() as stage:
        _, replies = fill(stage, 60)
        stage.machine.qmp("netdev_del", id="n0")
        stage.cap.queues[2].kick()
        for _ in range(60 - replies):
            stage.cap.queues[2].wait("reply")
        tap.ok(True, "netdev removed with frames waiting: all are answered")


def no_room(tap):
    """Feedback is not queued for a NIC without receive buffers."""
    with Stage(driver=lambda machine: nics.VirtioNet(machine, buffers=0)) \
            as stage:
        for i in range(200):
            if inject(stage.cap, frame(i), spec.I_FEEDBACK) != spec.E_OK:
                tap.ok(False,
                       f"NIC without room: INJECT with FEEDBACK of frame {i} succeeds")
            stage.link.receive()
        for _ in range(100):
            stage.nic._post(stage.machine.allocate(nics.VirtioNet.BUFFER))
        stage.nic.queues[0].kick()
        for _ in range(5):
            stage.machine.qmp("query-status")
        used = stage.machine.get("w", stage.nic.queues[0].used + 2)
        tap.ok(used <= 1,
               "NIC without room: it gets one of 200 frames later [CAP-DEV-INJ-7]",
               used)


main = Tap()
main.run(sent, source, feedback, refused, without_nic, many, backpressure,
         ends, resets, unplugs, no_room)
sys.exit(main.done())
