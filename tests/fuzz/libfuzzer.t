#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libFuzzer finds nothing in the validator, the interpreter and the rewriter.
FUZZ_SECONDS sets for how long it tries; what it keeps is under build/."""
import os
import re
import struct
import subprocess
import sys

import fuzzing
from tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = fuzzing.built("corpus")
CRASH = fuzzing.built("libfuzzer-failure")
MAX_LEN = 1024
SEED_NAME = os.path.join(CORPUS, "seed%d")


def compiled():
    """Programs of real expressions, each with room for a packet."""
    with open(fuzzing.built("programs"), "rb") as file:
        data = file.read()
    while data:
        count = struct.unpack_from("=I", data)[0]
        insns, data = data[4:4 + 8 * count], data[4 + 8 * count:]
        # An input has an odd number of instructions.
        if count % 2 == 0:
            insns += insns[-8:]
        yield bytes([count // 2 % 256]) + insns + bytes(64)


def kept():
    """What earlier runs found worth keeping; an input a line."""
    with open(os.path.join(HERE, "corpus", "inputs.hex"),
              encoding="ascii") as file:
        return [bytes.fromhex(line) for line in file
                if not line.startswith("#")]


def seeds():
    """Writes both kinds to where libFuzzer begins; returns how many."""
    os.makedirs(CORPUS, exist_ok=True)
    inputs = [data for data in [*kept(), *compiled()] if len(data) <= MAX_LEN]
    for number, data in enumerate(inputs):
        with open(SEED_NAME % number, "wb") as file:
            file.write(data)
    return len(inputs)


tap = Tap()
tap.ok(seeds() > 100, "there are inputs to begin with")
done = subprocess.run(
    [fuzzing.built("libfuzzer"), f"-seed={fuzzing.seed()}",
     f"-max_total_time={os.environ.get('FUZZ_SECONDS', '20')}",
     f"-max_len={MAX_LEN}", f"-exact_artifact_path={CRASH}", CORPUS],
    text=True, capture_output=True, check=False, errors="replace")
runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
print(f"# seed {fuzzing.seed()}")
tap.ok(done.returncode == 0, "no input goes wrong",
       f"the one that does: {CRASH}", done.stderr[-6000:])
tap.ok(runs and int(runs[1]) > 10000, "many inputs were tried",
       done.stderr[-2000:])
sys.exit(tap.done())
