#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every source file has the SPDX tag of its folder's licence, and LICENSES/ has the
licences' texts."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

# By the start of a file's name; the longest match counts.
LICENCES = {
    "": "GPL-2.0-or-later",
    "guest-driver/": "GPL-2.0",
    "guest-driver/core/": "GPL-2.0-or-later",
    "guest-driver/include/": "BSD-2-Clause",
    "guest-driver/libpcap/libpcap.patch": "BSD-2-Clause",
    "spec/": "BSD-2-Clause",
}

# Texts and data without a tag, whose licence LICENSE gives.
PLAIN = re.compile(r"(^LICENSE|^\.[^/]*$|/\.[^/]*$"
                   r"|\.(md|txt|json|hex|pcap)$)")


def expected(name):
    """The licence that the file's folder has."""
    return LICENCES[max((start for start in LICENCES
                         if name.startswith(start)), key=len)]


def complaint(name):
    """The error in the file's first lines, or None."""
    lines = tree.text(name).split("\n")
    number = 2 if lines[0].startswith("#!") else 1
    line = lines[number - 1] if len(lines) >= number else ""
    tag = re.search("SPDX-" + r"License-Identifier: (.+?)( \*/| -->)?$", line)
    if not tag:
        return f"{name}:{number}: no SPDX tag on this line"
    if tag[1] != expected(name):
        return f"{name}:{number}: {tag[1]}, not {expected(name)}"
    return None


def check(tap):
    """One result for each source file and for each licence's text."""
    for name in tree.files():
        if tree.is_text(name) and not PLAIN.search(name):
            wrong = complaint(name)
            tap.ok(not wrong, f"{name} has its folder's SPDX tag", wrong)
    # The text of a version is the same with and without "or later".
    for licence in sorted({licence.replace("-or-later", "")
                           for licence in LICENCES.values()}):
        text = f"LICENSES/{licence}.txt"
        tap.ok(text in tree.files(), f"{text} exists",
               f"{text}:1: no such file")
    tap.ok("LICENSE" in tree.files(), "the file LICENSE exists")


tree.main(check)
