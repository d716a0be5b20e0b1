#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every Python file is clean under flake8."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from passed import check_once  # noqa: E402


NAMES = [name for name in tree.files() if tree.is_python(name)]


def check(tap):
    """All files in one run."""
    status, lines = tree.run("flake8", *NAMES)
    tree.report(tap, "flake8", NAMES, status, lines)


tree.main(lambda tap: check_once(tap, [*NAMES, ".flake8"], check))
