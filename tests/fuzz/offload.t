#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The device runs random and compiled programs for several listeners at once. The
frames that it captures for each listener, and their captured lengths, are those
that libpcap's bpf_filter() accepts. The device runs under ASan and UBSan.
FUZZ_SECONDS sets the duration, FUZZ_SEED the seed.
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
    """Change the constant of one instruction; a valid program stays valid."""
    program = list(program)
    place = rng.randrange(len(program))
    code, jt, jf, k = program[place]
    if code & 7 != 5 and code not in bpf.SCRATCH:
        program[place] = code, jt, jf, rng.choice([k ^ 1, k + 1 & 0xffffffff,
                                                   rng.choice(bpf.EDGES) or 1])
    return program


def any_program(rng, real):
    """A random program, a compiled one, or a mutated compiled one."""
    kind = rng.randrange(4)
    if kind > 1:
        return bpf.random_program(rng, rng.choice([40, 512]))
    program = rng.choice(real)
    return mutated(rng, program) if kind else program


def expected(program, sent):
    """The lengths and captured bytes of the frames that are accepted."""
    kept = [(min(bpf.answer(program, data), len(data)), data) for data in sent]
    return [(len(data), data[:size]) for size, data in kept if size]


class Differences:
    """Compares results of the device with those of libpcap."""

    def __init__(self, stage, rng):
        self.stage, self.rng, self.cap = stage, rng, stage.cap
        self.real = [bpf.compiled(one) for one in EXPRESSIONS]
        self.traffic = [bytes(one)[:1514] for one in
                        frames.varied(300, fuzzing.seed())]
        self.programs = self.accepted = self.rejected = 0
        self.seen = [self.start(n) for n in range(1 + OWN_QUEUES)]

    def start(self, number):
        """Start a listener with buffers; return its count of seen frames."""
        for _ in range(BUFFERS):
            self.offer(number, [(self.stage.machine.allocate(SIZE), SIZE)])
        self.listen(number, 0xffffffff)
        return self.cap.look(number).seen

    def offer(self, number, parts):
        """Make one buffer of a listener available."""
        self.cap.queue_of(number).add([], parts, parts)

    def listen(self, number, snaplen):
        """LISTEN with this snapshot length."""
        status = self.cap.listen(snaplen, FLAGS, spec.DELAY_NONE, number)
        assert status == spec.E_OK, f"LISTEN answers {status}"

    def refill(self, number):
        """Return a listener's frames, and make its buffers available again."""
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
        """Send frames through the tap; discard those that the NIC receives."""
        for data in sent:
            self.stage.link.send(data)
        self.stage.link.wait_taken()
        self.stage.machine.qmp("query-status")
        self.stage.nic.drain()

    def turn(self):
        """Run one program for each listener; return an error, or None."""
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
        """Compare one listener's frames with libpcap's; return both if they
        differ, else None."""
        self.seen[number] += EACH
        if self.cap.look(number).seen != self.seen[number]:
            return "not seen"
        got, wanted = self.refill(number), expected(program, sent)
        self.programs += 1
        self.accepted += len(wanted)
        self.rejected += EACH - len(wanted)
        return None if got == wanted else (got, wanted)

    def run(self, seconds):
        """Run for that time; return the first error, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            wrong = self.turn()
            if wrong:
                return wrong
        return None


def check(tap):
    """One machine."""
    complaints = sanitizer.build()
    if not tap.ok(not complaints, "the device can be built with sanitizers",
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
               "the device captures what libpcap accepts, for all programs "
               "[CAP-DEV-FLT-3]", wrong)
        tap.ok(fuzzer.programs > fuzzing.seconds(),
               "the device runs more than one program a second")
        tap.ok(fuzzer.accepted > fuzzer.programs
               and fuzzer.rejected > fuzzer.programs,
               "programs accept some frames and reject others")
        tap.equal(stage.machine.close(), 0,
                  "QEMU exits with status 0 after the fuzzing")
        said = (stage.machine.folder / "log").read_text(errors="replace")
        tap.ok(not sanitizer.complaint(said),
               "no sanitizer reports an error in the device", said[-6000:])


main = Tap()
main.run(check)
sys.exit(main.done())
