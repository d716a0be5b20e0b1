#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In a guest's kernel, the driver's engine and its interpreter return the results of
libpcap's bpf_filter(), for programs and frames of libFuzzer's corpus and mutations
of them. FUZZ_SEED sets the seed, FUZZ_RUNS the number of runs."""
import os
import sys
import tempfile

import fuzzing
import pairs
from guest import run_script
from tap import Tap

RUNS = os.environ.get("FUZZ_RUNS", "200000")

# The engines: the JIT compiler; the JIT compiler with constant blinding; the driver's
# interpreter, for a user without privileges when the JIT compiler's memory limit is
# exceeded; and the kernel's interpreter.
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
    """Runs all engines in one guest."""
    done = pairs.write(f"{folder}/pairs")
    if not tap.ok(done.returncode == 0,
                  "on the host no pair of a program and a frame fails",
                  done.stdout, done.stderr[-6000:]):
        return
    adds = [word for name in (fuzzing.built("kernel"), f"{folder}/pairs",
                              fuzzing.built("module/engine_test.ko"))
            for word in ("--add", name)]
    finished, done = run_script(
        tap, ["--timeout", os.environ.get("FUZZ_TIMEOUT", "600"), *adds],
        SCRIPT)
    tap.equal(finished, ["kernel"] * 4,
              "the program runs in the guest with each engine")
    tap.contains(done.stdout, "removed", "the module engine_test can be removed")
    tap.ok(done.returncode == 0, "the guest's kernel reports no error",
           f"exit status {done.returncode}", done.stderr)


TAP = Tap()
with tempfile.TemporaryDirectory() as scratch:
    check(TAP, scratch)
sys.exit(TAP.done())
