#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each requirement of the specification has a test or a reason why it has none."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import labels  # noqa: E402
import spectext  # noqa: E402
import tree  # noqa: E402


def configuration(tap):
    """A requirement that no device can test, checked in the driver's sources."""
    found = [line for name in tree.files() if name.startswith("guest-driver/")
             and tree.is_c(name)
             for line in tree.matching_lines(
                 name, r"virtio_cwrite|config->set\(|\.set\(vdev")]
    tap.ok(not found,
           "the driver never writes to the configuration layout [CAP-DRV-CFG-1]",
           *found)


def check(tap):
    """Checks each requirement's label."""
    found = spectext.requirements()
    tap.ok(len(found) > 100, "the specification has requirements", len(found))
    labels.check_tested(tap, "each requirement", [
        (f"{spectext.NAME}:{number}", label) for number, label, _ in found])
    configuration(tap)


tree.main(check)
