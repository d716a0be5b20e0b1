#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The layout of the tree: names at its top, modes and lengths of files, and the list
of tests in tests/README.md."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

TOP_FOLDERS = {"qemu-device", "guest-driver", "spec", "images", "tests",
               "LICENSES"}
TOP_FILES = {"Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"}

# Source files should have less than 500 lines; this is the hard limit.
MOST_LINES = 600


def top_level(name):
    """Only the agreed names are at the top of the tree."""
    first, *rest = name.split("/")
    if first.startswith(".") or first in (TOP_FOLDERS if rest else TOP_FILES) \
            or (first.startswith("LICENSE") and not rest):
        return []
    return [f"{name}:1: {first!r} does not belong at the top of the tree"]


def length(name):
    """No source file has more than 600 lines."""
    lines = tree.content(name).count(b"\n")
    if tree.is_code(name) and lines > MOST_LINES:
        return [f"{name}:{lines}: {lines} lines of code, {MOST_LINES} at most:"
                " split it"]
    return []


def mode(name):
    """A file is executable if and only if it has a #! line, and a test has both."""
    executable = os.access(tree.TOP / name, os.X_OK)
    starts = bool(tree.interpreter(name))
    if name.endswith(".t") and not (executable and starts):
        return [f"{name}:1: a test must be executable and begin with #!"]
    if executable and not starts:
        return [f"{name}:1: executable without a #! line"]
    if starts and not executable:
        return [f"{name}:1: begins with #! but is not executable"]
    return []


def listed_tests():
    """Rows of the tables in tests/README.md: folders, and tests in them."""
    text = tree.text("tests/README.md")
    return [(folders, re.findall(r"`((?:build/)?tests/[^`]*)`", rest))
            for folders, rest in re.findall(r"^\| (`[^|]*) \|(.*)$", text, re.M)]


def check_list(tap):
    """tests/README.md has each folder of tests, and its examples exist."""
    rows = listed_tests()
    listed = {name for folders, _ in rows
              for name in re.findall(r"`([^`]*)`", folders)}
    folders = {name.split("/")[1] for name in tree.files()
               if name.startswith("tests/") and name.count("/") > 1}
    tap.equal(sorted(folders ^ {name for name in listed if "/" not in name}), [],
              "tests/README.md lists each folder of tests, and no other")
    deeper = [name for name in listed if "/" in name]
    tap.equal([name for name in deeper if not (tree.TOP / "tests" / name).is_dir()],
              [], "tests/README.md: listed subfolders exist")
    examples = [name for _, names in rows for name in names]
    # A unit test is built from its source.
    sources = [re.sub(r"^build/(.*)\.t$", r"\1.c", name) for name in examples]
    tap.equal([name for name in sources if name not in tree.files()], [],
              "tests/README.md: each example is a test")
    tap.ok(len(examples) > 10, "tests/README.md has examples", *examples)


def check(tap):
    """One result for each rule."""
    for rule in (top_level, length, mode):
        found = [line for name in tree.files() for line in rule(name)]
        tap.ok(not found, rule.__doc__.rstrip("."), *found)
    tap.ok(tree.files(), "git lists the tree's files")
    check_list(tap)


tree.main(check)
