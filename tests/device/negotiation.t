#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FILTER and LISTENER_QUEUES in all combinations, offered and accepted."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import bpf  # noqa: E402
import virtio_pci  # noqa: E402
from capture import (BOTH, CLOCK, FILTER, FLUSH, INSN, LISTEN,  # noqa: E402
                     frame, spec)
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

NONE = spec.DELAY_NONE
VERSION_1 = virtio_pci.F_VERSION_1
RING_RESET = virtio_pci.F_RING_RESET
QUEUES = (VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)

OWN = 1 << spec.F_NIC_PCI | 1 << spec.F_FILTER | 1 << spec.F_LISTENER_QUEUES

# Properties, the offered bits of OWN, and the number of listener queues.
OFFERS = [
    ("", OWN, 16), (",listener-queues=1", OWN, 1),
    (",listener-queues=64", OWN, 64),
    (",listener-queues=0", OWN & ~(1 << spec.F_LISTENER_QUEUES), 0),
    (",filter=off", 1 << spec.F_NIC_PCI, 0),
    (",filter=off,nic-pci=off,listener-queues=0", 0, 0),
    (",nic-pci=off", OWN & ~(1 << spec.F_NIC_PCI), 16)]


def offered(tap):
    """The features that a device offers, which depend on its properties."""
    for extra, bits, own in OFFERS:
        with Stage(capture_args=extra) as stage:
            cap, name = stage.cap, extra[1:] or "no property"
            tap.equal(cap.offered() & 0xffffff, bits,
                      f"{name}: the feature bits offered [CAP-DEV-FEAT-2]")
            tap.equal(cap.get("queues"), spec.NUM_VQS + own,
                      f"{name}: the number of queues")
            tap.equal(stage.machine.qmp(
                "qom-get", path="/machine/peripheral/cap",
                property="vectors"), spec.NUM_VQS + own + 1,
                      f"{name}: the number of MSI-X vectors")
            if own:
                tap.equal(cap.config_bytes(28)[24:],
                          bytes([own, 0, 0, 0]),
                          f"{name}: the configuration has the number of listener queues"
                          " [CAP-DEV-CFG-6]")
            cap.listen()
            stage.receive(frame(1))
            tap.equal([r.data for r in cap.wait_records(1)], [frame(1)],
                      f"{name}: a driver that knows no listener queues captures")


def negotiate(cap, *features):
    """Whether the device accepts a driver with these features."""
    cap.set("status", 0)
    cap.set("status", virtio_pci.ACKNOWLEDGE | virtio_pci.DRIVER)
    bits = sum(1 << bit for bit in features)
    for half in (0, 1):
        cap.set("driver_select", half)
        cap.set("driver_feature", bits >> 32 * half & 0xffffffff)
    cap.set("status", 11)
    return bool(cap.get("status") & virtio_pci.FEATURES_OK)


def refused(tap):
    """LISTENER_QUEUES without FILTER."""
    with Stage() as stage:
        tap.ok(not negotiate(stage.cap, VERSION_1, spec.F_LISTENER_QUEUES),
               "LISTENER_QUEUES without FILTER is refused [CAP-DEV-FEAT-2]")
        tap.ok(negotiate(stage.cap, *QUEUES),
               "LISTENER_QUEUES with FILTER is accepted")
        stage.cap.start()
        tap.equal(stage.cap.flush()[1:], (0, 0),
                  "neither LISTENER_QUEUES nor FILTER is accepted, too")


def commands(cap):
    """Returns the statuses of commands that depend on the features."""
    one = INSN.pack(*bpf.ACCEPT[0])
    tries = ((spec.C_LISTEN, LISTEN.pack(9, BOTH, NONE, 1)),
             (spec.C_FLUSH, b""), (spec.C_FLUSH, FLUSH.pack(1, 0)),
             (spec.C_FILTER, FILTER.pack(1, 0, 1, 0) + one),
             (spec.C_CLOCK, CLOCK.pack(0, 0, 0)))
    return [cap.control(command, body, 64) for command, body in tries]


