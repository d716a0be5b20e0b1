# SPDX-License-Identifier: GPL-2.0-or-later
"""Inputs of differential.c, each a filter program and a frame: libFuzzer's seeds
and its corpus."""
import os
import shutil
import struct
import tempfile

import fuzzing

import bpf
import frames

LONGEST = 8192                  # bytes of an input
FRAME = 256                     # captured bytes of a frame
LOOK = 60                       # frames in which to look for an accepted one
LONG = 8                        # number of programs with the maximum length
TRIED, SHORT = 40000, 512       # mutated pairs for the guest, and their length

EXPRESSIONS = os.path.join(fuzzing.TOP, "tests", "fuzz", "expressions")
CORPUS = fuzzing.built("differential-corpus")


def compiled():
    """Compiled programs of the expressions, optimized and not."""
    with open(EXPRESSIONS, encoding="ascii") as file:
        lines = [line.strip() for line in file]
    return [bpf.compiled(line, optimize) for line in lines
            if line and not line.startswith("# ") for optimize in (False, True)]


def long_programs(programs):
    """Programs of the maximum length: the given ones concatenated, with their
    returns replaced by arithmetic so that execution continues."""
    everything = [(bpf.ADD_K, 0, 0, k) if code == bpf.RET_K
                  else (code, jt, jf, k)
                  for program in programs for code, jt, jf, k in program]
    for start in range(LONG):
        body = everything[start * bpf.MAXINSNS:][:bpf.MAXINSNS - 1]
        yield [*body, (bpf.RET_A, 0, 0, 0)]


def packed(program, frame):
    """Returns an input, see input.h."""
    return struct.pack("<HH", len(program) - 1, len(frame[FRAME:])) + \
        b"".join(struct.pack("=HBBI", *one) for one in program) + frame[:FRAME]


def seeds():
    """Compiled programs, each with a frame that it accepts and one that it rejects
    if there are such; long programs; and inputs of earlier runs."""
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
    """Writes the pairs of the seeds and of libFuzzer's corpus, and mutations of
    them, to a file for kernel.c; returns libFuzzer's CompletedProcess."""
    with tempfile.TemporaryDirectory() as folder:
        fuzzing.write_inputs(seeds(), f"{folder}/seeds")
        os.mkdir(f"{folder}/corpus")
        # A running libFuzzer may remove files.
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
