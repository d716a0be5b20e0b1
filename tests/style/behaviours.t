#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of behaviours: no row without a test, no test that is not there."""
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

TABLE = "tests/behaviours.md"
HEADING = ["behaviour", "here", "tests"]
REFERENCE = re.compile(r'`([\w/.-]+): "((?:[^"\\]|\\.)+)"`')

# The seed has far more branches than this: a table that cannot be read has not.
FEWEST_ROWS = 100


def rows():
    """[(line number, section, cells)] of the tables' rows."""
    found, section = [], ""
    for number, line in enumerate(tree.text(TABLE).split("\n"), 1):
        if line.startswith("## "):
            section = line[3:]
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if cells != HEADING and set("".join(cells)) - set("-| "):
            found.append((number, section, cells))
    return found


def shape(row):
    """Every row has three cells, and none is empty"""
    return [] if len(row) == len(HEADING) and all(row) else ["not three cells"]


def references(row):
    """Every row names a test, and nothing else beside its tests"""
    rest = re.sub(r"[\s,|]", "", REFERENCE.sub("", row[-1]))
    if not REFERENCE.search(row[-1]):
        return ["no test"]
    return [f"no test's name: {rest}"] if rest else []


def exists(row):
    """Every test that is named is there, once in its file"""
    wrong = []
    for name, test in REFERENCE.findall(row[-1]):
        path = f"tests/{name}"
        if path not in tree.files():
            wrong.append(f"no file {path}")
            continue
        count = tree.text(path).count(f'"{test}"')
        if count != 1:
            wrong.append(f'{path} has "{test}" {count} times')
    return wrong


def runs(row):
    """Every test is of a kind that is run: a guest program, or a .t file"""
    return [f"{name} is not run" for name, _ in REFERENCE.findall(row[-1])
            if not re.fullmatch(r"(guest|faulty)/\w+\.c|\w+/[\w-]+\.t", name)]


def check(tap):
    """One result for each rule."""
    table = rows()
    tap.ok(len(table) >= FEWEST_ROWS, "the table has its rows", len(table))
    for rule in (shape, references, exists, runs):
        found = [f"{TABLE}:{number}: {message}" for number, _, cells in table
                 for message in rule(cells)]
        tap.ok(not found, rule.__doc__, *found)
    twice = [key for key, count in Counter(
        (section, cells[0]) for _, section, cells in table).items()
        if count > 1]
    tap.ok(not twice, "No behaviour stands in a section twice", *twice)


tree.main(check)
