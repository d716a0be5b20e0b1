#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FILTER: the device runs a program on the frames that LISTEN selects."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import bpf  # noqa: E402
import nics  # noqa: E402
import spectext  # noqa: E402
import virtio_pci  # noqa: E402
from bpf import ACCEPT, REJECT, compiled  # noqa: E402
from capture import BOTH, CLOCK, CTRL, FILTER, frame, records, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE
FEATURES = (virtio_pci.F_VERSION_1, spec.F_FILTER)
DISCARD = spec.FILTER_DISCARD


def stage_of(**keywords):
    """Returns a Stage whose driver accepts FILTER."""
    return Stage(features=FEATURES, **keywords)


def odd(number):
    """Returns a program that accepts frames by the lowest bit of their number."""
    return [(bpf.LDB_ABS, 0, 0, 17), (0x45, number & 1, 1 - (number & 1), 1),
            (bpf.RET_K, 0, 0, 0), (bpf.RET_K, 0, 0, 0xffffffff)]


def chosen(tap):
    """Frames that a program accepts, and those that it rejects."""
    with stage_of() as stage:
        stage.cap.listen(delay=NONE)
        tap.equal(stage.cap.filter(odd(0))[0], spec.E_OK, "FILTER succeeds")
        frames = [frame(i) for i in range(8)]
        stage.receive(*frames[:5])
        stage.send(*frames[5:])
        counters = stage.cap.flush()
        tap.equal([r.data for r in stage.cap.take_records()], frames[::2],
                  "FILTER: accepted frames of both directions are captured, no others"
                  " [CAP-DEV-FLT-2]")
        tap.equal(counters[1:], (4, 0, 8, 1),
                  "FILTER: counters of captured, dropped, seen and used")
        stage.cap.filter(REJECT)
        stage.receive(frame(9))
        tap.equal(stage.cap.flush()[1:], (4, 0, 9, 1),
                  "a frame that the program rejects counts as seen only"
                  " [CAP-DEV-FLT-2]")
        stage.cap.filter([])
        stage.receive(frame(9))
        tap.equal(stage.cap.flush()[1:], (5, 0, 10, 2),
                  "without a program: every frame counts as seen and captured"
                  " [CAP-DEV-FLT-4]")


def not_asked_for(tap):
    """The program runs only on frames that LISTEN selects."""
    with stage_of() as stage:
        stage.nic.promiscuous(False)
        stage.cap.filter(ACCEPT)
        stage.receive(frame(1))
        tap.equal(stage.cap.flush()[1:], (0, 0, 0, 0),
                  "no listener: frames do not count as seen")
        stage.cap.listen(flags=spec.L_SENT)
        stage.receive(frame(1))
        tap.equal(stage.cap.flush()[1:], (0, 0, 0, 0),
                  "direction not wanted: frames do not count as seen [CAP-DEV-FLT-4]")
        stage.cap.listen(flags=BOTH, delay=NONE)
        stage.link.send(frame(1, destination=b"\2\0\0\0\0\1"))
        stage.receive(frame(2))
        tap.equal(stage.cap.flush()[1:], (1, 0, 1, 1),
                  "frame for another host, not wanted: it does not count as seen")
        stage.cap.listen(flags=BOTH | spec.L_PROMISC, delay=NONE)
        stage.link.send(frame(1, destination=b"\2\0\0\0\0\1"))
        stage.receive(frame(2))
        tap.equal(stage.cap.flush()[1:], (3, 0, 3, 2),
                  "frame for another host, wanted: it counts as seen [CAP-DEV-FLT-4]")


def lengths(tap):
    """caplen is the least of LISTEN's, the program's and the frame's lengths."""
    with stage_of(buffers=12) as stage:
        for snaplen, returned, wanted in ((100, 20, 20), (20, 100, 20),
                                          (100, 100, 60), (1, 0xffffffff, 1),
                                          (0xffffffff, 61, 60)):
            stage.cap.listen(snaplen)
            stage.cap.filter([(bpf.RET_K, 0, 0, returned)])
            stage.receive(frame(3))
            tap.equal([(r.caplen, r.datalen, r.data)
                       for r in stage.cap.wait_records(1)],
                      [(wanted, 60, frame(3)[:wanted])],
                      f"snaplen {snaplen}, program accepts {returned}: the record has the less"
                      " [CAP-DEV-REC-5]")
        stage.cap.listen(1)
        stage.cap.filter([(0x80, 0, 0, 0), (0x06, 0, 0, 0x40000)])
        stage.cap.filter([(0x80, 0, 0, 0), (0x35, 0, 1, 60),
                          (0x30, 0, 0, 59), (bpf.RET_A, 0, 0, 0)])
        stage.receive(frame(4))
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(4)[:1]],
                  "the program sees the whole frame, whatever snaplen is"
                  " [CAP-DEV-FLT-3]")


