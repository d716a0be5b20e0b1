#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random descriptors, rings, interrupts, commands, register writes and frames for
the device, while the host switches capture off and on. The device runs under ASan
and UBSan in a stock QEMU, as a PCI device and behind a PCIe root port: QEMU neither
exits nor hangs, and after a reset the device works. FUZZ_SECONDS sets the duration,
FUZZ_SEED the seed."""
import random
import struct
import sys
import time

import fuzzing
from tap import Tap

import bpf
import capture
import emulator
import nics
import q35
import qtest
import sanitizer
from capture import (CLOCK, CTRL, FILTER, FLUSH, INSN, LISTEN, frame,
                     spec)
from stage import Stage

SECONDS = fuzzing.seconds()

NEXT, WRITE, INDIRECT = 1, 2, 4
LENGTHS = [0, 1, 7, 8, 14, 16, 22, 24, 31, 32, 39, 40, 60, 68, 96, 127, 1514,
           1522, 4096, 65536, 1 << 20, 0x7fffffff, 0xffffffff]
AREA = 1 << 20
OWN_QUEUES = 3
QUEUES = spec.NUM_VQS + OWN_QUEUES
ARGS = f",listener-queues={OWN_QUEUES}"
FEATURES = (32, spec.F_FILTER, spec.F_LISTENER_QUEUES)

# With eventfds, without them, and behind a root port.
MACHINES = {"": {"capture_args": ARGS},
            ",ioeventfd=off": {"capture_args": ARGS + ",ioeventfd=off"},
            "q35": q35.stage_options(ARGS)}

# Mostly existing listeners and the first that does not exist.
LISTENERS = [*range(OWN_QUEUES + 2)] * 8 + [64, 65, 0x80000000, 0xffffffff]


class Fuzzer:
    """Random operations on one machine."""

    def __init__(self, stage, rng):
        self.stage, self.rng = stage, rng
        self.cap, self.machine = stage.cap, stage.machine
        self.area = self.machine.allocate(AREA)
        self.slot = self.cap.slot
        self.sizes = [queue.size for queue in self.cap.queues]
        self.port = self.machine.pci_find(*q35.ROOT_PORT)
        self.resets = []
        if self.port is not None:
            self.resets = [q35.function_reset(self.machine, self.slot),
                           q35.bus_reset(self.machine),
                           q35.ecam(self.port, q35.BRIDGE_CONTROL - 2)]
        self.count = 0
        self.operations = [
            (12, self.chain), (4, self.command), (4, self.buffer),
            (3, self.injection), (6, self.kick), (4, self.frames),
            (2, self.register), (1, self.scribble), (1, self.queue_reset),
            (1, self.stop), (1, self.link), (1, self.switch),
            (2, self.interrupts), (3, self.restart)]
        self.weights, self.actions = zip(*self.operations)

    def address(self):
        """Mostly an address in the fuzzer's memory, sometimes an invalid one, a
        ring or a register."""
        cap, rng = self.cap, self.rng
        if rng.random() < 0.8:
            return self.area + rng.randrange(AREA - 65536)
        return rng.choice([0, emulator.RAM - 8, emulator.RAM, 1 << 40, 1 << 63,
                           (1 << 64) - 16, cap.captures.desc,
                           cap.captures.used, cap.controls.avail,
                           *[self.register_address() for _ in range(5)]])

    def register_address(self):
        """The address of a register of the device, its port or the NIC; on a PC
        without ECAM, some of these are unmapped."""
        cap, rng = self.cap, self.rng
        places = [cap.common, cap.common + 20, cap.notify, cap.config,
                  cap.common + rng.randrange(4096),
                  self.stage.nic.common + rng.randrange(19),
                  q35.ecam(self.slot, rng.randrange(256))]
        return rng.choice(places + self.resets)

    def descriptor(self, last=False):
        """A random descriptor, mostly plausible."""
        rng = self.rng
        if rng.random() < 0.05:
            flags = rng.randrange(1 << 16)
        else:
            flags = rng.choice([0, WRITE, WRITE]) | \
                (0 if last else rng.choice([0, NEXT])) | \
                rng.choice([0] * 8 + [INDIRECT])
        return struct.pack("<QIHH", self.address(), rng.choice(LENGTHS), flags,
                           rng.randrange(9) if rng.random() < 0.95 else
                           rng.randrange(1 << 16))

    def offer(self, queue, head):
        """Make one more buffer available."""
        self.machine.put("w", queue.avail + 4
                         + 2 * (queue.added % queue.size), head)
        queue.added += 1
        self.machine.put("w", queue.avail + 2, queue.added & 0xffff)

    def good(self, queue, readable, room):
        """Make a valid buffer available, with descriptors 20 and 21."""
        where = self.area + self.rng.randrange(64) * 4096
        self.machine.write(where, readable)
        parts = [(where, len(readable), 0)] if readable else []
        if room:
            parts.append((where + 2048, room, WRITE))
        self.machine.write(queue.desc + 16 * 20, b"".join(
            struct.pack("<QIHH", address, length,
                        flags | (NEXT if i + 1 < len(parts) else 0), 21 + i)
            for i, (address, length, flags) in enumerate(parts)))
        self.offer(queue, 20)

    # Operations.

    def chain(self):
        """Random descriptors in a queue or an indirect table."""
        rng, queue = self.rng, self.rng.choice(self.cap.queues)
        where = queue.desc if rng.random() < 0.9 else self.address()
        if where < emulator.RAM - 4096:
            self.machine.write(where, b"".join(
                self.descriptor(i == 8) for i in range(9)))
        for _ in range(rng.choice([1, 1, 2, 5])):
            self.offer(queue, rng.randrange(9) if rng.random() < 0.98 else
                       rng.randrange(1 << 16))

    def program(self):
        """The body of FILTER, with a valid or an invalid program."""
        rng = self.rng
        insns = bpf.random_program(rng) if rng.random() < 0.7 else [
            (rng.getrandbits(16), rng.getrandbits(8), rng.getrandbits(8),
             rng.getrandbits(32)) for _ in range(rng.choice([0, 1, 9]))]
        count = len(insns) if rng.random() < 0.9 else rng.getrandbits(32)
        return FILTER.pack(rng.choice(LISTENERS), rng.choice([0, 0, 1, 2]),
                           count, 0) + b"".join(INSN.pack(*one)
                                                for one in insns)

    def command(self):
        """A command: valid, corrupted or truncated."""
        rng = self.rng
        bodies = {
            1: LISTEN.pack(rng.choice([0, 0, 1, 64, 65535, 0xffffffff]),
                           rng.randrange(17),
                           rng.choice([0, 0, 1, 100, 0xffffffff]),
                           rng.choice(LISTENERS)),
            2: rng.choice([b"", FLUSH.pack(rng.choice(LISTENERS),
                                           rng.choice([0, 0, 1, 2, 3, 4]))]),
            3: CLOCK.pack(rng.randrange(-2 ** 63, 2 ** 63), rng.randrange(3),
                          0),
            4: self.program()}
        number = rng.choice([1, 1, 1, 2, 2, 2, 3, 4, 4])
        data = bytearray(CTRL.pack(number, 0) + bodies[number])
        if rng.random() < 0.1:
            data[0] = rng.choice([0, 1, 2, 3, 4, 5, 9])
        if rng.random() < 0.1:
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.1:
            del data[rng.randrange(len(data)):]
        self.good(self.cap.controls, bytes(data),
                  rng.choice([48] * 8 + [0, 7, 8, 31, 32, 47, 64]))
        if rng.random() < 0.7:
            self.cap.controls.kick()

    def buffer(self):
        """A capture buffer, of any listener."""
        queue = self.cap.queue_of(self.rng.randrange(OWN_QUEUES + 1))
        self.good(queue, b"",
                  self.rng.choice([40, 96, 120, 1000, 2048, 65536]))
        if self.rng.random() < 0.3:
            queue.kick()

    def injection(self):
        """A frame to send."""
        rng = self.rng
        data = struct.pack("<II", rng.choice([0, 1, 2, 3, 3, 4]), 0)
        data += frame(rng.randrange(99), rng.choice([18, 60, 600, 1514, 1600]))
        self.good(self.cap.queues[2], data, rng.choice([8] * 9 + [7]))
        self.cap.queues[2].kick()

    def kick(self):
        """Notifications of queues, some of which do not exist."""
        rng = self.rng
        self.machine.commands(*[
            f"writew {self.cap.notify + 4 * rng.randrange(QUEUES + 1)} "
            f"{rng.randrange(QUEUES + 1)}" for _ in range(rng.choice([1, 2, 20]))])
        for queue in self.cap.queues:
            queue.kick()

    def frames(self):
        """Frames for the NIC."""
        for _ in range(self.rng.choice([1, 1, 4])):
            self.stage.link.send(frame(1, self.rng.choice([18, 60, 61, 1514])))
        self.drain()

    def drain(self):
        """Receive frames from the NIC and the link, to make room."""
        self.machine.qmp("query-status")
        self.stage.nic.drain()
        while not self.stage.link.empty():
            self.stage.link.receive()

    def register(self):
        """Write a value to a register of the device."""
        rng = self.rng
        width = rng.choice("bwl")
        if rng.random() < 0.5:
            self.cap.set("queue_select", rng.randrange(QUEUES + 1))
        self.machine.put(width, self.cap.common + rng.randrange(60),
                         rng.choice([0, 1, 15, 255, rng.randrange(256)]))

    def scribble(self):
        """Random bytes in a ring."""
        rng, queue = self.rng, self.rng.choice(self.cap.queues)
        self.machine.write(rng.choice([queue.desc, queue.avail, queue.used])
                           + rng.randrange(64), rng.randbytes(16))

    def queue_reset(self):
        """Reset one queue and enable it, perhaps at other addresses."""
        cap, rng = self.cap, self.rng
        queue = rng.choice(cap.queues)
        cap.set("queue_select", queue.index)
        cap.set("queue_reset", 1)
        if rng.random() < 0.8:
            queue._enable()
        else:
            cap.set(rng.choice(["queue_desc", "queue_avail", "queue_used"]),
                    self.address() & ~15)
            cap.set("queue_enable", 1)

    def stop(self):
        """Stop and continue the machine."""
        self.machine.qmp("stop")
        self.machine.qmp("cont")

    def link(self):
        """Set the NIC's link down and up."""
        self.machine.qmp("set_link", name="nic", up=False)
        self.machine.qmp("set_link", name="nic", up=True)

    def switch(self, on=None):
        """Set the property capture, mostly to on, and read other properties."""
        self.machine.qmp.raw(
            "qom-set", path="/machine/peripheral/cap", property="capture",
            value=self.rng.random() < 0.8 if on is None else on)
        for name in ("listener-state", "captured", "dropped", "tapped"):
            self.machine.qmp.raw("qom-get", path="/machine/peripheral/cap",
                                 property=name)

    def interrupts(self):
        """MSI-X vectors that write to registers, assigned to queues."""
        cap, rng = self.cap, self.rng
        if rng.random() < 0.2:
            self.machine.pci_put("w", self.slot, q35.capability(
                self.machine, self.slot, q35.MSIX) + 2, 0)
            return
        vector = rng.randrange(QUEUES)
        q35.set_msix(cap, vector, self.register_address() & ~3,
                     rng.choice([0, 1, 0x8000, 0xff0000, rng.getrandbits(32)]))
        cap.set("config_vector", rng.choice([vector, 0xffff]))
        cap.set("queue_select", rng.randrange(QUEUES))
        cap.set("queue_vector", vector)

    def bring_back(self):
        """Set up the PCI function after a function or bus reset."""
        machine = self.machine
        if self.port is not None:
            machine.pci_put("w", self.port, q35.BRIDGE_CONTROL, 0)
        if machine.pci_get("w", self.slot, 4) & 6 == 6:
            return
        machine.next_bar = qtest.FIRST_BAR + (16 << 20)
        if hasattr(self.cap, "msix_table"):
            del self.cap.msix_table
        self.cap.slot = self.slot
        self.cap._find_capabilities()
        for queue in self.cap.queues:
            queue.notify = (self.cap.notify + queue.index
                            * self.cap.multiplier)

    def restart(self):
        """Initialise the device, always if it is broken."""
        self.bring_back()
        if not self.cap.broken() and self.rng.random() < 0.7:
            return
        cap, rng = self.cap, self.rng
        features = 1 << 32 | rng.choice([0, 2, 4, 6, 6, 6, 6])
        cap.set("status", 0)
        cap.set("status", 3)
        for half in (0, 1):
            cap.set("driver_select", half)
            bits = features | rng.choice([0, 1 << 28, 1 << 40])
            cap.set("driver_feature", bits >> 32 * half & 0xffffffff)
        cap.set("status", 11)
        for queue in cap.queues:
            cap.set("queue_select", queue.index)
            queue.size = rng.choice([32, 64, self.sizes[queue.index]])
            cap.set("queue_size", queue.size)
            queue._enable()
        cap.set("status", 15)
        if rng.random() < 0.8:
            self.buffer()
            self.good(cap.controls, CTRL.pack(spec.C_LISTEN, 0)
                      + LISTEN.pack(65535, 15, rng.choice([0, 100]),
                                    rng.randrange(OWN_QUEUES + 1)), 32)
            cap.controls.kick()

    def run(self, seconds):
        """Run random operations for that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.count += 1
            self.rng.choices(self.actions, self.weights)[0]()
            if self.count % 100 == 0:
                self.drain()


def fuzz(tap, name, options):
    """Fuzz one machine; then check that the device works and QEMU exits."""
    rng = random.Random(f"{fuzzing.seed()}{name}")
    with Stage(plugin=sanitizer.PLUGIN, features=FEATURES,
               **options) as stage:
        fuzzer = Fuzzer(stage, rng)
        try:
            fuzzer.run(SECONDS / len(MACHINES))
            lives = stage.machine.alive()
        except (OSError, EOFError, TimeoutError) as error:
            lives = False
            print(f"# {error!r}")
        print(f"# seed {fuzzing.seed()}{name}: {fuzzer.count} operations")
        if not tap.ok(lives,
                      "QEMU survives random operations on the device "
                      "[CAP-DEV-SEC-2]", name or "default options",
                      stage.machine.output()[-6000:]):
            return
        tap.ok(fuzzer.count > 40 * SECONDS / len(MACHINES),
               "the fuzzer makes at least 40 operations a second")
        fuzzer.bring_back()
        fuzzer.switch(True)
        stage.machine.pci_put("w", fuzzer.slot, q35.capability(
            stage.machine, fuzzer.slot, q35.MSIX) + 2, 0)
        stage.nic = nics.VirtioNet(stage.machine)
        cap = capture.Capture(stage.machine, buffers=4, size=4096)
        cap.listen()
        stage.link.send(frame(1))
        cap.wait_counted(1)
        tap.equal([r.data for r in cap.take_records()][-1:], [frame(1)],
                  "the device captures when it is reset after the fuzzing")
        tap.equal(stage.machine.close(), 0,
                  "QEMU exits with status 0 after the fuzzing")
        said = (stage.machine.folder / "log").read_text(errors="replace")
        tap.ok(not sanitizer.complaint(said),
               "no sanitizer reports an error in the device", said[-6000:])


def check(tap):
    """Each kind of machine."""
    complaints = sanitizer.build()
    if tap.ok(not complaints, "the device can be built with sanitizers",
              complaints):
        sanitizer.preload()
        for name, options in MACHINES.items():
            fuzz(tap, name, options)


main = Tap()
main.run(check)
sys.exit(main.done())
