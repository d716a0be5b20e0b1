#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver when adding a buffer to a queue fails, as it does without memory."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from guest import DEVICE_OUT, RUN, TOP, TWO_NICS, guest_file, run_script  # noqa: E402
from tap import Tap  # noqa: E402

HERE = os.path.join(TOP, "tests", "faulty")
OUT = os.path.join(DEVICE_OUT, "tests", "faulty")

tap = Tap()
made = subprocess.run(["make", "-s", "-C", HERE, "refused"], text=True,
                      check=False, stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT)
if tap.ok(made.returncode == 0, "the module and the program are built",
          made.stdout):
    # 1: the device fills the buffers of descriptors; 0: the driver does.
    for model in 1, 0:
        finished, done = run_script(
            tap, [*TWO_NICS, "--timeout", "200",
                  "--append", f"virtio_capture.offload={model}",
                  "--add", os.path.join(OUT, "refused"), "--add",
                  guest_file("tests", "faulty", "module", "refuse.ko")],
            "insmod refuse.ko && " + RUN % "refused")
        tap.equal(finished, ["refused"], f"offload={model}: the program ran")
        tap.ok(done.returncode == 0, "the guest's kernel reports no error",
               f"exit status {done.returncode}", done.stderr)
sys.exit(tap.done())
