# SPDX-License-Identifier: GPL-2.0-or-later
"""
The labels in tests' names, and tables of labels and tests.

A label names a requirement of spec/capture-device.md (CAP-DEV-REC-1) or a behaviour
of tests/behaviours.md (BPF-READ-3). A test that shows it has the label at the end of
its name, in brackets: [CAP-DRV-REC-2 CAP-DRV-SEC-1].

    python3 tests/lib/labels.py FOLDER

writes the tables of requirements and behaviours, with their tests.
"""
import functools
import re
import sys
from pathlib import Path

import spectext
import tree

BEHAVIOURS = "tests/behaviours.md"
UNTESTED = "tests/untested.md"
HEADER = "guest-driver/include/net/bpf.h"

LABEL = r"(?:CAP-(?:DEV|DRV)-[A-Z]+|BPF-[A-Z]+)-\d+"
SUFFIX = re.compile(rf' ?\[({LABEL}(?: {LABEL})*)\]"')

# Files that prove(1) runs: a .t file, its source, or a source of a guest program.
RUN = re.compile(r"tests/((guest|unit)/\w+\.c|faulty/\w+\.[ch]|[\w/-]+\.t)")


@functools.lru_cache(maxsize=None)
def behaviours():
    """Returns the rows of tests/behaviours.md: [(line, section, [label, behaviour,
    here])]."""
    found, section = [], ""
    for number, line in enumerate(tree.text(BEHAVIOURS).split("\n"), 1):
        if line.startswith("## "):
            section = line[3:]
        if line.startswith("| BPF"):
            found.append((number, section, [
                cell.strip() for cell in line.strip("|").split(" | ")]))
    return found


@functools.lru_cache(maxsize=None)
def listed(title):
    """Returns a list of tests/untested.md: {label: text}."""
    part = tree.text(UNTESTED).split(f"\n## {title}\n")[1].split("\n## ")[0]
    return {match[1]: " ".join(match[2].split())
            for match in re.finditer(rf"^- ({LABEL}): (.*(?:\n  .*)*)", part, re.M)}


def untested():
    """Returns why requirements and behaviours have no test: {label: reason}."""
    return listed("Without a test")


def remarks():
    """Returns remarks about how requirements and behaviours are tested: {label:
    text}."""
    return listed("Remarks")


def defined():
    """Returns all labels in the order of their definitions."""
    return [label for _, label, _ in spectext.requirements()] + \
        [row[0] for _, _, row in behaviours()]


def requests():
    """Returns the requests in <net/bpf.h> and FIONREAD: {name: topic of its
    labels}."""
    names = re.findall(r"^#define (BIOC\w+)\s+_IO", tree.text(HEADER), re.M)
    return {**{name: name.removeprefix("BIOC") for name in names},
            "FIONREAD": "FIONREAD"}


def name_before(text, end):
    """Returns the string that ends there, with adjacent string literals before."""
    parts = []
    while True:
        start = text.rfind("\n", 0, end) + 1
        # A name may be several literals, one a line.
        match = re.search(r'f?"(?:[^"\\\n]|\\.)*$', text[start:end])
        if not match:
            return "".join(parts)
        opening = start + match.start()
        parts.insert(0, text[opening:end].removeprefix("f")[1:])
        before = text[:opening].rstrip()
        if not before.endswith('"'):
            return "".join(parts)
        end = len(before) - 1


@functools.lru_cache(maxsize=None)
def in_file(name):
    """Returns the labels in a file: [(line, label, test's name)]."""
    text, found = tree.text(name), []
    for match in SUFFIX.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        test = name_before(text, match.start()).replace('\\"', '"')
        for label in match[1].split():
            found.append((line, label, test))
    return found


@functools.lru_cache(maxsize=None)
def tests():
    """Returns the labels of all tests that are run: [(file, line, label, test's
    name)]."""
    return [(name, *one) for name in tree.files() if RUN.fullmatch(name)
            for one in in_file(name)]


def check_tested(tap, what, places):
    """Checks that each of [(place, label)] has a test or a reason for having none."""
    tested = {label for _, _, label, _ in tests()}
    tap.equal([f"{place}: {label}" for place, label in places
               if label not in tested and label not in untested()], [],
              f"{what} has a test, or a reason in {UNTESTED}")


def cell(label):
    """Returns a label's tests, or the reason for having none, for a table."""
    shown = list(dict.fromkeys(
        f'`{name.removeprefix("tests/")}`: "{test}"'
        for name, _, other, test in tests() if other == label))
    text = "; ".join([*shown, *filter(None, [remarks().get(label)])]) or \
        f"cannot be tested: {untested().get(label)}"
    return text.replace("|", "\\|").replace("<", "&lt;")


def requirements_table():
    """Returns a table of the requirements with their tests, in Markdown."""
    yield "# The requirements of the specification, and the tests that show them\n"
    yield "| label | tests |\n| --- | --- |"
    for _, label, _ in spectext.requirements():
        yield f"| {label} | {cell(label)} |"


def behaviours_table():
    """Returns tables of the behaviours with their tests, in Markdown."""
    yield "# The behaviours of /dev/bpf, and the tests that show them"
    last = None
    for _, section, row in behaviours():
        if section != last:
            yield f"\n## {section}\n"
            yield "| label | behaviour | here | tests |\n| --- | --- | --- | --- |"
            last = section
        yield f"| {' | '.join(row)} | {cell(row[0])} |"


def main(folder):
    """Writes both tables."""
    for name, lines in (("requirements.md", requirements_table()),
                        ("behaviours.md", behaviours_table())):
        (Path(folder) / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
