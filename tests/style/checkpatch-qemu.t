#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU device is clean under QEMU's own checkpatch.pl."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from passed import check_once  # noqa: E402


def check(tap):
    """One run for each file; any warning is a failure."""
    names = [name for name in tree.files()
             if name.startswith("qemu-device/") and tree.is_c(name)]
    source = Path(tree.make_variable("qemu-device", "SOURCE"))
    script = source / "scripts" / "checkpatch.pl"
    if not script.exists():
        raise tree.Missing(f"{script} is not there: run make device")

    def each(tap):
        tap.ok(names, "the QEMU device has C files")
        for name in names:
            status, lines = tree.run("perl", script, "--strict", "--no-tree",
                                     "--no-summary", "--terse", "-f", name)
            tap.ok(status == 0 and not lines, f"{name} is clean under checkpatch",
                   *lines)
    check_once(tap, [*names, script], each)


tree.main(check)
