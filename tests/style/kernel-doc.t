#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers' comments are clean under the kernel's kernel-doc."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402


def check(tap):
    """All headers in one run. (sparse.t checks the C files, with W=1.)"""
    headers = Path(tree.make_variable("guest-driver", "KDIR"))
    script = headers / "scripts" / "kernel-doc"
    if not script.exists():
        raise tree.Missing(f"{script} is not there")
    names = [name for name in tree.files() if name.endswith(".h")
             and name.startswith(("guest-driver/", "spec/"))]
    tap.ok(names, "the driver has headers")
    # kernel-doc warns of headers without such comments, which are not wrong.
    names = [name for name in names if "\n/**\n" in tree.text(name)]
    status, lines = tree.run(script.resolve(), "-none", *names)
    tree.report(tap, "kernel-doc", names, status, lines)


tree.main(check)
