#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every Python file is clean under flake8."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402


def check(tap):
    """All files in one run."""
    names = [name for name in tree.files() if tree.is_python(name)]
    status, lines = tree.run("flake8", *names)
    tree.report(tap, names, status, lines)


tree.main(check)
