#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The labels in the names of tests, and the tables that are made from them."""
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import labels  # noqa: E402
import tree  # noqa: E402


def malformed(name):
    """The ends of strings that begin like labels but are not valid."""
    text = tree.text(name)
    good = {match.start() for match in labels.SUFFIX.finditer(text)}
    return [f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
            for match in re.finditer(r' ?\[(?:CAP-|BPF-)[^"\n]*"', text)
            if match.start() not in good]


def names(tap):
    """Each label is defined, and is in a test that is run."""
    known = set(labels.defined())
    sources = [name for name in tree.files() if name.startswith("tests/")
               and tree.is_code(name)]
    tap.equal([f"{file}:{line}: {label}" for file, line, label, _ in labels.tests()
               if label not in known], [], "each label of a test is defined")
    tap.equal([f"{name}:{line}" for name in sources
               if not labels.RUN.fullmatch(name)
               for line, _, _ in labels.in_file(name)], [],
              "no label is in a file that is not run")
    # Except this file, which has patterns of labels.
    tap.equal([line for name in sources if name != "tests/style/labels.t"
               for line in malformed(name)], [], "no label is malformed")


def untested(tap):
    """The labels in tests/untested.md are defined."""
    tested = {label for _, _, label, _ in labels.tests()}
    for reasons, expected, what in (
            (labels.untested(), False, "no label with a reason has a test"),
            (labels.remarks(), True, "each label with a remark has a test")):
        tap.ok(reasons, f"{labels.UNTESTED} has labels to check: {what}")
        tap.equal(sorted(set(reasons) - set(labels.defined())), [],
                  f"{labels.UNTESTED}: its labels are defined")
        tap.equal([label for label in reasons if (label in tested) != expected],
                  [], f"{labels.UNTESTED}: {what}")


def tables(tap):
    """Both tables have a row for each label."""
    with tempfile.TemporaryDirectory() as folder:
        labels.main(folder)
        text = "".join((Path(folder) / name).read_text()
                       for name in ("requirements.md", "behaviours.md"))
    found = re.findall(rf"^\| ({labels.LABEL}) \|.*\S.* \|$", text, re.M)
    tap.equal(found, labels.defined(), "the tables have a row for each label")


def check(tap):
    """One result for each rule."""
    names(tap)
    untested(tap)
    tables(tap)


tree.main(check)
