#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The test of frames.t with every other NIC that QEMU emulates and Debian supports."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from replay import test_nics  # noqa: E402
from tap import Tap  # noqa: E402

MODELS = (
    "virtio-net-pci,mrg_rxbuf=off,csum=off,guest_csum=off,gso=off",
    "e1000e", "rtl8139", "vmxnet3", "pcnet", "ne2k_pci", "tulip", "i82559er",
    "usb-net",
)

TAP = Tap()
test_nics(TAP, MODELS, 60)
sys.exit(TAP.done())