INVALID = [
    ("no return", [(bpf.LDB_ABS, 0, 0, 0)]),
    ("an unknown code", [(0xffff, 0, 0, 0), *ACCEPT]),
    ("a jump past the end", [(bpf.JA, 0, 0, 1), *ACCEPT]),
    ("a backward jump", [(bpf.JA, 0, 0, 0xffffffff), *ACCEPT]),
    ("a condition's jump past the end", [(bpf.JEQ, 0, 255, 0), *ACCEPT]),
    ("a scratch word too many", [(bpf.ST, 0, 0, 16), *ACCEPT]),
    ("a division by 0", [(bpf.DIV_K, 0, 0, 0), *ACCEPT]),
    ("a modulo by 0", [(bpf.MOD_K, 0, 0, 0), *ACCEPT]),
    ("513 instructions", [(bpf.LD_IMM, 0, 0, 0)] * 512 + ACCEPT)]


def refused(tap):
    """Invalid programs and commands."""
    with stage_of() as stage:
        cap = stage.cap
        cap.listen(delay=NONE)
        cap.filter(odd(1))
        for name, program in INVALID:
            tap.equal(cap.filter(program, DISCARD), (spec.E_INVALID, b""),
                      f"{name}: FILTER is refused [CAP-DEV-FLT-1]")
        good = odd(0)
        for name, flags, count in (("count one too low", 0, 3),
                                   ("count one too high", 0, 5),
                                   ("count 2^32 - 1", 0, 0xffffffff),
                                   ("count 0", 0, 0),
                                   ("an unknown flag", 2, 4)):
            tap.equal(cap.filter(good, flags, count)[0], spec.E_INVALID,
                      f"{name}: FILTER is refused [CAP-DEV-FLT-1]")
        whole = FILTER.pack(0, 0, 1, 0) + bytes([6, 0, 0, 0, 0, 0, 0, 0])
        for name, body, room in (("no body", b"", 48),
                                 ("half an instruction", whole[:-4], 48),
                                 ("a byte more", whole + b"\0", 48),
                                 ("no room for all counters", whole, 47)):
            tap.equal(cap.control(spec.C_FILTER, body, room)[0],
                      spec.E_INVALID,
                      f"{name}: FILTER is refused [CAP-DEV-FLT-1]")
        stage.receive(frame(1), frame(2))
        cap.flush()
        tap.equal([r.data for r in cap.take_records()], [frame(1)],
                  "a refused FILTER leaves the old program [CAP-DEV-FLT-1]")
        tap.equal(cap.filter([(bpf.LD_IMM, 0, 0, 0)] * 511 + ACCEPT)[0],
                  spec.E_OK, "FILTER of 512 instructions succeeds")
        body = FILTER.pack(99, 0, 0, 99)
        tap.equal(cap.control(spec.C_FILTER, body)[0], spec.E_OK,
                  "FILTER with reserved fields set succeeds")
        stage.receive(frame(2))
        cap.flush()
        tap.equal([r.data for r in cap.take_records()], [frame(2)],
                  "FILTER of no instructions removes the program")


def without(tap):
    """A driver that does not accept the feature, or a device without it."""
    for name, extra in (("not accepted", ""), ("filter=off", ",filter=off")):
        with Stage(capture_args=extra) as stage:
            cap = stage.cap
            tap.equal(cap.offered() >> spec.F_FILTER & 1, int(not extra),
                      f"{name}: FILTER is offered only if it can be")
            body = FILTER.pack(0, 0, 1, 0) + bytes([6, 0, 0, 0, 0, 0, 0, 0])
            tap.equal(cap.control(spec.C_FILTER, body, 48),
                      (spec.E_UNKNOWN, b""),
                      f"{name}: FILTER is an unknown command")
            cap.listen()
            stage.receive(frame(1))
            tap.equal([r.data for r in cap.wait_records(1)], [frame(1)],
                      f"{name}: every frame is captured")
            for command, body in ((spec.C_FLUSH, b""),
                                  (spec.C_CLOCK, CLOCK.pack(0, 0, 0))):
                rest = cap.control(command, body, 64)[1]
                tap.equal(len(rest), spec.COUNTERS_BASE,
                          f"{name}: the reply to command {command} has the"
                          " counters without those")


