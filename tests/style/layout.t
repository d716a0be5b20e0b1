#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shape of the tree: names at its top, modes, lengths of files."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

TOP_FOLDERS = {"qemu-device", "guest-driver", "spec", "images", "tests",
               "LICENSES"}
TOP_FILES = {"Makefile", "README.md"}

# A file of code is meant to stay well below 500 lines.
MOST_LINES = 600


def top_level(name):
    """Only the agreed names stand at the top."""
    first, *rest = name.split("/")
    if first.startswith(".") or first in (TOP_FOLDERS if rest else TOP_FILES) \
            or (first.startswith("LICENSE") and not rest):
        return []
    return [f"{name}:1: {first!r} does not belong at the top of the tree"]


def length(name):
    """No file of code is too long to keep in mind."""
    lines = tree.content(name).count(b"\n")
    if tree.is_code(name) and lines > MOST_LINES:
        return [f"{name}:{lines}: {lines} lines of code, {MOST_LINES} at most:"
                " split it"]
    return []


def mode(name):
    """A file is executable if it has a #! line, and a test has both."""
    executable = os.access(tree.TOP / name, os.X_OK)
    starts = bool(tree.interpreter(name))
    if name.endswith(".t") and not (executable and starts):
        return [f"{name}:1: a test must be executable and begin with #!"]
    if executable and not starts:
        return [f"{name}:1: executable without a #! line"]
    if starts and not executable:
        return [f"{name}:1: begins with #! but is not executable"]
    return []


def check(tap):
    """One result for each rule."""
    for rule in (top_level, length, mode):
        found = [line for name in tree.files() for line in rule(name)]
        tap.ok(not found, rule.__doc__.rstrip("."), *found)
    tap.ok(tree.files(), "git lists the tree's files")


tree.main(check)
