# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs programs, shows their progress, and reports their failures."""
import os
import re
import subprocess
import sys

from launcher.errors import Failure

# Variables of a calling make, which must not affect the programs.
NOT_OURS = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KVER", "KDIR", "KERNEL",
            "MODULES", "GUEST_ARCH", "GUEST_OUT", "QEMU_RELEASE",
            "DEBIAN_RELEASE", "DEBIAN_ARCH")
LAST_LINES = 30


class Gone(Failure):
    """Debian's server lacks a package that its index lists."""


def say(text):
    """Print a line on the standard error."""
    print(f"images/build: {text}", file=sys.stderr, flush=True)


def environment(**more):
    """Return the environment of a program."""
    kept = {name: value for name, value in os.environ.items()
            if name not in NOT_OURS}
    return {**kept, **more, "LC_ALL": "C.UTF-8"}


def package_that_is_gone(lines):
    """Return the file name of the package that apt got status 404 for; None if
    apt failed for another reason."""
    found = re.findall(r"^(?:E|Error): Failed to fetch \S*/(\S+)\s+404\b",
                       "\n".join(lines), re.MULTILINE)
    return found[-1] if found else None


def run(argv, what, is_verbose=False, **more):
    """Run a program and return the lines that it printed. Lines "I: ..." are
    shown as progress. If the program fails, print its last lines and raise
    Failure, or Gone."""
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
                   "index lists")
    # The first error is the cause of the others.
    reasons = [line[3:] for line in lines if line.startswith("E: ")]
    raise Failure(f"{what}: "
                  f"{reasons[0] if reasons else 'see the lines above'}")
