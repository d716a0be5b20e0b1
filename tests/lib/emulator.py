# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU that is tested, and the plug-in for it."""
import os
import subprocess
from pathlib import Path

import waiting

TOP = Path(__file__).resolve().parents[2]
# QEMU_RELEASE: see the Makefile.
RELEASE = os.environ.get("QEMU_RELEASE") or ""
BUILD = TOP / "build" / RELEASE / "tests" / "device"
PLUGIN = TOP / "build" / RELEASE / "qemu-device" / "virtio-capture.so"
QEMU = "qemu-system-x86_64"
if RELEASE:
    QEMU = str(TOP / "build" / "downloads" / f"qemu-{RELEASE}" / "run-qemu" / QEMU)

# A QEMU which has the device in its own tree, and no firmware: make check-in-tree.
FIRMWARE = []
if os.environ.get("QEMU_IN_TREE"):
    QEMU, PLUGIN = os.environ["QEMU_IN_TREE"], None
    FIRMWARE = ["-L", "/usr/share/qemu", "-L", "/usr/share/seabios",
                "-L", "/usr/lib/ipxe/qemu"]

RAM = 64 << 20                  # of a machine


def command_line(*args, plugin=PLUGIN):
    """QEMU with the plug-in, without any device that is not asked for."""
    return [QEMU, "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "pc", "-accel", "tcg", "-m", str(RAM >> 20), *FIRMWARE,
            *(["-plugin", str(plugin)] if plugin else []), *map(str, args)]


def run_qemu(*args, plugin=PLUGIN, **options):
    """A QEMU that is to end by itself: its exit status and error output."""
    done = subprocess.run(command_line(*args, plugin=plugin), check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=waiting.PATIENCE, **options)
    return done.returncode, done.stderr.decode()
