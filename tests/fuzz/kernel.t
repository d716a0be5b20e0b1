#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In a guest's kernel, the driver's engine and its interpreter answer as
libpcap's bpf_filter() does. FUZZ_SEED and FUZZ_PAIRS set what is tried."""
import os
import sys

import fuzzing
from guest import run_script
from tap import Tap

NAMES = ("kernel", "programs", "frames.pcap", "module/engine_test.ko")

# What translates: the processor's instructions as usual, the same with
# constants blinded, and no translator but the kernel's own interpreter.
SCRIPT = """
insmod engine_test.ko || exit
fuzz() {
    echo "# program kernel"
    ./kernel %s $(($2 * %s / 100)) $1 programs frames.pcap
    echo "# exit kernel $?"
}
fuzz jit 80
echo 2 > /proc/sys/net/core/bpf_jit_harden
fuzz jit 10
echo 0 > /proc/sys/net/core/bpf_jit_enable
fuzz kernel 10
rmmod engine_test && echo removed
"""

fuzzing.write_frames()
tap = Tap()
adds = [word for name in NAMES for word in ("--add", fuzzing.built(name))]
finished, done = run_script(
    tap, ["--timeout", os.environ.get("FUZZ_TIMEOUT", "600"), *adds],
    SCRIPT % (fuzzing.seed(), fuzzing.pairs(200_000)))
tap.equal(finished, ["kernel"] * 3,
          "the fuzzer ran in the guest, with each of the kernel's engines")
tap.contains(done.stdout, "removed", "the module can be removed")
tap.ok(done.returncode == 0, "the guest and its kernel are well",
       f"exit status {done.returncode}", done.stderr)
sys.exit(tap.done())
