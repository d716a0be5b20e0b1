#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Random and compiled programs that the device runs for several listeners at
once, beside libpcap's bpf_filter(): the frames that it captures for each, and
how much of them, are those that libpcap would keep. The device runs under ASan
and UBSan. FUZZ_SECONDS and FUZZ_SEED set how long, and what.
"""
import random
import sys
import time

import fuzzing
from tap import Tap

import bpf
import frames
import sanitizer
import virtio_pci
from capture import records, spec
from stage import Stage

FEATURES = (virtio_pci.F_VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)
OWN_QUEUES = 7
EXPRESSIONS = ("tcp port 80", "udp or icmp", "arp", "ip6", "vlan and ip",
               "tcp[13] & 2 != 0", "len > 200", "ip[6:2] & 0x1fff = 0",
               "ether multicast", "portrange 1-1023", "greater 100 and tcp")
EACH = 24                       # frames for a program
BUFFERS, SIZE = 2, 1 << 16
FLAGS = spec.L_RECEIVED | spec.L_PROMISC


def mutated(rng, program):
    """One instruction with another constant: still valid, if it was."""
    program = list(program)
    place = rng.randrange(len(program))
    code, jt, jf, k = program[place]
    if code & 7 != 5 and code not in bpf.SCRATCH:
        program[place] = code, jt, jf, rng.choice([k ^ 1, k + 1 & 0xffffffff,
                                                   rng.choice(bpf.EDGES) or 1])
    return program


def any_program(rng, real):
    """A random one, a compiled one, or one a little beside that."""
    kind = rng.randrange(4)
    if kind > 1:
        return bpf.random_program(rng, rng.choice([40, 512]))
    program = rng.choice(real)
    return mutated(rng, program) if kind else program


def expected(program, sent):
    """What is to be captured of frames: lengths and bytes."""
    kept = [(min(bpf.answer(program, data), len(data)), data) for data in sent]
    return [(len(data), data[:size]) for size, data in kept if size]


class Differences:
    """Programs until the time is up, or until one is answered otherwise."""

    def __init__(self, stage, rng):
        self.stage, self.rng, self.cap = stage, rng, stage.cap
        self.real = [bpf.compiled(one) for one in EXPRESSIONS]
        self.traffic = [bytes(one)[:1514] for one in
                        frames.varied(300, fuzzing.seed())]
        self.programs = self.accepted = self.rejected = 0
        self.seen = [self.start(n) for n in range(1 + OWN_QUEUES)]

    def start(self, number):
        """Buffers for a listener, and its LISTEN; gives what it has seen."""
        for _ in range(BUFFERS):
            self.offer(number, [(self.stage.machine.allocate(SIZE), SIZE)])
        self.listen(number, 0xffffffff)
        return self.cap.look(number).seen

    def offer(self, number, parts):
        """One buffer for a listener."""
        self.cap.queue_of(number).add([], parts, parts)

    def listen(self, number, snaplen):
        """LISTEN, always with the same wishes."""
        status = self.cap.listen(snaplen, FLAGS, spec.DELAY_NONE, number)
        assert status == spec.E_OK, f"LISTEN answers {status}"

    def refill(self, number):
        """What a listener got; its buffers once more."""
        self.listen(number, 0)
        queue, found = self.cap.queue_of(number), []
        used = queue.take()
        while used:
            parts, length = used
            found += records(b"".join(self.stage.machine.read(*part)
                                      for part in parts)[:length])
            self.offer(number, parts)
            used = queue.take()
        self.listen(number, 0xffffffff)
        return [(r.datalen, r.data) for r in found]

    def send(self, sent):
        """Frames through the tap; the NIC's own copies are thrown away."""
        for data in sent:
            self.stage.link.send(data)
        self.stage.link.wait_taken()
        self.stage.machine.qmp("query-status")
        self.stage.nic.drain()

    def turn(self):
        """A program for each listener; gives what was wrong, or None."""
        sent = self.rng.sample(self.traffic, EACH)
        programs = [any_program(self.rng, self.real) for _ in self.seen]
        for number, program in enumerate(programs):
            if self.cap.filter(program, listener=number)[0]:
                return "refused", program
        self.send(sent)
        for number, program in enumerate(programs):
            wrong = self.compare(number, program, sent)
            if wrong:
                return number, program, wrong
        return None

    def compare(self, number, program, sent):
        """One listener's frames and libpcap's; gives both if they differ."""
        self.seen[number] += EACH
        if self.cap.look(number).seen != self.seen[number]:
            return "not seen"
        got, wanted = self.refill(number), expected(program, sent)
        self.programs += 1
        self.accepted += len(wanted)
        self.rejected += EACH - len(wanted)
        return None if got == wanted else (got, wanted)

    def run(self, seconds):
        """Gives the first difference, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            wrong = self.turn()
            if wrong:
                return wrong
        return None


def check(tap):
    """One machine."""
    complaints = sanitizer.build()
    if not tap.ok(not complaints, "the device is built with sanitizers",
                  complaints):
        return
    sanitizer.preload()
    rng = random.Random(fuzzing.seed())
    with Stage(plugin=sanitizer.PLUGIN, features=FEATURES, buffers=0,
               capture_args=f",listener-queues={OWN_QUEUES}") as stage:
        fuzzer = Differences(stage, rng)
        wrong = fuzzer.run(fuzzing.seconds())
        print(f"# seed {fuzzing.seed()}: {fuzzer.programs} programs, "
              f"{fuzzer.accepted} frames accepted, {fuzzer.rejected} rejected")
        tap.ok(not wrong,
               "no answer is another than libpcap's [CAP-DEV-FLT-3]", wrong)
        tap.ok(fuzzer.programs > fuzzing.seconds(), "many programs were tried")
        tap.ok(fuzzer.accepted > fuzzer.programs
               and fuzzer.rejected > fuzzer.programs,
               "frames were accepted, and frames were rejected")
        tap.equal(stage.machine.close(), 0, "QEMU ends well")
        said = (stage.machine.folder / "log").read_text(errors="replace")
        tap.ok(not sanitizer.complaint(said), "no sanitizer complains",
               said[-6000:])


main = Tap()
main.run(check)
sys.exit(main.done())
