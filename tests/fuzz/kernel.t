#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In a guest's kernel, the driver's engine and its interpreter answer as
libpcap's bpf_filter() does, for programs and frames of libFuzzer's: its corpus,
and what it makes of that next. FUZZ_SEED and FUZZ_RUNS set what is tried."""
import os
import sys
import tempfile

import fuzzing
import pairs
from guest import run_script
from tap import Tap

RUNS = os.environ.get("FUZZ_RUNS", "200000")

# What runs a program: the processor as usual; the same with constants blinded;
# the driver's interpreter, for a user without privileges when the translator has
# no memory left for those; and the kernel's own interpreter.
SCRIPT = f"""
insmod engine_test.ko || exit
fuzz() {{
    echo "# program kernel"
    ./kernel {fuzzing.seed()} $(($2 * {RUNS} / 100)) "$1" pairs
    echo "# exit kernel $?"
}}
fuzz jit 70
echo 2 > /proc/sys/net/core/bpf_jit_harden
fuzz jit 10
echo 1 > /proc/sys/net/core/bpf_jit_limit
case $(uname -r) in
6.1.*) fuzz interpreter 10 ;;
*) fuzz "interpreter or kernel" 10 ;;
esac
echo 0 > /proc/sys/net/core/bpf_jit_enable
fuzz kernel 10
rmmod engine_test && echo removed
"""


def check(tap, folder):
    """All of it in one guest."""
    done = pairs.write(f"{folder}/pairs")
    if not tap.ok(done.returncode == 0, "no pair goes wrong on the host",
                  done.stdout, done.stderr[-6000:]):
        return
    adds = [word for name in (fuzzing.built("kernel"), f"{folder}/pairs",
                              fuzzing.built("module/engine_test.ko"))
            for word in ("--add", name)]
    finished, done = run_script(
        tap, ["--timeout", os.environ.get("FUZZ_TIMEOUT", "600"), *adds],
        SCRIPT)
    tap.equal(finished, ["kernel"] * 4,
              "the fuzzer ran in the guest, with each engine")
    tap.contains(done.stdout, "removed", "the module can be removed")
    tap.ok(done.returncode == 0, "the guest and its kernel are well",
           f"exit status {done.returncode}", done.stderr)


TAP = Tap()
with tempfile.TemporaryDirectory() as scratch:
    check(TAP, scratch)
sys.exit(TAP.done())
