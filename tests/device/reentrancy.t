#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
A driver makes the device write to registers that reset, unplug or disturb it:
its own function level reset in ECAM, its bridge's bus reset, its slot's power,
its own BAR, another device. The device and the parts of QEMU that it uses run
under ASan.

Buffers and rings there are refused. Interrupts can be sent there and may reset
or unplug the device, but no memory is freed while it is in use.
"""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import q35  # noqa: E402
import sanitizer  # noqa: E402
from capture import CTRL, LISTEN, Capture, frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from virtio_pci import F_VERSION_1, NEXT, WRITE  # noqa: E402
from waiting import wait_for  # noqa: E402

ALL = b"\xff" * 6
LARGE = 40000                   # a used length that has bit 15

INDIRECT = 4
FEATURES = (F_VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)


def target(stage, name):
    """Returns the address of a register."""
    machine, cap = stage.machine, stage.cap
    return {"function reset": lambda: q35.function_reset(machine, cap.slot),
            "bus reset": lambda: q35.bus_reset(machine),
            "slot power": lambda: q35.power(machine),
            "own status": lambda: cap.common + 20,
            "NIC's status": lambda: stage.nic.common + 20}[name]()


TARGETS = ("function reset", "bus reset", "slot power", "own status",
           "NIC's status")


def ones(size=1500):
    """Returns a frame in which nearly all bits are ones."""
    return ALL + b"\xff" * (size - 6)


def capture_buffer(stage, where):
    """A capture buffer, completed on the NIC's path: in"""
    room = stage.machine.allocate(8192)
    stage.cap.captures.add([], [(room, 60), (where, 4), (room + 64, 2000)])
    stage.cap.listen(delay=spec.DELAY_NONE)
    for _ in range(3):
        stage.receive(ones())


def aged_buffer(stage, where):
    """A capture buffer, completed in a bottom half: in"""
    room = stage.machine.allocate(8192)
    stage.cap.captures.add([], [(room, 60), (where, 4), (room + 64, 8000)])
    stage.cap.listen()
    stage.receive(ones())


