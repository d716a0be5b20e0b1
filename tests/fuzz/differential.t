#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interpreter and programs translated to eBPF answer as libpcap's
bpf_filter() does. FUZZ_SEED and FUZZ_PAIRS set what is tried."""
import os
import sys

import fuzzing

fuzzing.write_frames()
os.execv(fuzzing.built("differential"),
         ["differential", fuzzing.seed(), fuzzing.pairs(10_000_000),
          fuzzing.built("programs"), fuzzing.FRAMES])
sys.exit(1)
