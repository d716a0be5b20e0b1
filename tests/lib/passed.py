# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of files that need not be done again when they have passed and nothing
has changed since."""
import hashlib
import os
import sys

import tree

# What may choose other tools, or another kernel's headers.
VARIABLES = ("PATH", "KVER", "KDIR", "CC", "PERL5LIB", "PERL5OPT")


def digest(names):
    """A hash of everything that a check's result follows from: those files
    (relative to the tree's top, or absolute), the test and what it imports,
    and every package that is installed."""
    status, packages = tree.run("dpkg-query", "-W")
    if status:
        raise tree.Missing("\n".join(["cannot list the packages:", *packages]))
    parts = packages + [f"{name}={os.environ.get(name)}" for name in VARIABLES]
    whole = hashlib.sha256("\n".join(parts).encode())
    code = [sys.argv[0], *sorted((tree.TOP / "tests" / "lib").glob("*.py"))]
    for name in [*map(os.path.abspath, code), *names]:
        content = (tree.TOP / name).read_bytes()
        whole.update(f"\n{name} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def check_once(tap, names, check):
    """check(tap), unless it has passed when all was as it is now. Only a pass
    is kept: what fails is checked, and fails, until it is mended."""
    kept = tree.BUILD / f"{os.path.basename(sys.argv[0])}.passed"
    now = digest(names)
    if kept.exists() and kept.read_text() == now:
        tap.ok(True, "has passed, and nothing has changed since")
        return
    kept.unlink(missing_ok=True)
    check(tap)
    # What was changed during the check was perhaps not checked.
    if tap.count and not tap.failed and digest(names) == now:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(now)
