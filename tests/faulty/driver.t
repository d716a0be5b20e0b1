#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver with a device that lies: it gives the device up, readers get EIO,
and nothing else happens to the guest."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from guest import RUN, TOP, kernel_module, run_script  # noqa: E402
from tap import Tap  # noqa: E402

HERE = os.path.join(TOP, "tests", "faulty")
OUT = os.path.join(TOP, "build", "tests", "faulty")

# The module of an interface that has no permanent address.
DUMMY = kernel_module("drivers/net/dummy.ko")

tap = Tap()
made = subprocess.run(["make", "-s", "-C", HERE], text=True, check=False,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
if tap.ok(made.returncode == 0, "the device that lies is built", made.stdout):
    # One device beside a NIC, and one that has none.
    finished, done = run_script(
        tap, ["--no-capture", "--timeout", "400",
              "--nic", "virtio-net-pci", "--nic", "none",
              "--append", "ipv6.disable=1",
              "--qemu-arg", "-plugin",
              "--qemu-arg", os.path.join(OUT, "virtio-capture.so"),
              "--qemu-arg", "-device",
              "--qemu-arg", "virtio-capture-pci,netdev=net0",
              "--qemu-arg", "-device",
              "--qemu-arg", "virtio-capture-pci,netdev=net1",
              "--add", os.path.join(OUT, "listener"), "--add", DUMMY],
        "insmod dummy.ko && modprobe virtio_capture && " + RUN % "listener")
    tap.equal(finished, ["listener"], "the program ran")
    tap.ok(done.returncode == 0, "the guest and its kernel are well",
           f"exit status {done.returncode}", done.stderr)
sys.exit(tap.done())
