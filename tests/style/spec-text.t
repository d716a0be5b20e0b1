#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The specification's requirements are labelled and listed, and its examples are
consistent."""
import collections
import re
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import spectext  # noqa: E402
import tree  # noqa: E402

KEYWORDS = r"\b(MUST|SHOULD|MAY)\b"


def labels(tap):
    """Each label occurs once, is listed, and has a keyword and its subject."""
    found = spectext.requirements()
    tap.ok(len(found) > 20, f"{spectext.NAME}:1: has requirements")
    names = [label for _, label, _ in found]
    twice = [label for label, n in collections.Counter(names).items() if n > 1]
    tap.equal(twice, [], f"{spectext.NAME}:1: no label occurs twice")
    tap.equal(sorted(set(names) ^ set(spectext.listed())), [],
              f"{spectext.NAME}:1: the conformance section lists all labels")
    bad = [f"{spectext.NAME}:{line}: {label}" for line, label, body in found
           if not re.search(KEYWORDS, body)
           or (" driver MUST" in body and "-DEV-" in label)
           or (" device MUST" in body and "-DRV-" in label)]
    tap.ok(not bad, "each requirement says who must do what", *bad)


def only_in_requirements(tap):
    """No other text has requirements."""
    inside = set()
    for line, _, body in spectext.requirements():
        # The lines of the requirement.
        lines = tree.text(spectext.NAME).split("\n")
        inside.add(line)
        while lines[line].startswith("  "):
            line += 1
            inside.add(line)
    bad = [f"{spectext.NAME}:{number}: {line}"
           for number, line in spectext.numbered()
           if re.search(KEYWORDS, line) and number not in inside
           and "RFC 2119" not in line and "words MUST" not in line]
    tap.ok(not bad, "MUST, SHOULD and MAY occur only in labelled requirements", *bad)


def links(tap):
    """Links within the text have targets."""
    source = tree.text(spectext.NAME)
    anchors = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
               for title in re.findall(r"^#+ (.*)", source, re.M)}
    bad = [target for target in re.findall(r"\]\(#([^)]*)\)", source)
           if target not in anchors]
    tap.equal(bad, [], f"{spectext.NAME}:1: links refer to existing sections")


def walk(dump):
    """The records in a buffer, as rows of the text's table."""
    at = 0
    while at < len(dump):
        sec, subsec, caplen, datalen, hdrlen, flags, dropped = \
            struct.unpack_from("<QQIIHHI", dump, at)
        yield [f"0x{at:02x}", *map(str, (sec, subsec, caplen, datalen, hdrlen,
                                         flags, dropped))]
        end = at + hdrlen + caplen
        at = -(-end // 8) * 8
        if any(dump[end:at]) or at > len(dump):
            raise ValueError(f"bad padding at 0x{end:02x}")


def filter_example(tap, command, reply):
    """The bytes of FILTER and its reply agree with their tables."""
    tap.equal(struct.unpack_from("<6I", command), (4, 0, 1, 1, 4, 0),
              f"{spectext.NAME}: the example of FILTER has the described fields")
    rows = [spectext.cells(line)[:4] for _, line in spectext.numbered()
            if re.match(r"\| 0x\w+ \| \d+ \| \d+ \| 0x", line)]
    program = [[f"0x{code:02x}", str(jt), str(jf), f"0x{k:x}"]
               for code, jt, jf, k
               in struct.iter_unpack("<HBBI", command[24:])]
    tap.equal(program, rows,
              f"{spectext.NAME}: the example's program agrees with its table")
    text = " | ".join(map(str, struct.unpack("<2I5Q", reply)[2:]))
    tap.contains(tree.text(spectext.NAME), f"\n| {text} |\n",
                 f"{spectext.NAME}: the example's counters agree with its table")


def example(tap):
    """The examples' bytes agree with their tables."""
    command, buffer, *others = spectext.dumps()
    filter_example(tap, *others)
    tap.equal(struct.unpack("<6I", command), (1, 0, 64, 3, 0, 0),
              f"{spectext.NAME}: the example of LISTEN has the described fields")
    table = [spectext.cells(line) for _, line in spectext.numbered()
             if line.startswith("| 0x") and len(spectext.cells(line)) == 8]
    tap.equal(list(walk(buffer)), table,
              f"{spectext.NAME}: the example's records agree with their table")
    tap.contains(tree.text(spectext.NAME), f"used length of {len(buffer)}:",
                 f"{spectext.NAME}: the example's used length is the buffer's size")


def check(tap):
    """Checks requirements, links and examples."""
    tap.run(labels, only_in_requirements, links, example)


tree.main(check)