def used_ring(stage, where):
    """The first length in a used ring: in"""
    move_ring(stage, spec.VQ_CAPTURE, "queue_used", where - 8)
    stage.cap.captures.add([], [(stage.machine.allocate(LARGE), LARGE)])
    stage.cap.listen(delay=spec.DELAY_NONE)
    for _ in range(LARGE // 1024):
        stage.receive(ones())


def move_ring(stage, queue, ring, where):
    """Moves a ring to the address of registers. It is no larger than these: QEMU
    itself would refuse a larger ring."""
    stage.cap.set("queue_select", queue)
    stage.cap.set("queue_size", min(256, stage.cap.get("queue_size")))
    stage.cap.set(ring, where)
    stage.cap.set("queue_enable", 1)


def control_reply(stage, where):
    """The counters of a reply to FLUSH: in"""
    cap = stage.cap
    stage.machine.write(cap.request, CTRL.pack(spec.C_FLUSH, 0))
    cap.controls.add([(cap.request, 8)],
                     [(cap.answer, 8), (where, 4), (cap.answer + 8, 20)])
    cap.controls.kick()


def inject_reply(stage, where):
    """A reply to an injected frame: in"""
    request = stage.machine.allocate(256)
    stage.machine.write(request, bytes(8) + frame(1))
    stage.cap.queues[2].add([(request, 68)], [(where, 4), (request + 128, 8)])
    stage.cap.queues[2].kick()


def inject_frame(stage, where):
    """An injected frame, which is only read: in"""
    request = stage.machine.allocate(256)
    stage.cap.queues[2].add([(request, 68), (where, 4)], [(request + 128, 8)])
    stage.cap.queues[2].kick()


def avail_ring(stage, where):
    """An available ring: in"""
    move_ring(stage, spec.VQ_CONTROL, "queue_avail", where & ~1)
    stage.cap.controls.kick()


def descriptors(stage, where):
    """Descriptors: in"""
    stage.cap.listen()
    move_ring(stage, spec.VQ_CAPTURE, "queue_desc", where & ~15)
    stage.receive(frame(1))


def through_a_table(stage, where):
    """A capture buffer of an indirect table: in"""
    machine, queue = stage.machine, stage.cap.captures
    table = machine.allocate(4096)
    machine.write(table, struct.pack("<QIHHQIHH", table + 64, 60,
                                     NEXT | WRITE, 1, where, 4, WRITE, 0))
    index = queue.add([], [(table, 32)])
    machine.put("w", queue.desc + 16 * index + 12, INDIRECT)
    stage.cap.listen()
    stage.receive(frame(1))


def own_queue(stage):
    """Starts a driver with listener queues; returns that of listener 1."""
    stage.cap.start(FEATURES)
    return stage.cap.queue_of(1)


def own_buffer(stage, where):
    """A listener's own buffer: in"""
    room = stage.machine.allocate(8192)
    own_queue(stage).add([], [(room, 60), (where, 4), (room + 64, 2000)])
    stage.cap.listen(delay=spec.DELAY_NONE, listener=1)
    for _ in range(3):
        stage.receive(ones())


def own_given_back(stage, where):
    """A listener's own buffer that is given back: in"""
    room = stage.machine.allocate(8192)
    queue = own_queue(stage)
    stage.cap.listen(delay=spec.DELAY_NONE, listener=1)
    queue.add([], [(room, 60), (where, 4)])
    queue.add([(where, 4)], [(room, 60)])
    stage.cap.submit(CTRL.pack(spec.C_LISTEN, 0)
                     + LISTEN.pack(0, spec.L_ALL, 0, 1), 8)
    stage.cap.controls.kick()


def own_used_ring(stage, where):
    """The used ring of a listener's own queue: in"""
    queue = own_queue(stage)
    move_ring(stage, queue.index, "queue_used", where - 8)
    queue.add([], [(stage.machine.allocate(2048), 2048)])
    queue.add([], [(stage.machine.allocate(2048), 2048)])
    stage.cap.listen(delay=0, listener=1)
    stage.receive(ones())


SOURCES = (capture_buffer, aged_buffer, used_ring, control_reply, inject_reply,
           inject_frame, avail_ring, descriptors, through_a_table, own_buffer,
           own_given_back, own_used_ring)


def works(stage):
    """Whether the NIC and a new driver of the device work afterwards."""
    machine = stage.machine
    machine.put("w", q35.bus_reset(machine), 0)
    stage.link.send(frame(1))
    while stage.nic.receive() != frame(1):
        pass                    # earlier frames
    stage.send(frame(2))
    stage.cap = Capture(machine, buffers=1, size=4096)
    stage.cap.listen()
    stage.receive(frame(3))
    return [r.data for r in stage.cap.wait_records(1)] == [frame(3)]


def ends_well(tap, stage):
    """Checks that ASan reports nothing."""
    status = stage.machine.close()
    said = (stage.machine.folder / "log").read_text(errors="replace")
    tap.ok(status == 0 and not sanitizer.complaint(said),
           "QEMU ends well, and no memory was misused [CAP-DEV-SEC-5]",
           status, said[-6000:])


def refused(tap):
    """Buffers and rings outside of RAM, one after another in a machine."""
    for name in TARGETS:
        with stage_of(buffers=0) as stage:
            for source in SOURCES:
                source(stage, target(stage, name))
                wait_for(stage.cap.broken,
                         f"{source.__name__}, {name}: needs a reset")
                tap.ok(works(stage),
                       f"{source.__doc__} {name}: works only after a reset"
                       " [CAP-DEV-SEC-4]")
                stage.cap.start()
            ends_well(tap, stage)


def stage_of(**keywords):
    """Returns a Stage: a q35 machine with the device under ASan."""
    return Stage(plugin=sanitizer.PLUGIN, **q35.stage_options(
        ",listener-queues=1"), **keywords)


def interrupt_capture(stage):
    """The interrupt of a buffer completed on the NIC's path: to"""
    stage.cap.set("queue_select", spec.VQ_CAPTURE)
    stage.cap.set("queue_vector", 0)
    stage.cap.listen(delay=spec.DELAY_NONE)
    for _ in range(6):
        stage.link.send(ones())


def interrupt_control(stage):
    """The interrupt of a command's reply: to"""
    stage.cap.set("queue_select", spec.VQ_CONTROL)
    stage.cap.set("queue_vector", 0)
    for _ in range(3):
        stage.cap.submit(CTRL.pack(spec.C_CLOCK, 0), 32)
    stage.cap.controls.kick()


def interrupt_inject(stage):
    """The interrupt of an injected frame: to"""
    stage.cap.set("queue_select", spec.VQ_INJECT)
    stage.cap.set("queue_vector", 0)
    request = stage.machine.allocate(256)
    stage.machine.write(request, bytes(8) + frame(1))
    for _ in range(3):
        stage.cap.queues[2].add([(request, 68)], [(request + 128, 8)])
    stage.cap.queues[2].kick()
    stage.link.receive()


def interrupt_fault(stage):
    """The interrupt of a fault found on the NIC's path: to"""
    stage.cap.set("config_vector", 0)
    stage.cap.captures.add([], [(stage.cap.answer, 0)])
    stage.cap.listen(delay=spec.DELAY_NONE)
    for _ in range(8):
        stage.link.send(ones())


def interrupt_own(stage):
    """The interrupt of a listener's own queue: to"""
    queue = own_queue(stage)
    stage.cap.set("queue_select", queue.index)
    stage.cap.set("queue_vector", 0)
    for _ in range(3):
        queue.add([], [(stage.machine.allocate(4096), 4096)])
    stage.cap.listen(delay=spec.DELAY_NONE, listener=1)
    for _ in range(6):
        stage.link.send(ones())


def interrupt_given_back(stage):
    """The interrupt of a listener's buffers that are given back: to"""
    queue = own_queue(stage)
    stage.cap.set("queue_select", queue.index)
    stage.cap.set("queue_vector", 0)
    stage.cap.listen(delay=spec.DELAY_NONE, listener=1)
    for _ in range(3):
        queue.add([], [(stage.machine.allocate(4096), 4096)])
    stage.cap.submit(CTRL.pack(spec.C_LISTEN, 0)
                     + LISTEN.pack(0, spec.L_ALL, 0, 1), 8)
    stage.cap.controls.kick()


INTERRUPTS = (interrupt_capture, interrupt_control, interrupt_inject,
              interrupt_fault, interrupt_own, interrupt_given_back)


def interrupts(tap):
    """MSI-X messages from each source to each register."""
    for name in TARGETS:
        for source in INTERRUPTS:
            with stage_of(buffers=3, size=4096) as stage:
                interrupt(tap, stage, name, source)
                ends_well(tap, stage)


def interrupt(tap, stage, name, source):
    """An MSI-X message from one source to one register."""
    machine, slot = stage.machine, stage.cap.slot
    where = target(stage, name)
    # A message is 4 bytes at a multiple of 4.
    data = 0 if "status" in name else 0xffff << 8 * (where & 3)
    q35.set_msix(stage.cap, 0, where & ~3, data & 0xffffffff)
    source(stage)
    wait_for(lambda: happened(stage, name), f"{source.__name__}: {name}")
    drain(stage)
    if name == "slot power":
        machine.qmp.event("DEVICE_DELETED")
        tap.equal(machine.pci_get("l", slot, 0), 0xffffffff,
                  f"{source.__doc__} {name}, which unplugs it [CAP-DEV-SEC-5]")
        machine.qmp("query-status")
        stage.send(frame(2))
    else:
        if name == "NIC's status":
            stage.nic = type(stage.nic)(machine)
        tap.ok(works(stage),
               f"{source.__doc__} {name}: the NIC and a driver work afterwards")


def happened(stage, name):
    """Whether the message has had its effect; True if that is not visible."""
    machine = stage.machine
    for _ in range(5):
        machine.qmp("query-status")
    if name == "slot power":
        return machine.pci_get("l", stage.cap.slot, 0) == 0xffffffff
    if name == "NIC's status":
        return stage.nic.get("status") == 0
    if name == "own status":
        return True             # re-entrant writes have no effect
    return machine.pci_get("w", stage.cap.slot, 4) & 6 == 0


def drain(stage):
    """Receives the frames that are on their way to the NIC or from it."""
    for _ in range(5):
        stage.machine.qmp("query-status")
    stage.nic.drain()
    while not stage.link.empty():
        stage.link.receive()


def check(tap):
    """Runs all tests if the device can be built with ASan."""
    complaints = sanitizer.build()
    if tap.ok(not complaints, "the device is built with sanitizers",
              complaints):
        sanitizer.preload()
        tap.run(refused, interrupts)


main = Tap()
main.run(check)
sys.exit(main.done())
