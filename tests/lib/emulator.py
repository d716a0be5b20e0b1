# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU under test and its plug-in."""
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

# make check-in-tree: a QEMU with the device in its own tree, and without firmware.
FIRMWARE = []
if os.environ.get("QEMU_IN_TREE"):
    QEMU, PLUGIN = os.environ["QEMU_IN_TREE"], None
    FIRMWARE = ["-L", "/usr/share/qemu", "-L", "/usr/share/seabios",
                "-L", "/usr/lib/ipxe/qemu"]

RAM = 64 << 20                  # bytes of a machine's memory


def command_line(*args, plugin=PLUGIN):
    """Returns a command line of QEMU with the plug-in and without default devices."""
    return [QEMU, "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "pc", "-accel", "tcg", "-m", str(RAM >> 20), *FIRMWARE,
            *(["-plugin", str(plugin)] if plugin else []), *map(str, args)]


def run_qemu(*args, plugin=PLUGIN, **options):
    """Runs a QEMU that exits by itself; returns its exit status and errors."""
    done = subprocess.run(command_line(*args, plugin=plugin), check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=waiting.PATIENCE, **options)
    return done.returncode, done.stderr.decode()
