#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Queues of all sizes, and descriptors of all kinds, valid and invalid."""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import virtio_pci  # noqa: E402
from capture import CTRL, LISTEN, BOTH, frame, spec  # noqa: E402
from emulator import RAM  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

NONE = spec.DELAY_NONE
VERSION_1 = virtio_pci.F_VERSION_1
F_INDIRECT = 28
NEXT, WRITE, INDIRECT = 1, 2, 4

FLUSH = CTRL.pack(spec.C_FLUSH, 0)
NOWHERE = 1 << 40


def start(cap, sizes=None, features=(VERSION_1,)):
    """Initialises the device with queues of these sizes."""
    cap.set("status", 0)
    cap.set("status", 3)
    for half in (0, 1):
        cap.set("driver_select", half)
        cap.set("driver_feature", sum(1 << bit for bit in features)
                >> 32 * half & 0xffffffff)
    cap.set("status", 11)
    for index, size in enumerate(sizes or []):
        cap.set("queue_select", index)
        cap.set("queue_size", size)
    cap.queues = [virtio_pci.Queue(cap, index)
                  for index in range(spec.NUM_VQS)]
    cap.set("status", 15)


def table(descriptors):
    """Returns descriptors (address, length, flags, next) as bytes."""
    return b"".join(struct.pack("<QIHH", *each) for each in descriptors)


def offer(queue, descriptors, head=0):
    """Makes a chain of these descriptors available."""
    queue.machine.write(queue.desc, table(descriptors))
    queue.machine.put("w", queue.avail + 4 + 2 * (queue.added % queue.size),
                      head)
    queue.added += 1
    queue.machine.put("w", queue.avail + 2, queue.added & 0xffff)


def captures(tap, stage, number, name):
    """Checks that the device captures."""
    stage.cap.post(4096)
    stage.cap.listen()
    stage.receive(frame(number))
    tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(number)],
              name)


def sizes(tap):
    """The smallest queues and the largest."""
    for size in (1, 2, 1024):
        with Stage(buffers=0) as stage:
            cap = stage.cap
            # A command has two descriptors, as has an inject buffer.
            start(cap, [size, max(size, 2), max(size, 2)])
            tap.equal(cap.captures.size, size,
                      f"queue size {size} is accepted")
            cap.listen()
            for i in range(5):
                cap.post(4096)
                stage.receive(frame(i))
                found = cap.wait_records(1)
                if [r.data for r in found] != [frame(i)]:
                    tap.ok(False, f"queue size {size}: frame {i} is captured",
                           found)
            tap.equal(cap.flush()[1:], (5, 0),
                      f"queue size {size}: frames are captured five times around the ring")
    with Stage(buffers=0) as stage:
        cap = stage.cap
        start(cap, [1024, 1024, 1024])
        for _ in range(1024):
            cap.post(96)
        cap.listen()
        for first in range(0, 1024, 16):
            stage.receive(*[frame(first + i) for i in range(16)])
        tap.equal(cap.flush()[1:], (1024, 0),
                  "1024 buffers for 1024 frames: none is dropped [CAP-DEV-LOSS-2]")
        tap.equal([r.data for r in cap.take_records()],
                  [frame(i) for i in range(1024)],
                  "1024 buffers are used in their order [CAP-DEV-BUF-1]")
    with Stage() as stage:
        for size in (3, 2048, 65535):
            stage.cap.set("status", 0)
            stage.cap.set("queue_select", 0)
            stage.cap.set("queue_size", size)
            tap.ok(stage.machine.alive(), f"queue size {size}: QEMU goes on")
        start(stage.cap)
        captures(tap, stage, 1, "refused queue sizes: captures after a reset")


