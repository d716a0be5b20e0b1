#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random descriptors, commands, registers and frames for the device, whose code
runs under ASan and UBSan in a stock QEMU: it neither ends nor hangs, and after a
reset the device works. FUZZ_SECONDS and FUZZ_SEED set how long, and what."""
import os
import random
import struct
import subprocess
import sys
import time

import fuzzing
from tap import Tap

import capture
import qtest
from capture import CTRL, LISTEN, CLOCK, frame, spec
from stage import Stage

OUT = fuzzing.built("asan")
PLUGIN = os.path.join(OUT, "virtio-capture.so")
SECONDS = fuzzing.seconds()
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all"

NEXT, WRITE, INDIRECT = 1, 2, 4
LENGTHS = [0, 1, 7, 8, 14, 16, 22, 24, 31, 32, 39, 40, 60, 68, 96, 127, 1514,
           1522, 4096, 65536, 1 << 20, 0x7fffffff, 0xffffffff]
AREA = 1 << 20
QUEUES = spec.NUM_VQS


def build():
    """The device's objects with sanitizers, linked past its own checks of what
    QEMU exports; gives make's complaints."""
    names = [name[:-2] for name in os.listdir(f"{fuzzing.TOP}/qemu-device")
             if name.endswith(".c")]
    objects = [os.path.join(OUT, f"{name}.o") for name in [*names, "trace"]]
    os.makedirs(OUT, exist_ok=True)
    for words in (["make", "-s", "-C", f"{fuzzing.TOP}/qemu-device",
                   f"OUT={OUT}", f"DEFINES={SANITIZE}", *objects],
                  ["cc", "-shared", *SANITIZE.split(), "-Wl,-z,now", "-o",
                   PLUGIN, *objects]):
        done = subprocess.run(words, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            return done.stdout or f"exit status {done.returncode}"
    return ""


def preload():
    """Has QEMU load the sanitizers before all else."""
    libraries = [subprocess.run(["cc", f"-print-file-name={name}"], text=True,
                                check=True, stdout=subprocess.PIPE)
                 .stdout.strip() for name in ("libasan.so", "libubsan.so")]
    os.environ["LD_PRELOAD"] = ":".join(map(os.path.realpath, libraries))
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0"


class Fuzzer:
    """Random operations on one machine."""

    def __init__(self, stage, rng):
        self.stage, self.rng = stage, rng
        self.cap, self.machine = stage.cap, stage.machine
        self.area = self.machine.allocate(AREA)
        self.count = 0
        self.operations = [
            (12, self.chain), (4, self.command), (4, self.buffer),
            (3, self.injection), (6, self.kick), (4, self.frames),
            (2, self.register), (1, self.scribble), (1, self.queue_reset),
            (1, self.stop), (1, self.link), (2, self.restart)]
        self.weights, self.actions = zip(*self.operations)

    def address(self):
        """Mostly memory of the fuzzer's, sometimes a strange place."""
        cap, rng = self.cap, self.rng
        if rng.random() < 0.8:
            return self.area + rng.randrange(AREA - 65536)
        return rng.choice([0, qtest.RAM - 8, qtest.RAM, 1 << 40, 1 << 63,
                           (1 << 64) - 16, cap.common, cap.common + 20,
                           cap.notify, cap.config, cap.captures.desc,
                           cap.captures.used, cap.controls.avail])

    def descriptor(self, last=False):
        """Any descriptor; mostly one that is not absurd."""
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
        """One more available buffer."""
        self.machine.put("w", queue.avail + 4
                         + 2 * (queue.added % queue.size), head)
        queue.added += 1
        self.machine.put("w", queue.avail + 2, queue.added & 0xffff)

    def good(self, queue, readable, room):
        """A buffer as a driver makes it, at descriptors 20 and 21."""
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
        """Random descriptors in a queue, or as an indirect table."""
        rng, queue = self.rng, self.rng.choice(self.cap.queues)
        where = queue.desc if rng.random() < 0.9 else self.address()
        if where < qtest.RAM - 4096:
            self.machine.write(where, b"".join(
                self.descriptor(i == 8) for i in range(9)))
        for _ in range(rng.choice([1, 1, 2, 5])):
            self.offer(queue, rng.randrange(9) if rng.random() < 0.98 else
                       rng.randrange(1 << 16))

    def command(self):
        """A command, whole or cut or spoilt."""
        rng = self.rng
        body = rng.choice([
            b"", LISTEN.pack(rng.choice([0, 1, 64, 65535, 0xffffffff]),
                             rng.randrange(17),
                             rng.choice([0, 0, 1, 100, 0xffffffff]), 0),
            CLOCK.pack(rng.randrange(-2 ** 63, 2 ** 63), rng.randrange(3), 0)])
        data = bytearray(CTRL.pack(rng.choice([1, 1, 2, 2, 3, 0, 4, 9]), 0)
                         + body)
        if rng.random() < 0.1:
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.1:
            del data[rng.randrange(len(data)):]
        self.good(self.cap.controls, bytes(data),
                  rng.choice([32] * 8 + [0, 7, 8, 31, 64]))
        if rng.random() < 0.7:
            self.cap.controls.kick()

    def buffer(self):
        """A capture buffer."""
        self.good(self.cap.captures, b"",
                  self.rng.choice([40, 96, 120, 1000, 2048, 65536]))

    def injection(self):
        """A frame to send."""
        rng = self.rng
        data = struct.pack("<II", rng.choice([0, 1, 2, 3, 3, 4]), 0)
        data += frame(rng.randrange(99), rng.choice([18, 60, 600, 1514, 1600]))
        self.good(self.cap.queues[2], data, rng.choice([8] * 9 + [7]))
        self.cap.queues[2].kick()

    def kick(self):
        """Notifications, of queues that there are and of others."""
        rng = self.rng
        self.machine.commands(*[
            f"writew {self.cap.notify + rng.choice([0, 0, 4, 8, 12])} "
            f"{rng.randrange(4)}" for _ in range(rng.choice([1, 2, 20]))])
        for queue in self.cap.queues:
            queue.kick()

    def frames(self):
        """Frames for the NIC."""
        for _ in range(self.rng.choice([1, 1, 4])):
            self.stage.link.send(frame(1, self.rng.choice([18, 60, 61, 1514])))
        self.drain()

    def drain(self):
        """Room on the NIC's ways."""
        self.machine.qmp("query-status")
        self.stage.nic.drain()
        while not self.stage.link.empty():
            self.stage.link.receive()

    def register(self):
        """Any value in any register of the device."""
        rng = self.rng
        width = rng.choice("bwl")
        if rng.random() < 0.5:
            self.cap.set("queue_select", rng.randrange(4))
        self.machine.put(width, self.cap.common + rng.randrange(60),
                         rng.choice([0, 1, 15, 255, rng.randrange(256)]))

    def scribble(self):
        """Random bytes in a ring."""
        rng, queue = self.rng, self.rng.choice(self.cap.queues)
        self.machine.write(rng.choice([queue.desc, queue.avail, queue.used])
                           + rng.randrange(64), rng.randbytes(16))

    def queue_reset(self):
        """One queue, which may come back somewhere else."""
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
        """The machine stops and goes on."""
        self.machine.qmp("stop")
        self.machine.qmp("cont")

    def link(self):
        """The NIC's link."""
        self.machine.qmp("set_link", name="nic", up=False)
        self.machine.qmp("set_link", name="nic", up=True)

    def restart(self):
        """The device is initialised; often it needed that."""
        if not self.cap.broken() and self.rng.random() < 0.7:
            return
        cap, rng = self.cap, self.rng
        cap.set("status", 0)
        cap.set("status", 3)
        for half in (0, 1):
            cap.set("driver_select", half)
            bits = 1 << 32 | rng.choice([0, 1 << 28, 1 << 40])
            cap.set("driver_feature", bits >> 32 * half & 0xffffffff)
        cap.set("status", 11)
        for queue in cap.queues:
            cap.set("queue_select", queue.index)
            queue.size = rng.choice([32, 64, 256])
            cap.set("queue_size", queue.size)
            queue._enable()
        cap.set("status", 15)
        if rng.random() < 0.8:
            self.buffer()
            self.good(cap.controls, CTRL.pack(spec.C_LISTEN, 0)
                      + LISTEN.pack(65535, 15, rng.choice([0, 100]), 0), 32)
            cap.controls.kick()

    def run(self, seconds):
        """Until the time is up."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.count += 1
            self.rng.choices(self.actions, self.weights)[0]()
            if self.count % 100 == 0:
                self.drain()


def fuzz(tap, extra):
    """One machine: fuzz it, then use it, then end it."""
    rng = random.Random(f"{fuzzing.seed()}{extra}")
    with Stage(plugin=PLUGIN, capture_args=extra) as stage:
        fuzzer = Fuzzer(stage, rng)
        try:
            fuzzer.run(SECONDS / 2)
            lives = stage.machine.alive()
        except (OSError, EOFError, TimeoutError) as error:
            lives = False
            print(f"# {error!r}")
        print(f"# seed {fuzzing.seed()}{extra}: {fuzzer.count} operations")
        if not tap.ok(lives, "QEMU lives", stage.machine.output()[-6000:]):
            return
        tap.ok(fuzzer.count > 20 * SECONDS, "many operations were tried")
        fuzzer.drain()
        cap = capture.Capture(stage.machine, buffers=4, size=4096)
        cap.listen()
        stage.receive(frame(1))
        tap.equal([r.data for r in cap.wait_records(1)], [frame(1)],
                  "after a reset the device captures")
        tap.equal(stage.machine.close(), 0, "QEMU ends well")
        said = (stage.machine.folder / "log").read_text(errors="replace")
        tap.ok("Sanitizer" not in said and "runtime error" not in said,
               "no sanitizer complains", said[-6000:])


def check(tap):
    """With and without eventfds."""
    complaints = build()
    if tap.ok(not complaints, "the device is built with sanitizers",
              complaints):
        preload()
        for extra in ("", ",ioeventfd=off"):
            fuzz(tap, extra)


main = Tap()
main.run(check)
sys.exit(main.done())
