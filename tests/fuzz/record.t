#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libFuzzer finds no error in the driver's processing of used buffers. FUZZ_SECONDS
sets the duration; the corpus is below build/."""
import struct
import sys

import fuzzing
from tap import Tap

RECORD = struct.Struct("<QQIIHHI")

# The descriptor's set-up: an input's first bytes (record.c).
SETUPS = [bytes([0, 16, form, 1, 0x80, reads, 1, 0])
          for form in (0, 1, 2, 0x80, 0x81, 0x82) for reads in (0, 3)]


def record(size, flags=0, **wrong):
    """A record as a device writes it, with some invalid fields."""
    fields = {"sec": 1700000000, "subsec": 123456, "caplen": size,
              "datalen": size, "hdrlen": 32, "flags": flags, "dropped": 0}
    fields.update(wrong)
    return RECORD.pack(*fields.values()) + bytes(size) + bytes(-size % 8)


def inputs():
    """The seeds: valid and invalid buffers, and inputs of earlier runs."""
    good = record(60) + record(61, 1) + record(0) + record(200, 10)
    for setup in SETUPS:
        yield setup + good
        yield setup + record(40) * 30
    for wrong in ({"caplen": 0xffffffe0}, {"datalen": 1}, {"hdrlen": 0},
                  {"subsec": 10 ** 6}, {"dropped": 0xffffffff}):
        yield SETUPS[0] + record(60) + record(60, **wrong) + good
    yield from fuzzing.kept("records.hex")


tap = Tap()
fuzzing.libfuzzer(tap, "record", inputs(), 8192, "used buffer")
sys.exit(tap.done())
