#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each behaviour of /dev/bpf has a test, or a reason why it has none, and each
request of <net/bpf.h> has behaviours."""
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import labels  # noqa: E402
import tree  # noqa: E402

# The table has more rows than this; fewer are found if it cannot be parsed.
FEWEST_ROWS = 200


def rows(tap):
    """Each row has a label, a behaviour, and how this driver behaves."""
    found = labels.behaviours()
    tap.ok(len(found) >= FEWEST_ROWS, f"{labels.BEHAVIOURS} has rows", len(found))
    bad = [f"{labels.BEHAVIOURS}:{number}" for number, _, row in found
           if len(row) != 3 or not all(row)
           or not re.fullmatch(labels.LABEL, row[0])
           or not re.match(r"(same|differs|as|own rule)\b", row[2])]
    tap.equal(bad, [], f"{labels.BEHAVIOURS}: each row has a label, a behaviour, "
              "and how this driver behaves")
    for column, name in ((0, "label"), (1, "behaviour")):
        count = Counter(row[column] for _, _, row in found)
        tap.equal([one for one, times in count.items() if times > 1], [],
                  f"{labels.BEHAVIOURS}: no {name} occurs twice")


def requests(tap):
    """Each request is in bpf(4) and has tests."""
    page = tree.text("guest-driver/man/bpf.4")
    tested = {label.rsplit("-", 1)[0] for _, _, label, _ in labels.tests()}
    found = labels.requests()
    tap.ok(len(found) > 30, f"{labels.HEADER} has requests", len(found))
    tap.equal([name for name in found if not re.search(
        rf"^\.It Dv (\w+ , )*{name}\b", page, re.M)], [],
        "bpf(4) has an entry for each request of <net/bpf.h>")
    tap.equal([name for name, topic in found.items()
               if f"BPF-{topic}" not in tested], [],
              "each request of <net/bpf.h> has a behaviour with a test")


def check(tap):
    """Checks the table, its tests and the requests."""
    rows(tap)
    labels.check_tested(tap, "each behaviour", [
        (f"{labels.BEHAVIOURS}:{number}", row[0])
        for number, _, row in labels.behaviours()])
    requests(tap)


tree.main(check)
