# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of README.md, to be run as they stand there."""
import re

import tree


def commands(way):
    """The blocks of commands of one of the "Three ways in": each a text."""
    text = re.search(r"^## Three ways in\n(.*?)^## ", tree.text("README.md"),
                     re.DOTALL | re.MULTILINE)[1]
    part = re.search(rf"^\*\*{way}\.\*\*(.*?)(?=^\*\*|\Z)", text,
                     re.DOTALL | re.MULTILINE)[1]
    # Four spaces before each line, and an empty line behind the last.
    return [re.sub("^    ", "", block, flags=re.MULTILINE)
            for block in re.findall(r"(?:^    .*\n)+", part, re.MULTILINE)]


def run(script):
    """Runs a block at the top of the tree: (exit status, lines)."""
    return tree.run("bash", "-e", "-c", script)
