#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver is clean under sparse and under the compiler's warnings at W=1."""
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from passed import check_once  # noqa: E402

# A message of the compiler, sparse, or kernel-doc, which W=1 runs, too:
# "file:line:column: text", or without a column.
MESSAGE = re.compile(r"^(\S+?):(\d+)(?::\d+)?:\s")


SOURCES = [name for name in tree.files()
           if name.startswith(("guest-driver/", "spec/", "images/arch.mk",
                               "images/guest/kbuild"))]


def fresh_copy():
    """A copy of the driver's sources, to compile all of them."""
    copy = tree.BUILD / "sparse"
    shutil.rmtree(copy, ignore_errors=True)
    for name in SOURCES:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tree.TOP / name, target)
    return copy


def build(tap):
    """Builds the copy with sparse; one result for each C file."""
    if not shutil.which("sparse"):
        raise tree.Missing("sparse is not installed")
    copy = fresh_copy()
    status, lines = tree.run("make", "-j2", "-C", copy / "guest-driver",
                             "C=1", "W=1")
    tap.ok(status == 0, "the driver builds with C=1 W=1", *lines[-20:])
    found = {}
    for line in lines:
        line = line.replace(f"{copy}/build/", "")
        place = MESSAGE.match(line)
        if place:
            found.setdefault(place[1], []).append(line)
    for name in filter(tree.is_c, SOURCES):
        tap.ok(name not in found, f"{name} has no warning",
               *found.get(name, []))


tree.main(lambda tap: check_once(tap, SOURCES, build))
