#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libFuzzer finds no filter program and frame for which the interpreter or the
translated eBPF program returns another result than libpcap's bpf_filter().
FUZZ_SECONDS sets the duration; the corpus is below build/."""
import sys

import fuzzing
import pairs
from tap import Tap

tap = Tap()
SEEDS = pairs.seeds()
tap.ok(len(SEEDS) > 500,
       "the seeds have compiled programs with frames of real protocols")
fuzzing.libfuzzer(tap, "differential", SEEDS, pairs.LONGEST,
                  "pair of a program and a frame")
sys.exit(tap.done())