def one_descriptor(tap):
    """A control queue of one descriptor: only an indirect table fits."""
    with Stage() as stage:
        cap = stage.cap
        start(cap, [256, 1, 1], (VERSION_1, F_INDIRECT))
        where = stage.machine.allocate(64)
        stage.machine.write(cap.request, FLUSH)
        stage.machine.write(where, table([(cap.request, 8, NEXT, 1),
                                          (cap.answer, 32, WRITE, 0)]))
        offer(cap.controls, [(where, 32, INDIRECT, 0)])
        cap.controls.kick()
        wait_for(lambda: stage.machine.get("w", cap.controls.used + 2) == 1,
                 "reply")
        tap.equal(stage.machine.read(cap.controls.used + 4, 8),
                  struct.pack("<II", 0, 32),
                  "FLUSH in an indirect table succeeds")


def indirect(tap):
    """A capture buffer of many parts, in an indirect table."""
    with Stage(buffers=0) as stage:
        cap, machine = stage.cap, stage.machine
        start(cap, None, (VERSION_1, F_INDIRECT))
        where, data = machine.allocate(16 * 64), machine.allocate(64 * 8)
        machine.write(where, table([
            (data + 8 * i, 8, WRITE | (NEXT if i < 63 else 0), (i + 1) % 64)
            for i in range(64)]))
        offer(cap.captures, [(where, 16 * 64, INDIRECT, 0)])
        cap.listen(delay=NONE)
        stage.receive(frame(1, 100))
        cap.flush()
        tap.equal(machine.read(data + 32, 100), frame(1, 100),
                  "capture buffer of 64 parts of 8 bytes has the frame")


def chained(queue, count, address, last):
    """Returns a chain of count writable descriptors; the last has other flags."""
    return [(address, 64, WRITE | (NEXT if i < count - 1 else last),
             (i + 1) % count) for i in range(count)]


def bad_chains(cap, where):
    """Returns (name, queue, descriptors) of invalid chains."""
    yield "a loop in the capture queue", cap.captures, \
        chained(cap.captures, 3, where, NEXT)
    yield "a loop of one", cap.captures, [(where, 4096, WRITE | NEXT, 0)]
    yield "a next descriptor outside", cap.captures, \
        [(where, 4096, WRITE | NEXT, 9999)]
    yield "writable before readable", cap.controls, \
        [(cap.answer, 32, WRITE | NEXT, 1), (cap.request, 8, 0, 0)]
    yield "beyond memory", cap.captures, [(NOWHERE, 4096, WRITE, 0)]
    yield "across the end of memory", cap.captures, \
        [(RAM - 64, 4096, WRITE, 0)]
    yield "at the end of addresses", cap.captures, \
        [(2 ** 64 - 64, 4096, WRITE, 0)]
    yield "4 GiB long", cap.captures, [(where, 0xffffffff, WRITE, 0)]
    yield "a readable capture buffer", cap.captures, [(where, 4096, 0, 0)]
    yield "a control buffer beyond memory", cap.controls, \
        [(NOWHERE, 8, NEXT, 1), (NOWHERE, 32, WRITE, 0)]
    yield "a reply beyond memory", cap.controls, \
        [(cap.request, 8, NEXT, 1), (NOWHERE, 32, WRITE, 0)]
    yield "a read-only reply [CAP-DEV-CTRL-6]", cap.controls, \
        [(cap.request, 8, NEXT, 1), (cap.answer, 32, 0, 0)]
    yield "a loop in the inject queue", cap.queues[2], \
        [(where, 8, NEXT, 1), (where, 60, NEXT, 0)]
    yield "an inject buffer beyond memory", cap.queues[2], \
        [(NOWHERE, 68, NEXT, 1), (where, 8, WRITE, 0)]
    yield "no reply to an injection", cap.queues[2], [(where, 68, 0, 0)]


def bad_tables(cap, where):
    """Returns (name, table, descriptor) of invalid indirect tables at an address."""
    good = table([(cap.answer, 4096, WRITE, 0)])
    yield "a table of 17 bytes", good, (where, 17, INDIRECT, 0)
    yield "a table of no bytes", good, (where, 0, INDIRECT, 0)
    yield "a table beyond memory", good, (NOWHERE, 16, INDIRECT, 0)
    yield "a table across the end of memory", good, \
        (RAM - 8, 32, INDIRECT, 0)
    yield "a table in a table", table([(where, 16, INDIRECT, 0)]), \
        (where, 16, INDIRECT, 0)
    yield "a loop in a table", table([(cap.answer, 64, WRITE | NEXT, 1),
                                      (cap.answer, 64, WRITE | NEXT, 0)]), \
        (where, 32, INDIRECT, 0)
    yield "a next one outside a table", \
        table([(cap.answer, 64, WRITE | NEXT, 500)]), (where, 16, INDIRECT, 0)
    yield "a table of 2^28 descriptors", good, \
        (where, 0xfffffff0, INDIRECT, 0)
    yield "a table that is also a link", good, \
        (where, 16, INDIRECT | NEXT, 0)


