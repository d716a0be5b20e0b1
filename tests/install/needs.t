#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make -C guest-driver prints what the machine lacks, and which package has it."""
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

OUT = tree.TOP / "build" / "tests" / "install" / "needs"
# The programs on a machine without a compiler.
PROGRAMS = ("sh", "ls", "grep", "sort", "sed", "mkdir", "cp", "cmp", "uname",
            "make", "dpkg", "env", "install", "rm", "chmod")
COMPILER = "no compiler, cc: install gcc and libc6-dev"
HEADERS = ("no kernel headers in /nosuch: install linux-headers-amd64, or set "
           "KDIR to their directory")


def make(*words, path=None):
    """Runs make; returns its exit status, and its output without make's own lines."""
    status, lines = tree.run(
        "env", *([f"PATH={path}"] if path else []), "make", "-s",
        "--no-print-directory", "-C", "guest-driver",
        f"GUEST_OUT={OUT / 'out'}", *words)
    return status, [line for line in lines if not line.startswith("make: ")]


def check(tap):
    """Without a compiler, kernel headers or a static C library, or several of them."""
    shutil.rmtree(OUT, ignore_errors=True)
    few = OUT / "programs"
    few.mkdir(parents=True)
    for name in PROGRAMS:
        os.symlink(shutil.which(name), few / name)
    static = OUT / "cc"
    static.write_text("#!/bin/sh\nfor word; do\n"
                      "[ \"$word\" != -static ] || exit 1\ndone\nexec gcc \"$@\"\n")
    static.chmod(0o755)
    tap.equal(make("KDIR=/nosuch", path=few), (2, [COMPILER, HEADERS]),
              "without compiler and headers make names the packages of both")
    tap.equal(make(path=few), (2, [COMPILER]),
              "without a compiler make names the packages")
    tap.equal(make("KDIR=/nosuch"), (2, [HEADERS]),
              "without kernel headers make names the package")
    tap.equal(make("install", f"DESTDIR={OUT / 'root'}", path=few),
              (2, [COMPILER]),
              "make install of a built tree without a compiler reports it for bpfstat")
    tap.equal(make("KDIR=/nosuch", f"CC={static}"),
              (2, ["no static C library: install libc6-dev",
                   HEADERS]), "without libc6-dev make names the package")
    tap.ok(not list((OUT / "out").rglob("*.o")),
           "where something is missing nothing is built")


tree.main(check)
