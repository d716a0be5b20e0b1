# SPDX-License-Identifier: GPL-2.0-or-later
"""Inputs of differential.c, each a filter program and a frame: what libFuzzer
begins with, and what it has kept."""
import os
import shutil
import struct
import tempfile

import fuzzing

import bpf
import frames

LONGEST = 8192                  # bytes of an input
FRAME = 256                     # bytes of a frame; the rest was on the wire
LOOK = 60                       # frames to look for one that is accepted
LONG = 8                        # of the longest programs
TRIED, SHORT = 40000, 512       # more pairs for the guest, and their length

EXPRESSIONS = os.path.join(fuzzing.TOP, "tests", "fuzz", "expressions")
CORPUS = fuzzing.built("differential-corpus")


def compiled():
    """Programs of real expressions, optimized and not."""
    with open(EXPRESSIONS, encoding="ascii") as file:
        lines = [line.strip() for line in file]
    return [bpf.compiled(line, optimize) for line in lines
            if line and not line.startswith("# ") for optimize in (False, True)]


def long_programs(programs):
    """Programs of the greatest length, which run through most of it: some of
    those given, with arithmetic in the place of their returns."""
    everything = [(bpf.ADD_K, 0, 0, k) if code == bpf.RET_K
                  else (code, jt, jf, k)
                  for program in programs for code, jt, jf, k in program]
    for start in range(LONG):
        body = everything[start * bpf.MAXINSNS:][:bpf.MAXINSNS - 1]
        yield [*body, (bpf.RET_A, 0, 0, 0)]


def packed(program, frame):
    """An input, see input.h."""
    return struct.pack("<HH", len(program) - 1, len(frame[FRAME:])) + \
        b"".join(struct.pack("=HBBI", *one) for one in program) + frame[:FRAME]


def seeds():
    """Programs of real expressions, each with a frame that it accepts and one
    that it rejects, if there are; long programs; and what earlier runs kept."""
    traffic = [bytes(one)[:1514] for one in frames.varied(500, 1)]
    programs = compiled()
    found = []
    for number, program in enumerate(programs):
        some = [traffic[(number * 7 + i) % len(traffic)] for i in range(LOOK)]
        chosen = {bool(bpf.answer(program, frame)): frame for frame in some}
        found += [packed(program, frame) for frame in chosen.values()]
    found += [packed(program, frame) for program, frame in
              zip(long_programs(programs), traffic)]
    return found + fuzzing.kept("pairs.hex")


def write(path):
    """Writes the pairs of the seeds and of the corpus that libFuzzer has, and
    those that it tries next, to a file for kernel.c; gives how that ended."""
    with tempfile.TemporaryDirectory() as folder:
        fuzzing.write_inputs(seeds(), f"{folder}/seeds")
        os.mkdir(f"{folder}/corpus")
        # libFuzzer may be at work there, and replace files.
        for name in os.listdir(CORPUS) if os.path.isdir(CORPUS) else ():
            try:
                shutil.copy(os.path.join(CORPUS, name), f"{folder}/corpus")
            except FileNotFoundError:
                pass
        for runs, longest in (0, LONGEST), (TRIED, SHORT):
            done = fuzzing.run("differential", f"-seed={fuzzing.seed()}",
                               f"-runs={runs}", f"-max_len={longest}",
                               f"{folder}/seeds", f"{folder}/corpus",
                               PAIRS=path)
            if done.returncode:
                break
        return done