def survives(tap, name, stage, act):
    """Checks that QEMU and the NIC still work, and the device after a reset."""
    act()
    stage.link.send(frame(1))
    stage.nic.receive()
    stage.machine.qmp("query-status")
    broken = stage.cap.broken()
    while not stage.link.empty():       # injected from outside RAM
        tap.ok(not any(stage.link.receive()[1:]),
               f"{name}: a frame of zeros is sent [CAP-DEV-SEC-3]")
    stage.send(frame(2))
    state = ", the device needs a reset" if broken else ""
    tap.ok(stage.machine.alive(),
           f"{name}: QEMU goes on{state} [CAP-DEV-TAP-1 CAP-DEV-RST-2]")
    start(stage.cap)
    tap.ok(not stage.cap.broken(),
           f"{name}: the device works after a reset [CAP-DEV-SEC-2]")
    captures(tap, stage, 3, f"{name}: it captures again")


def bad(tap):
    """Invalid chains and tables, one after another in one machine."""
    with Stage(buffers=0) as stage:
        cap = stage.cap
        where = stage.machine.allocate(8192)
        count = len(list(bad_chains(cap, where)))
        for number in range(count):
            name, queue, descriptors = list(bad_chains(cap, where))[number]

            def act(queue=queue, descriptors=descriptors):
                stage.machine.write(cap.request, FLUSH)
                cap.listen(delay=0)
                offer(queue, descriptors)
                queue.kick()
            survives(tap, name, stage, act)
    with Stage(buffers=0) as stage:
        cap = stage.cap
        where = stage.machine.allocate(8192)
        for name, content, descriptor in list(bad_tables(cap, where)):
            def act(content=content, descriptor=descriptor):
                start(cap, None, (VERSION_1, F_INDIRECT))
                stage.machine.write(where, content)
                cap.listen(delay=0)
                offer(cap.captures, [descriptor])
            survives(tap, name, stage, act)


def bad_rings(tap):
    """Rings outside RAM, and indices out of range."""
    with Stage(buffers=0) as stage:
        cap = stage.cap
        for name in ("queue_desc", "queue_avail", "queue_used"):
            for index in range(spec.NUM_VQS):
                def act(name=name, index=index):
                    cap.set("status", 0)
                    cap.set("status", 3)
                    cap.set("driver_select", 1)
                    cap.set("driver_feature", 1)
                    cap.set("status", 11)
                    for queue in cap.queues:
                        queue._enable()
                    cap.set("queue_select", index)
                    cap.set(name, NOWHERE)
                    cap.set("queue_enable", 1)
                    cap.set("status", 15)
                    for queue in cap.queues:
                        offer(queue, [(cap.request, 4096, WRITE, 0)])
                        queue.kick()
                survives(tap, f"{name} of queue {index} nowhere", stage, act)
        for index in range(spec.NUM_VQS):
            def heads(index=index):
                queue = cap.queues[index]
                offer(queue, [(cap.request, 64, WRITE, 0)], 5000)
                cap.queues[1].kick()
                queue.kick()
            survives(tap, f"head 5000 in queue {index}", stage, heads)