def moment(tap):
    """A program and the counts apply from the next frame on."""
    with stage_of(buffers=8) as stage:
        cap = stage.cap
        cap.listen(delay=NONE)
        cap.filter(ACCEPT)
        seen = 0
        for turn in range(6):
            stage.receive(frame(1), frame(2))
            seen += 2
            cap.wait_counted(turn + 2)
            status, counters = cap.filter(odd(turn))
            tap.equal((status, counters.seen, counters.captured),
                      (spec.E_OK, seen, turn + 2),
                      f"turn {turn}: FILTER's reply counts all frames before it"
                      " [CAP-DEV-FLT-5]")
        cap.flush()
        tap.equal([r.data for r in cap.take_records()],
                  [frame(1), frame(2)] + [frame(i % 2 or 2) for i in range(5)],
                  "each frame is judged by the program of its moment, in one buffer"
                  " [CAP-DEV-FLT-5]")


def discard(tap):
    """With DISCARD, frames that an earlier program accepted are discarded."""
    with stage_of(buffers=0) as stage:
        cap = stage.cap
        cap.post(192)
        cap.post(4096)
        cap.listen(delay=NONE)
        stage.receive(frame(1), frame(2), frame(3))
        cap.wait_counted(3)
        status, counters = cap.filter(odd(1), DISCARD)
        tap.equal((status, counters[1:]), (spec.E_OK, (3, 0, 3, 1)),
                  "FILTER with DISCARD: the counts stay, one buffer was used before")
        tap.equal([r.data for r in records(cap.take())], [frame(1), frame(2)],
                  "FILTER with DISCARD: the buffer used before has its frames")
        stage.receive(frame(4), frame(5))
        tap.equal(cap.flush()[1:], (4, 0, 5, 2),
                  "FILTER with DISCARD: capture goes on")
        tap.equal([r.data for r in records(cap.take())], [frame(5)],
                  "FILTER with DISCARD: the buffer in progress begins again at its start"
                  " [CAP-DEV-FLT-6]")
        tap.equal(cap.filter(ACCEPT, DISCARD)[0], spec.E_OK,
                  "FILTER with DISCARD without a buffer in progress succeeds")
        cap.post(4096)
        stage.receive(frame(6))
        cap.wait_counted(5)
        cap.filter(REJECT)
        tap.ok(cap.take() is None,
               "FILTER without DISCARD: no buffer is used [CAP-DEV-FLT-6]")
        cap.flush()
        tap.equal([r.data for r in cap.take_records()], [frame(6)],
                  "FILTER without DISCARD: the buffer in progress keeps its frames")


def scattered_discard(tap):
    """DISCARD restarts a buffer of several parts, too."""
    for extra, more in (("", ()), (",event_idx=off", ()),
                        (",packed=on", (virtio_pci.F_RING_PACKED,))):
        with Stage(buffers=0, capture_args=extra,
                   features=FEATURES + more) as stage:
            cap = stage.cap
            cap.post(40, 8, 100, 2000)
            cap.post(33, 2000)
            cap.listen(delay=NONE)
            for turn in range(4):
                stage.receive(frame(turn), frame(9))
                cap.wait_counted(2 * turn + 2)
                cap.filter([], DISCARD)
            stage.receive(frame(1), frame(2))
            cap.flush()
            stage.receive(frame(3))
            cap.flush()
            tap.equal([r.data for r in cap.take_records()],
                      [frame(1), frame(2), frame(3)],
                      f"{extra[1:] or 'no option'}: DISCARD begins a buffer of several parts anew")


def in_pieces(tap):
    """A program can read all pieces of a scattered frame."""
    program = [(bpf.LD_IMM, 0, 0, 0), (0x28, 0, 0, 1498), (0x15, 0, 1, 0x1234),
               (bpf.RET_K, 0, 0, 0xffffffff), (bpf.RET_K, 0, 0, 0)]
    # The same with an offset from the index register, unknown until the load.
    indexed = [(bpf.LDX_IMM, 0, 0, 1400), (0x48, 0, 0, 98), *program[2:]]
    head = [(bpf.LDH_ABS, 0, 0, 12), (bpf.JEQ, 0, 1, 0x88b5), *program[3:]]
    wanted = bytearray(frame(1, 1500))
    wanted[1498:1500] = b"\x12\x34"
    for step in (1 << 16, 700, 40, 13):
        for name, one in (("far", program), ("indexed", indexed),
                          ("head", head)):
            with stage_of() as stage:
                stage.cap.listen(delay=NONE)
                stage.cap.filter(one)
                for data in (bytes(wanted), frame(2, 1500)):
                    stage.nic.send(data, step=step)
                    stage.link.receive()
                counters = stage.cap.flush()
                tap.equal(([r.data for r in stage.cap.take_records()],
                           counters.seen),
                          ([bytes(wanted)] if name != "head" else
                           [bytes(wanted), frame(2, 1500)], 2),
                          f"{name}: frames sent in pieces of {step} bytes are judged as a whole"
                          " [CAP-DEV-FLT-3]")


