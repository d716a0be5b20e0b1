#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages are clean under mandoc's lint."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402


def check(tap):
    """One run for each page."""
    for name in tree.files():
        if re.search(r"\.[1-9]$", name):
            _, lines = tree.run("mandoc", "-Tlint", "-Wwarning", name)
            # "mandoc: file:line:column: WARNING: ..."
            lines = [line.split(": ", 1)[-1] for line in lines]
            tap.ok(not lines, f"{name} is clean under mandoc", *lines)
    tap.ok(tap.count, "the tree has manual pages")


tree.main(check)
