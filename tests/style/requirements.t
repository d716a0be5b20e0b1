#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of requirements: each has a row, and each row a test that is there."""
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import spectext  # noqa: E402
import tree  # noqa: E402

TABLE = "tests/requirements.md"
REFERENCE = re.compile(r'`([\w/.-]+): "((?:[^"\\]|\\.)+)"`')
UNTESTABLE = re.compile(r"cannot be tested: .{20,}")

# What is run by prove(1): a .t file, a source of one, or of a guest program.
RUN = re.compile(r"(guest|unit)/\w+\.c|faulty/\w+\.[ch]|\w+/[\w-]+\.t")


def rows():
    """[(line number, label, tests)] of the table."""
    found = []
    for number, line in enumerate(tree.text(TABLE).split("\n"), 1):
        match = re.fullmatch(r"\| (CAP-\S+) \| (.*) \|", line)
        if match:
            found.append((number, match[1], match[2]))
    return found


def answers(cell):
    """Each row names a test, or says why there is none"""
    tested, untestable = REFERENCE.search(cell), UNTESTABLE.match(cell)
    if bool(tested) == bool(untestable):
        return ["neither a test nor a reason" if not tested else "both"]
    return []


def references(cell):
    """Each test that is named is there, and is run"""
    wrong = []
    for name, test in REFERENCE.findall(cell):
        path = f"tests/{name}"
        if not RUN.fullmatch(name):
            wrong.append(f"{name} is not run")
        elif path not in tree.files():
            wrong.append(f"no file {path}")
        elif f'"{test}"' not in tree.text(path):
            wrong.append(f'{path} has no "{test}"')
    return wrong


def statements(tap, table):
    """The rows are the requirements of the text, each once."""
    wanted = {label for _, label, _ in spectext.requirements()}
    count = Counter(label for _, label, _ in table)
    tap.equal(sorted(wanted - set(count)), [], f"{TABLE}:1: no row is missing")
    tap.equal(sorted(set(count) - wanted), [],
              f"{TABLE}:1: no row without a requirement")
    tap.equal([label for label, n in count.items() if n > 1], [],
              f"{TABLE}:1: no requirement twice")


def configuration(tap):
    """What no device can see of a driver (CAP-DRV-CFG-1)."""
    found = [line for name in tree.files() if name.startswith("guest-driver/")
             and tree.is_c(name)
             for line in tree.matching_lines(
                 name, r"virtio_cwrite|config->set\(|\.set\(vdev")]
    tap.ok(not found, "the driver never writes to the configuration layout",
           *found)


def check(tap):
    """All of the above."""
    table = rows()
    statements(tap, table)
    for rule in (answers, references):
        found = [f"{TABLE}:{number}: {label}: {message}"
                 for number, label, cell in table for message in rule(cell)]
        tap.ok(not found, rule.__doc__, *found)
    configuration(tap)


tree.main(check)
