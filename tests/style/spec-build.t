#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make spec makes a web page and a PDF file of the specification, and web pages of
the tables of tests."""
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import labels  # noqa: E402
import spectext  # noqa: E402
import tree  # noqa: E402


def check(tap):
    """Builds them in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        status, lines = tree.run("make", "-C", "spec", f"OUT={folder}")
        tap.ok(status == 0, "spec/Makefile:1: make succeeds", *lines)
        page = (Path(folder) / "capture-device.html").read_text()
        paper = (Path(folder) / "capture-device.pdf").read_bytes()
        tables = "".join((Path(folder) / f"{name}.html").read_text()
                         for name in ("requirements", "behaviours"))
    tap.ok(paper.startswith(b"%PDF-") and len(paper) > 50000,
           "capture-device.pdf is a PDF file", len(paper))
    bad = [label for _, label, _ in spectext.requirements()
           if f"[{label}]" not in page]
    tap.equal(bad, [], "the web page has each requirement")
    tap.equal([label for label in labels.defined()
               if f"<td>{label}</td>" not in tables], [],
              "the tables have each requirement and behaviour")
    anchors = set(re.findall(r'\bid="([^"]+)"', page))
    targets = set(re.findall(r'\bhref="#([^"]+)"', page))
    tap.ok(len(targets) > 20, "the web page has links", len(targets))
    tap.equal(sorted(targets - anchors), [], "the web page's links have targets")
    tap.ok(page.count("<table") >= 15, "the web page has tables",
           page.count("<table"))


tree.main(check)
