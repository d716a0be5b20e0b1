#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every behaviour of /dev/bpf that tests/guest/*.c shows, with one CPU and with two,
with buffers that the device fills and that the driver fills (on a big-endian machine
only the driver does). PROGRAMS: run only these, by their names."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from guest import BIG_ENDIAN, run_programs  # noqa: E402
from tap import Tap  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = os.environ.get("PROGRAMS", "").split() or \
    sorted(name[:-2] for name in os.listdir(HERE) if name.endswith(".c"))

# Little memory, as one program uses up all of it.
SMALL = ["--memory", "256M", "--timeout", "300"]


class Named(Tap):
    """Prefixes each result with its guest."""
    guest = ""

    def ok(self, condition, name, *diagnostics):
        return super().ok(condition, f"{self.guest}: {name}", *diagnostics)


tap = Named()
tap.guest = "1 CPU"
run_programs(tap, NAMES, SMALL)
tap.guest = "2 CPUs"
run_programs(tap, NAMES, [*SMALL, "--smp", "2"], leaks=True)
for cpus in () if BIG_ENDIAN else ("1", "2"):
    tap.guest = f"{cpus} CPU{'s' * (cpus != '1')}, offload=0"
    run_programs(tap, NAMES, [*SMALL, "--smp", cpus, "--append",
                              "virtio_capture.offload=0"])
sys.exit(tap.done())
