#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Random and compiled programs that the device runs, beside libpcap's
bpf_filter(): the frames that it captures, and how much of them, are those that
libpcap would keep. The device runs under ASan and UBSan. FUZZ_SECONDS and
FUZZ_SEED set how long, and what.
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

FEATURES = (virtio_pci.F_VERSION_1, spec.F_FILTER)
EXPRESSIONS = ("tcp port 80", "udp or icmp", "arp", "ip6", "vlan and ip",
               "tcp[13] & 2 != 0", "len > 200", "ip[6:2] & 0x1fff = 0",
               "ether multicast", "portrange 1-1023", "greater 100 and tcp")
EACH = 24                       # frames for a program
BUFFERS, SIZE = 4, 1 << 16


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

    def refill(self):
        """The buffers that were used, once more."""
        found = []
        while True:
            used = self.cap.captures.take()
            if not used:
                return found
            parts, length = used
            found.append(b"".join(self.stage.machine.read(*part)
                                  for part in parts)[:length])
            self.cap.captures.add([], parts, parts)

    def send(self, sent):
        """Frames through the tap; the NIC's own copies are thrown away."""
        for data in sent:
            self.stage.link.send(data)
        self.stage.link.wait_taken()
        self.stage.machine.qmp("query-status")
        self.stage.nic.drain()

    def turn(self):
        """One program; gives what was wrong, or None."""
        program = any_program(self.rng, self.real)
        sent = self.rng.sample(self.traffic, EACH)
        status, before = self.cap.filter(program)
        if status:
            return "refused", program
        self.send(sent)
        after = self.cap.flush()
        if after.seen - before.seen != EACH:
            return "not seen", after
        got = [(r.datalen, r.data) for data in self.refill()
               for r in records(data)]
        wanted = expected(program, sent)
        self.programs += 1
        self.accepted += len(wanted)
        self.rejected += EACH - len(wanted)
        return None if got == wanted else (program, got, wanted)

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
    with Stage(plugin=sanitizer.PLUGIN, features=FEATURES, buffers=BUFFERS,
               size=SIZE) as stage:
        stage.cap.listen(flags=spec.L_RECEIVED | spec.L_PROMISC,
                         delay=spec.DELAY_NONE)
        fuzzer = Differences(stage, rng)
        wrong = fuzzer.run(fuzzing.seconds())
        print(f"# seed {fuzzing.seed()}: {fuzzer.programs} programs, "
              f"{fuzzer.accepted} frames accepted, {fuzzer.rejected} rejected")
        tap.ok(not wrong, "no answer is another than libpcap's", wrong)
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