def notifications(tap):
    """Notifications in any order, too many, too few, and of queues that do not exist."""
    for extra in ("", ",ioeventfd=off"):
        with Stage(buffers=0, capture_args=extra) as stage:
            cap, machine = stage.cap, stage.machine
            for queue in (*cap.queues, *reversed(cap.queues)):
                queue.kick()
            machine.commands(*[queue.kick_line() for _ in range(50)
                               for queue in cap.queues])
            for address, value in ((cap.notify, 3), (cap.notify, 0xffff),
                                   (cap.notify + 4 * 3, 0),
                                   (cap.notify + 4 * 1000, 1)):
                machine.command(f"writew {address} {value}")
            tap.ok(machine.alive() and not cap.broken(),
                   f"notifications of empty queues{extra}: no reset is needed")
            tap.equal(cap.listen(delay=NONE), spec.E_OK,
                      f"notifications of empty queues{extra}: LISTEN succeeds")
            cap.captures.kick()
            cap.post(4096)
            stage.receive(frame(1))
            machine.commands(*[cap.captures.kick_line()] * 20,
                             *[cap.queues[2].kick_line()] * 20)
            tap.ok(cap.take() is None,
                   f"notifications of empty queues{extra}: no buffer is completed"
                   " [CAP-DEV-BUF-4]")
            cap.submit(FLUSH, 32)
            machine.commands(*[cap.captures.kick_line(),
                               cap.controls.kick_line()] * 20)
            tap.equal(cap.result()[0], spec.E_OK,
                      f"notifications of empty queues{extra}: FLUSH is answered once")
            tap.equal([r.data for r in cap.take_records()], [frame(1)],
                      f"notifications of empty queues{extra}: the buffer has its frame")
            cap.set("status", 0)
            for queue in cap.queues:
                queue.kick()
            tap.ok(machine.alive(),
                   f"notifications after a reset{extra}: QEMU goes on")
            start(cap)
            captures(tap, stage, 2, f"notifications after a reset{extra}: captures when started")


def queue_reset(tap):
    """Each queue is reset while it holds buffers, and without DRIVER_OK."""
    features = (VERSION_1, virtio_pci.F_RING_RESET)
    for index in range(spec.NUM_VQS):
        with Stage() as stage:
            cap = stage.cap
            cap.start(features)
            for _ in range(4):
                cap.post(4096)
            cap.listen(delay=NONE)
            stage.receive(frame(1))
            cap.wait_counted(1)
            for _ in range(3):
                cap.queues[index].reset()
            tap.equal(cap.flush()[1:], (1, 0),
                      f"queue {index} reset: the counts stay")
            cap.post(4096)
            stage.receive(frame(2))
            cap.flush()
            found = [r.data for r in cap.take_records()]
            tap.equal(found, [frame(2)] if index == 0 else
                      [frame(1), frame(2)],
                      f"queue {index} reset: the other queues go on [CAP-DEV-RST-3]")
            cap.set("queue_select", 77)
            cap.set("queue_reset", 1)
            tap.ok(stage.machine.alive(),
                   f"queue {index} reset, then one that does not exist: QEMU goes on")


def listen_bytes(tap):
    """LISTEN cut to every length, and longer than defined."""
    whole = CTRL.pack(spec.C_LISTEN, 0) + LISTEN.pack(64, BOTH, 0, 0)
    with Stage() as stage:
        wrong = []
        for length in range(1, 40):
            request = (whole + bytes(64))[:length]
            stage.cap.submit(request, 32, parts=3)
            stage.cap.controls.kick()
            status = stage.cap.result()[0]
            if status != (spec.E_OK if length == 24 else spec.E_INVALID):
                wrong.append((length, status))
            if length < 24 and stage.cap.tap_exists():
                wrong.append(length)
        tap.equal(wrong, [],
                  "FLUSH's reply needs room for 39 bytes [CAP-DEV-CTRL-4]")
        wrong = []
        for command in (0, *range(4, 300), 0x01000000, 0xffffffff):
            status = stage.cap.control(command, bytes(16))[0]
            if status != spec.E_UNKNOWN:
                wrong.append((command, status))
        tap.equal(wrong, [],
                  "299 commands that do not exist are unknown [CAP-DEV-CTRL-3]")


main = Tap()
main.run(sizes, one_descriptor, indirect, bad, bad_rings, notifications,
         queue_reset, listen_bytes)
sys.exit(main.done())
