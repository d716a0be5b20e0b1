#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No text file has a common spelling mistake."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

# Words that codespell reports although they are correct here, and why.
WORDS = {
    "ypes": "the end of a pattern, [Tt]ypes",
    "nd": "the macro of a manual page's name line",
    "inout": "a value of BIOCSDIRECTION",
}

# Texts from elsewhere.
FOREIGN = ("LICENSES/",)


def check(tap):
    """All files in one run."""
    names = [name for name in tree.files()
             if tree.is_text(name) and not name.startswith(FOREIGN)]
    status, lines = tree.run("codespell", "--ignore-words-list",
                             ",".join(WORDS), *names)
    tree.report(tap, "codespell", names, status, lines)


tree.main(check)
