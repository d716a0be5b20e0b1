#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The first examples of README.md work unchanged; make check-images tests that of a
disk image."""
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import readme  # noqa: E402
import tree  # noqa: E402
from guest import ARCH  # noqa: E402
from tap import skip_all  # noqa: E402

# Replaces "..." in QEMU's command line: the CPU is stopped, the monitor is on stdio.
QUIET = "-nodefaults -display none -S -monitor stdio"
ASK = "printf 'info qtree\\nquit\\n' | "


def try_guest(tap):
    """Runs a command in a guest."""
    script, = readme.commands("A guest to try")
    status, lines = readme.run(script)
    text = "\n".join(lines)
    tap.ok(status == 0, "a guest to try: the command succeeds", *lines)
    for part in ("ICMP echo request", "ICMP echo reply", "0 packets dropped"):
        tap.contains(text, part, f"a guest to try: tcpdump shows: {part}")


def own_machine(tap):
    """QEMU with the options of README.md has the device."""
    script = readme.commands("Your own virtual machine")[0]
    tap.equal(script.count(" ... "), 1, "own machine: the command has one ... for other options")
    script = script.replace("qemu-system", f"{ASK}qemu-system").replace(
        " ... ", f" {QUIET} ")
    status, lines = readme.run(script)
    tap.ok(status == 0, "own machine: QEMU accepts the options", *lines)
    tap.contains("\n".join(lines), "dev: virtio-capture-pci",
                 "own machine: QEMU has a capture device")


def own_tests(tap):
    """A folder of tests, each in a guest."""
    shutil.rmtree(tree.TOP / "build/guests", ignore_errors=True)
    script, = readme.commands("Your tests")
    status, lines = readme.run(script)
    tap.ok(status == 0, "own tests: they pass", *lines)
    tap.ok("ok 1 - build/guests/gateway" in lines, "own tests: the outcome is TAP",
           *lines)
    shutil.rmtree(tree.TOP / "build/guests")


def check(tap):
    """Runs all tests."""
    tap.run(try_guest, own_machine, own_tests)


# "make image" there would make the image of Debian's kernel again.
if ARCH != "x86_64" or any(os.environ.get(name) for name in (
        "GUEST_OUT", "KVER", "KERNEL", "MODULES", "QEMU_RELEASE")):
    skip_all("README.md is about this machine's own kernel and QEMU",
             is_lacking=False)
tree.main(check)
