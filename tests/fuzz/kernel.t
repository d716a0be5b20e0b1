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

# What runs a program: the processor as usual; the same with constants blinded;
# the driver's interpreter, for a user without privileges when the translator has
# no memory left for those; and the kernel's own interpreter.
SCRIPT = """
insmod engine_test.ko || exit
fuzz() {
    echo "# program kernel"
    ./kernel %s $(($2 * %s / 100)) "$1" programs frames.pcap
    echo "# exit kernel $?"
}
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

fuzzing.write_frames()
tap = Tap()
adds = [word for name in NAMES for word in ("--add", fuzzing.built(name))]
finished, done = run_script(
    tap, ["--timeout", os.environ.get("FUZZ_TIMEOUT", "600"), *adds],
    SCRIPT % (fuzzing.seed(), fuzzing.pairs(200_000)))
tap.equal(finished, ["kernel"] * 4,
          "the fuzzer ran in the guest, with each engine")
tap.contains(done.stdout, "removed", "the module can be removed")
tap.ok(done.returncode == 0, "the guest and its kernel are well",
       f"exit status {done.returncode}", done.stderr)
sys.exit(tap.done())