def accepted(tap):
    """The status of commands with each set of accepted features."""
    ok, invalid, unknown = spec.E_OK, spec.E_INVALID, spec.E_UNKNOWN
    for name, features, statuses, size, captured in (
            ("none", (), (ok, ok, invalid, unknown, ok), 24, 0),
            ("FILTER", (spec.F_FILTER,), (ok, ok, invalid, ok, ok), 40, 0),
            ("both", QUEUES[1:], (ok, invalid, ok, ok, ok), 40, 1)):
        with Stage(buffers=0, features=(VERSION_1, *features)) as stage:
            cap = stage.cap
            cap.post(4096, listener=captured)
            got = commands(cap)
            tap.equal([status for status, _ in got], list(statuses),
                      f"{name}: the statuses of LISTEN, FLUSH and FILTER")
            tap.equal({len(rest) for status, rest in got[1:] if not status},
                      {size}, f"{name}: the size of the counters in replies")
            stage.receive(frame(1))
            cap.listen(0, listener=captured)
            tap.equal([r.data for r in cap.take_records(captured)],
                      [frame(1)[:9]],
                      f"{name}: the LISTEN executed was for listener {captured}")


def not_accepted(tap):
    """Listener queues that a driver sets up without the feature are not used."""
    with Stage(features=QUEUES) as stage:
        cap, machine = stage.cap, stage.machine
        queues = cap.queues
        cap.features = (VERSION_1,)
        cap.queue_count = lambda: len(queues)
        cap.start()
        cap.post(4096)
        cap.queue_of(1).add([], [(machine.allocate(4096), 4096)])
        cap.queue_of(1).kick()
        cap.control(spec.C_LISTEN, LISTEN.pack(65535, BOTH, 0, 1))
        stage.receive(frame(1))
        tap.equal([r.data for r in cap.wait_records(1)], [frame(1)],
                  "without LISTENER_QUEUES: frames come by the capture queue")
        tap.ok(cap.queue_of(1).take() is None,
               "without LISTENER_QUEUES: no listener's queue is used")


def no_queue(tap):
    """Listeners that do not exist, or whose queue the driver has not set up."""
    with Stage(features=QUEUES, capture_args=",listener-queues=3") as stage:
        cap = stage.cap
        for listener in (4, 64, 65, 0xffffffff):
            tap.equal(cap.listen(listener=listener), spec.E_INVALID,
                      f"LISTEN for listener {listener}, out of range, is refused"
                      " [CAP-DEV-LQ-2]")
        cap.queue_count = lambda: spec.NUM_VQS + 1
        cap.start(QUEUES)
        tap.equal([cap.listen(listener=n) for n in (0, 1, 2, 3)],
                  [0, 0, spec.E_INVALID, spec.E_INVALID],
                  "LISTEN for a listener whose queue is not enabled is refused"
                  " [CAP-DEV-LQ-2]")
        stage.receive(frame(1))
        tap.equal([cap.look(n)[1:] for n in (1, 2)],
                  [(0, 1, 1, 0), (0, 0, 0, 0)],
                  "FLUSH for each listener whose queue is enabled succeeds")


def crowd(tap):
    """All listeners at once, each with its own parameters."""
    with Stage(buffers=0, features=QUEUES) as stage:
        cap, count = stage.cap, stage.cap.listener_queues()
        cap.post(8192)
        cap.listen(delay=NONE)
        for n in range(1, count + 1):
            cap.post(96 * n, listener=n)
            cap.post(4096, listener=n)
            cap.listen(18 + n, (1 << n % 3) & BOTH or BOTH, NONE, n)
            cap.filter([(bpf.LDB_ABS, 0, 0, 17), (0x94, 0, 0, n),
                        (bpf.JEQ, 0, 1, 0), (bpf.RET_K, 0, 0, 100),
                        (bpf.RET_K, 0, 0, 0)], listener=n)
        frames = [frame(i, 60 + i) for i in range(12)]
        for i, data in enumerate(frames):
            (stage.send if i % 2 else stage.receive)(data)
        for n in range(1, count + 1):
            wishes = (1 << n % 3) & BOTH or BOTH
            seen = [i for i in range(12) if wishes >> i % 2 & 1]
            wanted = [i for i in seen if i % n == 0]
            counters = cap.look(n)
            cap.listen(0, listener=n)
            tap.equal((counters[1:4], [r.data for r in cap.take_records(n)]),
                      ((len(wanted), 0, len(seen)),
                       [frames[i][:18 + n] for i in wanted]),
                      f"listener {n} of {count}: it has its counts and its frames"
                      " [CAP-DEV-LQ-1]")
        cap.flush()
        tap.equal([r.data for r in cap.take_records()], frames,
                  f"{count} listeners: listener 0 captures all frames")


