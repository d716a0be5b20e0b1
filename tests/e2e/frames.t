#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tcpdump captures known frames unchanged, in both directions."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from guest import ARCH  # noqa: E402
from replay import test_nics  # noqa: E402
from tap import Tap  # noqa: E402

TAP = Tap()
# QEMU has no other PCI NIC for s390x.
test_nics(TAP, ("virtio-net-pci", "e1000") if ARCH != "s390x"
          else ("virtio-net-pci",))
sys.exit(TAP.done())
