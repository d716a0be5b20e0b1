# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables, requirements and example of spec/capture-device.md."""
import re

import tree

NAME = "spec/capture-device.md"
HEADER = "spec/virtio_capture.h"


def numbered():
    """Returns (line number, line) of the text."""
    return list(enumerate(tree.text(NAME).split("\n"), 1))


def cells(line):
    """Returns the cells of a table's row without backticks; [] for other lines."""
    if not line.startswith("|"):
        return []
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def structures():
    """
    Returns the structures' tables: {name: (line, size, [(offset, size, field)])}.

    A line "`struct NAME` (SIZE bytes)..." precedes each.
    """
    found, fields = {}, None
    for number, line in numbered():
        title = re.match(r"`struct (\w+)` \((\d+) bytes\)", line)
        row = cells(line)
        if title:
            fields = []
            found[title[1]] = (number, int(title[2]), fields)
        elif line.startswith("#") or row[:1] == ["Name"]:
            fields = None
        elif fields is not None and row and row[0].isdigit():
            fields.append((int(row[0]), int(row[1]), row[2]))
    return found


def constants():
    """Returns the constants' tables: {name: (line, value)}."""
    found = {}
    for number, line in numbered():
        row = cells(line)
        if len(row) == 3 and re.fullmatch(r"VIRTIO_CAPTURE_\w+", row[0]):
            found[row[0]] = (number, int(row[1], 0))
    return found


def requirements():
    """Returns (line number, label, text) of each requirement."""
    found, lines = [], tree.text(NAME).split("\n")
    for number, line in enumerate(lines, 1):
        match = re.match(r"- \[(CAP-(?:DEV|DRV)-[A-Z]+-\d+)\] (.*)", line)
        if match:
            rest = []
            for more in lines[number:]:
                if not more.startswith("  "):
                    break
                rest.append(more.strip())
            found.append((number, match[1], " ".join([match[2], *rest])))
    return found


def listed():
    """Returns the labels in the section on conformance, with ranges expanded."""
    section = tree.text(NAME).split("\n## Conformance\n")[-1]
    for start, first, last in re.findall(
            r"(CAP-(?:DEV|DRV)-[A-Z]+-)(\d+)(?: to (\d+))?", section):
        for number in range(int(first), int(last or first) + 1):
            yield f"{start}{number}"


def dumps():
    """Returns the bytes of each hexadecimal dump."""
    found, current = [], None
    for _, line in numbered():
        row = re.fullmatch(r"([0-9a-f]{4})((?:  ?[0-9a-f]{2})+)", line)
        if row and int(row[1], 16) == 0:
            current = bytearray()
            found.append(current)
        if row and int(row[1], 16) != len(current):
            raise ValueError(f"{NAME}: dump continues at {row[1]},"
                             f" not at {len(current):04x}")
        if row:
            current += bytes.fromhex(row[2])
    return [bytes(dump) for dump in found]