def reset(tap):
    """Reset of one listener's queue, and of the device."""
    features = (*QUEUES, RING_RESET)
    with Stage(buffers=0, features=features,
               capture_args=",listener-queues=2") as stage:
        cap = stage.cap
        for n in (1, 2):
            cap.post(4096, listener=n)
            cap.listen(delay=NONE, listener=n)
        cap.filter([(bpf.RET_K, 0, 0, 30)], listener=1)
        stage.receive(frame(1))
        cap.look(1)
        cap.queue_of(1).reset()
        stage.receive(frame(2))
        tap.equal([cap.look(n)[1:] for n in (1, 2)],
                  [(1, 1, 2, 0), (2, 0, 2, 0)],
                  "queue of a listener reset: its counts stay, and the queue is empty"
                  " [CAP-DEV-RST-3]")
        cap.post(4096, listener=1)
        stage.receive(frame(3))
        for n in (1, 2):
            cap.listen(0, listener=n)
        tap.equal([[r.data for r in cap.take_records(n)] for n in (1, 2)],
                  [[frame(3)[:30]], [frame(i) for i in (1, 2, 3)]],
                  "queue of a listener reset: the program stays, others go on")
        cap.post(4096, listener=1)
        cap.listen(delay=NONE, listener=1)
        stage.receive(frame(4))
        cap.start(features)
        tap.ok(not cap.tap_exists(), "device reset: the tap is gone")
        tap.equal(cap.look(1)[1:], (0, 0, 0, 0),
                  "device reset: the counts are zero")
        cap.post(4096, listener=1)
        cap.listen(delay=NONE, listener=1)
        stage.receive(frame(5))
        cap.listen(0, listener=1)
        tap.equal([r.data for r in cap.take_records(1)], [frame(5)],
                  "device reset: the program is gone")


def moved(tap):
    """Listeners migrate with the machine."""
    with Stage(buffers=0, features=QUEUES) as stage:
        cap = stage.cap
        for n, flags in ((1, spec.L_RECEIVED), (16, spec.L_RECEIVED
                                                | spec.L_NANOSECONDS)):
            cap.post(4096, listener=n)
            cap.post(4096, listener=n)
            cap.listen(20 + n, flags, 0 if n == 1 else NONE, n)
        cap.filter(bpf.compiled("ether[17] & 1 = 1"), listener=16)
        stage.receive(frame(1), frame(2))
        cap.look(16)
        with stage.moved() as target:
            cap = target.cap
            tap.equal([[r.data for r in cap.take_records(n)] for n in (1, 16)],
                      [[frame(1)[:21], frame(2)[:21]], [frame(1)[:36]]],
                      "migration: buffers in progress are completed, and in the target's queues")
            cap.post(4096, listener=1)
            low = cap.clock().clock
            target.receive(frame(3), frame(4), frame(5))
            tap.equal([cap.look(n)[1:4] for n in (0, 1, 2, 16)],
                      [(0, 0, 0), (5, 0, 5), (0, 0, 0), (3, 0, 5)],
                      "migration: the counts are the source's")
            cap.post(4096, listener=1)
            cap.queue_of(1).kick()
            found = cap.wait_records(3, 1)
            tap.equal([r.data for r in found],
                      [frame(i)[:21] for i in (3, 4, 5)],
                      "migration: delay and snapshot length are the source's")
            tap.equal(cap.take(16), None,
                      "migration: each listener has its own delay")
            cap.listen(0, listener=16)
            high = cap.clock().clock
            tap.equal([(r.data, low <= r.sec * 10 ** 9 + r.subsec <= high)
                       for r in cap.take_records(16)],
                      [(frame(i)[:36], True) for i in (3, 5)],
                      "migration: flags and program are the source's [CAP-DEV-MIG-2]")


def moved_again(tap):
    """Migration to a device with fewer queues, and from one without."""
    with Stage(buffers=0, features=QUEUES) as stage:
        stage.cap.post(4096, listener=3)
        stage.cap.listen(delay=NONE, listener=3)
        file = stage.save()
        for extra in (",listener-queues=2", ",listener-queues=0",
                      ",filter=off"):
            with Stage("-incoming", "defer", adopt=stage,
                       capture_args=extra) as target:
                target.machine.qmp("migrate-incoming", uri=f"exec:cat {file}")
                wait_for(lambda: target.machine.process.poll() is not None,
                         "end of QEMU")
                tap.equal(target.machine.process.returncode, 1,
                          f"{extra[1:]}: a state with other features is refused")
    with Stage(capture_args=",filter=off") as stage:
        stage.cap.listen(flags=spec.L_RECEIVED, delay=NONE)
        with stage.moved(capture_args=",listener-queues=0") as target:
            target.receive(frame(1))
            target.cap.flush()
            tap.equal([r.data for r in target.cap.take_records()], [frame(1)],
                      "a state without listener queues is loaded")


main = Tap()
main.run(offered, refused, accepted, not_accepted, no_queue, crowd, reset,
         moved, moved_again)
sys.exit(main.done())
