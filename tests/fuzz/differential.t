#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libFuzzer finds no filter program and frame for which the interpreter, or the
program translated to eBPF, answers otherwise than libpcap's bpf_filter().
FUZZ_SECONDS sets for how long it tries; what it keeps is under build/."""
import sys

import fuzzing
import pairs
from tap import Tap

tap = Tap()
SEEDS = pairs.seeds()
tap.ok(len(SEEDS) > 500, "there are compiled programs with real frames")
fuzzing.libfuzzer(tap, "differential", SEEDS, pairs.LONGEST, "pair")
sys.exit(tap.done())
