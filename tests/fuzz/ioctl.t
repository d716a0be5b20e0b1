#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random requests, reads, writes, polls, mmaps, forks and closes from many
threads, of 64-bit and 32-bit programs, under traffic, while the drivers are
unbound and bound and the machine is suspended; and with a kernel that can have
them fail (make debug-check), failing allocations. Once where the driver fills
the buffers, once where the device does.

FUZZ_SEED is where the random numbers start, FUZZ_TIME for how many seconds it
goes on in all."""
import os
import sys

import fuzzing
from guest import TWO_NICS, build_module, is_debug, run_script
from tap import Tap

SECONDS = max(int(os.environ.get("FUZZ_TIME", "20")) // 2, 1)
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
cat /sys/module/virtio_capture/parameters/offload
tail -n +2 /proc/net/bpf | wc -l
rmmod virtio_capture && echo removed
"""


def fuzz(tap, filler, offload, adds):
    """All of it in one guest."""
    finished, done = run_script(
        tap, [*TWO_NICS, "--smp", "2", "--timeout", str(10 * SECONDS + 100),
              "--append", f"virtio_capture.offload={offload}", *adds],
        SCRIPT.format(seconds=SECONDS, seed=fuzzing.seed()), leaks=True)
    tap.equal(finished, list(NAMES), f"{filler}: both programs ran")
    lines = done.stdout.splitlines()
    tap.equal(lines[-3:], ["NY"[offload], "0", "removed"], f"{filler}: no "
              "descriptor is left, and the module can be removed")
    tap.ok(done.returncode == 0, f"{filler}: the guest and its kernel are well",
           f"exit status {done.returncode}", done.stderr)


def main(tap):
    """With each that can fill the buffers."""
    added = [fuzzing.built(name) for name in NAMES]
    if is_debug():
        added.append(str(build_module("tests/fuzz/ioctl/module/nofail.c")))
    adds = [word for path in added for word in ("--add", path)]
    for offload, filler in enumerate(("the driver fills", "the device fills")):
        fuzz(tap, filler, offload, adds)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
