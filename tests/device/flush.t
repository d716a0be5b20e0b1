#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FLUSH is a barrier: frames that crossed the tap before it are in used buffers."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import CTRL, COUNTERS, REPLY, frame, spec  # noqa: E402
from nics import VirtioNet  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE
FLUSH = CTRL.pack(spec.C_FLUSH, 0)


def received(tap):
    """The buffer in progress is completed."""
    with Stage() as stage:
        tap.equal(stage.cap.flush()[1:], (0, 0),
                  "FLUSH with nothing captured gives counts of zero")
        stage.cap.listen(delay=NONE)
        frames = [frame(i) for i in range(5)]
        stage.receive(*frames)
        counters = stage.cap.flush()
        tap.equal([r.data for r in stage.cap.take_records()], frames,
                  "FLUSH: used buffers have all frames received before [CAP-DEV-FLS-1]")
        tap.equal(counters[1:], (5, 0),
                  "FLUSH gives the counts of all frames before")
        tap.equal(stage.cap.flush()[1:], (5, 0),
                  "FLUSH with nothing new gives the same counts")
        tap.ok(stage.cap.take() is None,
               "FLUSH with nothing new completes no buffer [CAP-DEV-BUF-3]")


def told_to_send(tap):
    """
    Frames that the driver has made available to virtio-net, which transmits later.

    Both notifications arrive in one main loop iteration. QEMU first handles that of
    the device that was started last.
    """
    for last in ("capture device", "NIC"):
        with Stage() as stage:
            if last == "NIC":
                stage.nic = VirtioNet(stage.machine)
            stage.cap.listen(delay=NONE)
            for turn in range(20):
                frames = [frame(turn * 10 + i) for i in range(4)]
                stage.nic.queue_frames(*frames)
                stage.cap.submit(FLUSH, 32)
                stage.machine.commands(stage.nic.queues[1].kick_line(),
                                       stage.cap.controls.kick_line())
                status, rest = stage.cap.result()
                counters = COUNTERS.unpack(rest)
                found = [r.data for r in stage.cap.take_records()]
                if not (status == 0 and found == frames and
                        counters[1] == 4 * (turn + 1)):
                    tap.ok(False,
                           f"turn {turn}, {last} started last: FLUSH has all"
                           " frames given to the NIC before",
                           status, counters, found)
                    return
                stage.cap.post(4096)
                for _ in frames:
                    stage.nic.queues[1].wait("transmitted frame")
                    stage.link.receive()
            tap.ok(True,
                   f"FLUSH 20 times, {last} started last: it has all frames given to the NIC before"
                   " [CAP-DEV-FLS-2]")


def order(tap):
    """Several at a time, in order with other commands."""
    for extra in ("", ",ioeventfd=off"):
        order_of(tap, extra)


def order_of(tap, extra):
    """The same, with or without an ioeventfd."""
    with Stage(capture_args=extra) as stage:
        stage.cap.listen(delay=NONE)
        stage.receive(frame(1), frame(2))
        machine, queue = stage.machine, stage.cap.controls
        clock = CTRL.pack(spec.C_CLOCK, 0) + bytes(16)
        listen = CTRL.pack(spec.C_LISTEN, 0) + bytes(16)
        requests = [FLUSH, FLUSH, clock, FLUSH, listen, clock, FLUSH]
        answers = []
        for request in requests:
            where = machine.allocate(64)
            machine.write(where, request)
            answers.append(where + 32)
            queue.add([(where, len(request))], [(where + 32, 32)], where + 32)
        machine.commands(*[queue.kick_line() for _ in requests])
        done = [queue.wait("reply") for _ in requests]
        tap.equal([where for where, _ in done], answers,
                  "seven commands at once: replies in their order [CAP-DEV-CTRL-1]")
        tap.equal([length for _, length in done],
                  [8 if request is listen else 32 for request in requests],
                  "seven commands at once: replies have the right lengths")
        replies = [machine.read(where, length) for where, length in done]
        tap.equal({REPLY.unpack_from(r) for r in replies}, {(0, 0)},
                  "seven commands at once: all succeed [CAP-DEV-CTRL-2]")
        clocks = [COUNTERS.unpack(r[8:])[0] for r in replies if len(r) > 8]
        tap.ok(clocks == sorted(clocks),
               "seven commands at once: the clock does not go back", clocks)
        tap.ok(not stage.cap.tap_exists(),
               "seven commands at once: LISTEN among them is executed")


main = Tap()
main.run(received, told_to_send, order)
sys.exit(main.done())
