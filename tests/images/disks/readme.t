#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk image of README.md: its commands, run unchanged."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import readme  # noqa: E402
import tree  # noqa: E402


def check(tap):
    """Makes the image; a command in it lists the device."""
    status, lines = readme.run(readme.commands("Your own virtual machine")[1])
    tap.ok(status == 0, "disk image: the commands of README.md succeed", *lines)
    tap.contains("\n".join(lines), "capture0",
                 "disk image: tcpdump -D in it lists the capture device")
    (tree.TOP / "build/debian.qcow2").unlink(missing_ok=True)


tree.main(check)
