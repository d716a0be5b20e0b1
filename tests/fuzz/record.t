#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libFuzzer finds nothing in the driver's way from a device's buffer to a
reader's. FUZZ_SECONDS sets for how long it tries; what it keeps is under
build/."""
import os
import re
import struct
import subprocess
import sys

import fuzzing
from tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = fuzzing.built("record-corpus")
CRASH = fuzzing.built("record-failure")
RECORD = struct.Struct("<QQIIHHI")

# The descriptor's set-up: an input's first bytes (record.c).
SETUPS = [bytes([0, 16, form, 1, 0x80, reads, 1, 0])
          for form in (0, 1, 2, 0x80, 0x81, 0x82) for reads in (0, 3)]


def record(size, flags=0, **wrong):
    """A record as a device writes it, with some fields spoilt."""
    fields = {"sec": 1700000000, "subsec": 123456, "caplen": size,
              "datalen": size, "hdrlen": 32, "flags": flags, "dropped": 0}
    fields.update(wrong)
    return RECORD.pack(*fields.values()) + bytes(size) + bytes(-size % 8)


def inputs():
    """What to begin with: good buffers, spoilt ones, and those kept."""
    good = record(60) + record(61, 1) + record(0) + record(200, 10)
    for setup in SETUPS:
        yield setup + good
        yield setup + record(40) * 30
    for wrong in ({"caplen": 0xffffffe0}, {"datalen": 1}, {"hdrlen": 0},
                  {"subsec": 10 ** 6}, {"dropped": 0xffffffff}):
        yield SETUPS[0] + record(60) + record(60, **wrong) + good
    with open(os.path.join(HERE, "corpus", "records.hex"),
              encoding="ascii") as file:
        yield from (bytes.fromhex(line) for line in file
                    if not line.startswith("#"))


os.makedirs(CORPUS, exist_ok=True)
for number, data in enumerate(inputs()):
    with open(os.path.join(CORPUS, f"seed{number}"), "wb") as seed:
        seed.write(data)
tap = Tap()
done = subprocess.run(
    [fuzzing.built("record"), f"-seed={fuzzing.seed()}",
     f"-max_total_time={os.environ.get('FUZZ_SECONDS', '20')}",
     "-max_len=8192", f"-exact_artifact_path={CRASH}", CORPUS],
    text=True, capture_output=True, check=False, errors="replace")
runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
print(f"# seed {fuzzing.seed()}, {runs[1] if runs else 'no'} executions")
tap.ok(done.returncode == 0, "no buffer goes wrong",
       f"the one that does: {CRASH}", done.stderr[-6000:])
tap.ok(runs and int(runs[1]) > 10000, "many buffers were tried",
       done.stderr[-2000:])
sys.exit(tap.done())