def reset(tap):
    """A reset removes the program and clears the counts."""
    with stage_of() as stage:
        stage.cap.listen(delay=NONE)
        stage.cap.filter(odd(0))
        stage.receive(frame(1), frame(2))
        tap.equal(stage.cap.flush()[1:], (1, 0, 2, 1),
                  "before a reset: frames are judged and counted")
        stage.cap.start(FEATURES)
        stage.cap.post(4096)
        tap.equal(stage.cap.flush()[1:], (0, 0, 0, 0),
                  "after a reset: all counts are zero")
        stage.cap.listen(delay=NONE)
        stage.receive(frame(1))
        stage.cap.flush()
        tap.equal([r.data for r in stage.cap.take_records()], [frame(1)],
                  "after a reset: there is no program [CAP-DEV-RST-1]")


def moved(tap):
    """The program and the counts migrate with the machine."""
    with stage_of() as stage:
        stage.cap.listen(flags=spec.L_RECEIVED, delay=NONE)
        stage.cap.filter(odd(0))
        stage.receive(frame(1), frame(2))
        stage.cap.flush()
        with stage.moved() as target:
            target.receive(frame(3), frame(4))
            tap.equal(target.cap.flush()[1:], (2, 0, 4, 2),
                      "after a migration: the counts are the source's")
            tap.equal([r.data for r in target.cap.take_records()],
                      [frame(2), frame(4)],
                      "after a migration: the program is the source's [CAP-DEV-MIG-2]")


def example(tap):
    """The program in the specification's example, for listener 0."""
    data = bytearray(spectext.dumps()[2])
    data[8:12] = bytes(4)
    with stage_of() as stage:
        stage.cap.listen(delay=NONE)
        tap.equal(stage.cap.control(spec.C_FILTER, bytes(data[CTRL.size:]))[0],
                  spec.E_OK,
                  "the FILTER of the specification's example succeeds")
        arp = bytearray(frame(1))
        arp[12:14] = b"\x08\x06"
        stage.receive(bytes(arp), frame(2))
        stage.cap.flush()
        tap.equal([r.data for r in stage.cap.take_records()], [bytes(arp)],
                  "the program of the specification's example accepts ARP only")


def real(tap):
    """Programs that libpcap compiles: the result is that of libpcap's interpreter."""
    frames = [nics.MAC_BYTES + b"\2\0\0\0\0\1" + data for data in (
        b"\x08\x00" + bytes.fromhex("45000034000040004006") + bytes(10)
        + bytes.fromhex("c0de0050") + bytes(30),
        b"\x08\x00" + bytes.fromhex("45000034000040004011") + bytes(10)
        + bytes.fromhex("c0de0050") + bytes(30),
        b"\x86\xdd" + bytes.fromhex("6000000000200640") + bytes(32)
        + bytes.fromhex("0050c0de") + bytes(30),
        b"\x08\x06" + bytes(46), b"\x08\x00\x45")]
    with stage_of(buffers=16) as stage:
        stage.cap.listen(delay=NONE)
        for expression in ("tcp port 80", "udp", "arp", "ip6 and tcp",
                           "len > 60", "not ip", "ip[8] = 0x40",
                           "tcp[0] & 1 != 0 or port 49374"):
            program = compiled(expression)
            stage.cap.filter(program)
            stage.receive(*frames)
            stage.cap.flush()
            tap.equal([r.data for r in stage.cap.take_records()],
                      [data for data in frames if bpf.answer(program, data)],
                      f"{expression!r}: the frames that libpcap accepts are captured")
            stage.cap.post(4096)


main = Tap()
main.run(chosen, not_asked_for, lengths, refused, without, moment, discard,
         scattered_discard, in_pieces, reset, moved, example, real)
sys.exit(main.done())
