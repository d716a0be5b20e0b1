#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads share descriptors on two CPUs for a minute: no kernel warning, no stuck
thread, no leak. STRESS_SECONDS: how long."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from guest import PROGRAMS, TIME_SCALE, TWO_NICS, vm  # noqa: E402
from tap import Tap  # noqa: E402

SECONDS = int(os.environ.get("STRESS_SECONDS", "60"))

# The driver's resources: buffers of descriptors in vmallocinfo, descriptors in
# /proc/net/bpf, references in lsmod.
LOOK = """
grep -c virtio_capture /proc/vmallocinfo
tail -n +2 /proc/net/bpf | wc -l
lsmod | awk '$1 == "virtio_capture" { print $3 }'
"""
SCRIPT = f"""
echo {round(5 * TIME_SCALE)} > /proc/sys/kernel/hung_task_timeout_secs 2>/dev/null
echo processors $(nproc)
{LOOK}
./stress {SECONDS}
{LOOK}
dmesg | grep -c 'blocked for more than'
"""

tap = Tap()
done = vm([*TWO_NICS, "--smp", "2", "--timeout", str(SECONDS + 100),
           "--add", os.path.join(PROGRAMS, "tools", "stress")],
          ["sh", "-c", SCRIPT])
lines = done.stdout.split("\n")
counts = dict(line.rsplit(" ", 1) for line in lines if line.count(" ") == 1)
tap.equal(counts.get("processors"), "2", "the guest has two processors")
for role in ("reads", "polls", "changes", "looks", "closes", "frames"):
    tap.ok(int(counts.get(role, 0)) > SECONDS / TIME_SCALE,
           f"every thread did its part: {role}", done.stdout)
print("#", counts)
numbers = [line for line in lines if line.isdigit()]
tap.equal(numbers[3:6], numbers[:3],
          "buffers, descriptors and references are as before the threads")
tap.equal(numbers[6:], ["0"], "no task hangs")
tap.ok(done.returncode in (0, 1) and "kernel" not in done.stderr,
       "the kernel's log has no complaint",
       f"exit status {done.returncode}", done.stderr)
sys.exit(tap.done())
