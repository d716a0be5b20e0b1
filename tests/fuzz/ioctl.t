#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random requests, reads, writes, polls, mmaps, forks and closes on /dev/bpf, by
many threads of a 64-bit and a 32-bit program, with traffic, while drivers are
unbound and bound and the machine is suspended; on the debug kernel (make
debug-check) also with failing allocations. Runs once with offload, where the device
fills the buffers, and once without, where the driver does.

FUZZ_SEED sets the seed, FUZZ_TIME the total duration in seconds."""
import os
import sys

import fuzzing
from guest import TWO_NICS, build_module, is_debug, run_script
from tap import Tap

SECONDS = max(int(os.environ.get("FUZZ_TIME", "20")) // 2, 1)
NAMES = ("fuzz-ioctl", "fuzz-ioctl-32")

# Make all allocations eligible for fault injection; the threads choose which fail.
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
cat /sys/module/virtio_capture/parameters/offload
tail -n +2 /proc/net/bpf | wc -l
rmmod virtio_capture && echo removed
"""


def fuzz(tap, filler, offload, adds):
    """Runs both programs in one guest."""
    finished, done = run_script(
        tap, [*TWO_NICS, "--smp", "2", "--timeout", str(10 * SECONDS + 100),
              "--append", f"virtio_capture.offload={offload}", *adds],
        SCRIPT.format(seconds=SECONDS, seed=fuzzing.seed()), leaks=True)
    tap.equal(finished, list(NAMES), f"{filler}: both fuzzers run to their end")
    lines = done.stdout.splitlines()
    tap.equal(lines[-3:], ["NY"[offload], "0", "removed"], f"{filler}: no "
              "descriptor stays open, and the module can be removed")
    tap.ok(done.returncode == 0, f"{filler}: the guest's kernel reports no error",
           f"exit status {done.returncode}", done.stderr)


def main(tap):
    """Without and with offload."""
    added = [fuzzing.built(name) for name in NAMES]
    if is_debug():
        added.append(str(build_module("tests/fuzz/ioctl/module/nofail.c")))
    adds = [word for path in added for word in ("--add", path)]
    for offload, filler in enumerate(("offload=0", "offload=1")):
        fuzz(tap, filler, offload, adds)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
