#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libFuzzer finds nothing in the validator, the interpreter and the translator.
FUZZ_SECONDS sets for how long it tries; what it keeps is under build/."""
import struct
import sys

import fuzzing
from tap import Tap

LONGEST = 1024


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


INPUTS = [data for data in [*fuzzing.kept("inputs.hex"), *compiled()]
          if len(data) <= LONGEST]
tap = Tap()
tap.ok(len(INPUTS) > 100, "there are inputs to begin with")
fuzzing.libfuzzer(tap, "libfuzzer", INPUTS, LONGEST, "input")
sys.exit(tap.done())
