# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the commands of README.md, unchanged."""
import re

import tree


def commands(way):
    """Returns the blocks of commands of a paragraph of "Three ways in"."""
    text = re.search(r"^## Three ways in\n(.*?)^## ", tree.text("README.md"),
                     re.DOTALL | re.MULTILINE)[1]
    part = re.search(rf"^\*\*{way}\.\*\*(.*?)(?=^\*\*|\Z)", text,
                     re.DOTALL | re.MULTILINE)[1]
    # Each line is indented by four spaces, and an empty line follows the last.
    return [re.sub("^    ", "", block, flags=re.MULTILINE)
            for block in re.findall(r"(?:^    .*\n)+", part, re.MULTILINE)]


def run(script):
    """Runs a block at the top of the tree; returns its exit status and output."""
    return tree.run("bash", "-e", "-c", script)
