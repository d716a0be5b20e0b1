# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of other projects in the guest, as tests/clients/Makefile built
them: with their shared libraries, and with output that can be waited for."""
import os
import re
import subprocess

from guest import TOP

CLIENTS = os.path.join(TOP, "build", "tests", "clients")

# Of coreutils: what stdbuf(1) preloads, as a file is written in blocks else.
STDBUF = "/usr/libexec/coreutils/libstdbuf.so"
BY_LINES = f"export LD_PRELOAD={STDBUF} _STDBUF_O=L\n"


def add_programs(*paths):
    """Options of images/vm for programs in /root, and for what they load."""
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
