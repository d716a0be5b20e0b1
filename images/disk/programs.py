# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the programs that do the work, and tells of their failures."""
import os
import re
import subprocess
import sys

from launcher.errors import Failure

# A make around this one must not rule those in it, nor another guest's kernel.
NOT_OURS = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KVER", "KDIR", "KERNEL",
            "MODULES", "GUEST_ARCH", "GUEST_OUT", "QEMU_RELEASE",
            "DEBIAN_RELEASE", "DEBIAN_ARCH")
LAST_LINES = 30


class Gone(Failure):
    """Debian's server lacks a package that its list has."""


def say(text):
    """A line for the user."""
    print(f"images/build: {text}", file=sys.stderr, flush=True)


def environment(**more):
    """The environment of a program."""
    kept = {name: value for name, value in os.environ.items()
            if name not in NOT_OURS}
    return {**kept, **more, "LC_ALL": "C.UTF-8"}


def package_that_is_gone(lines):
    """The file of a package that apt could not have, if that ended it."""
    found = re.findall(r"^(?:E|Error): Failed to fetch \S*/(\S+)\s+404\b",
                       "\n".join(lines), re.MULTILINE)
    return found[-1] if found else None


def run(argv, what, is_verbose=False, **more):
    """Runs a program, whose lines "I: ..." are shown as they come; Failure if
    it fails, with the last of its lines. It gives all of them."""
    lines = []
    with subprocess.Popen([str(word) for word in argv], text=True,
                          errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment(**more)) as program:
        for line in program.stdout:
            lines.append(line.rstrip("\n"))
            if is_verbose:
                sys.stderr.write(line)
            elif line.startswith("I: ") and "-hook" not in line:
                say(line[3:].rstrip("\n"))
    if program.returncode == 0:
        return lines
    if not is_verbose:
        print(*lines[-LAST_LINES:], sep="\n", file=sys.stderr)
    gone = package_that_is_gone(lines)
    if gone:
        raise Gone(f"SKIPPED: Debian's server does not have {gone}, which its "
                   "list has")
    # The first error is the cause of the others.
    reasons = [line[3:] for line in lines if line.startswith("E: ")]
    raise Failure(f"{what}: "
                  f"{reasons[0] if reasons else 'see the lines above'}")
