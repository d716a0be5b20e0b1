#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver with a misbehaving device: it gives the device up, readers get EIO,
and the guest is not affected otherwise."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from guest import DEVICE_OUT, RUN, TOP, kernel_module, run_script  # noqa: E402
from tap import Tap  # noqa: E402

HERE = os.path.join(TOP, "tests", "faulty")
OUT = os.path.join(DEVICE_OUT, "tests", "faulty")

# A module whose interface has no permanent address.
DUMMY = kernel_module("drivers/net/dummy.ko")

# One device on a NIC's netdev, one on a netdev without a NIC, and three on another
# NIC's netdev that lack a feature needed to fill buffers (own.c).
NICS = ["virtio-net-pci", "none", "virtio-net-pci"]
DEVICES = ["netdev=net0", "netdev=net1",
           "netdev=net2,id=without-filter", "netdev=net2,listener-queues=0",
           "netdev=net2,iommu_platform=on"]

# Whether the device fills the buffers of descriptors, or the driver does.
MODELS = [(0, "listener"), (1, "listener"), (1, "own")]

tap = Tap()
made = subprocess.run(["make", "-s", "-C", HERE], text=True, check=False,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
if tap.ok(made.returncode == 0, "the misbehaving device is built", made.stdout):
    for offload, program in MODELS:
        finished, done = run_script(
            tap, ["--no-capture", "--timeout", "400",
                  *[word for model in NICS for word in ("--nic", model)],
                  "--append", "ipv6.disable=1",
                  "--qemu-arg", "-plugin",
                  "--qemu-arg", os.path.join(OUT, "virtio-capture.so"),
                  *[word for options in DEVICES for word in
                    ("--qemu-arg", "-device",
                     "--qemu-arg", f"virtio-capture-pci,{options}")],
                  "--add", os.path.join(OUT, program), "--add", DUMMY],
            f"insmod dummy.ko && modprobe virtio_capture offload={offload} && " +
            RUN % program)
        tap.equal(finished, [program], f"the program {program} ran to its end")
        tap.ok(done.returncode == 0, "the guest's kernel reports no error",
               f"exit status {done.returncode}", done.stderr)
sys.exit(tap.done())
