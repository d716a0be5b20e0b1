#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every shell script is clean under shellcheck."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402


def check(tap):
    """All scripts in one run."""
    names = [name for name in tree.files() if tree.is_shell(name)]
    status, lines = tree.run("shellcheck", "--format=gcc", "--external-sources",
                             *names)
    tree.report(tap, "shellcheck", names, status, lines)


tree.main(check)
