#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random requests, reads, writes, polls, mmaps, forks and closes from many
threads, of 64-bit and 32-bit programs, under traffic, while the drivers are
unbound and bound and the machine is suspended; and with a kernel that can have
them fail (make debug-check), failing allocations.

FUZZ_SEED is where the random numbers start, FUZZ_TIME for how many seconds it
goes on."""
import os
import sys

import fuzzing
from guest import TWO_NICS, build_module, is_debug, run_script
from tap import Tap

SECONDS = int(os.environ.get("FUZZ_TIME", "15"))
NAMES = ("fuzz-ioctl", "fuzz-ioctl-32")

# Any allocation may fail; the threads say which one is to.
SCRIPT = """
debug=/sys/kernel/debug
for kind in failslab fail_page_alloc fail_usercopy; do
    [ -d $debug/$kind ] || continue
    echo 0 > $debug/$kind/verbose
    [ ! -e $debug/$kind/ignore-gfp-wait ] ||
        echo N > $debug/$kind/ignore-gfp-wait
    [ ! -e $debug/$kind/ignore-gfp-highmem ] ||
        echo N > $debug/$kind/ignore-gfp-highmem
    [ ! -e $debug/$kind/min-order ] || echo 0 > $debug/$kind/min-order
done

[ ! -e nofail.ko ] || insmod nofail.ko
./fuzz-ioctl-32 {seconds} {seed} calm > second &
echo "# program fuzz-ioctl"
./fuzz-ioctl {seconds} {seed}
echo "# exit fuzz-ioctl $?"
wait
echo "# program fuzz-ioctl-32"
cat second
echo "# exit fuzz-ioctl-32 0"
tail -n +2 /proc/net/bpf | wc -l
rmmod virtio_capture && echo removed
"""

tap = Tap()
added = [fuzzing.built(name) for name in NAMES]
if is_debug():
    added.append(str(build_module("tests/fuzz/ioctl/module/nofail.c")))
adds = [word for path in added for word in ("--add", path)]
finished, done = run_script(
    tap, [*TWO_NICS, "--smp", "2", "--timeout", str(10 * SECONDS + 100), *adds],
    SCRIPT.format(seconds=SECONDS, seed=fuzzing.seed()), leaks=True)
tap.equal(finished, list(NAMES), "both programs ran")
lines = done.stdout.splitlines()
tap.equal(lines[-2:], ["0", "removed"],
          "no descriptor is left, and the module can be removed")
tap.ok(done.returncode == 0, "the guest and its kernel are well",
       f"exit status {done.returncode}", done.stderr)
sys.exit(tap.done())
