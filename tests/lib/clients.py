# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that tests/clients/Makefile builds, for use in the guest: with their shared
libraries and with line-buffered output."""
import os
import re
import subprocess

from guest import TOP

CLIENTS = os.path.join(TOP, "build", "tests", "clients")

# The library of stdbuf(1), as output to a file is block-buffered otherwise.
STDBUF = "/usr/libexec/coreutils/libstdbuf.so"
BY_LINES = f"export LD_PRELOAD={STDBUF} _STDBUF_O=L\n"


def add_programs(*paths):
    """Returns options of images/vm for programs in /root and their libraries."""
    files = set()
    for path in (*paths, STDBUF):
        done = subprocess.run(["ldd", path], text=True, check=True,
                              capture_output=True)
        files |= set(re.findall(r"(/\S+) \(0x", done.stdout))
    words = []
    for file in sorted(files | {STDBUF}):
        words += ["--add", f"{file}:{file}"]
    for path in paths:
        words += ["--add", path]
    return words
