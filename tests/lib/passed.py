# SPDX-License-Identifier: GPL-2.0-or-later
"""Skips a check of files that has passed, if nothing has changed since."""
import hashlib
import os
import sys

import tree

# Variables that can change the tools or the kernel's headers.
VARIABLES = ("PATH", "KVER", "KDIR", "CC", "PERL5LIB", "PERL5OPT")


def digest(names):
    """Returns a hash of everything that a check's result depends on: the given files
    (relative to the tree's top, or absolute), the test, the modules in tests/lib, and
    the installed packages."""
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
    """Calls check(tap), unless it has passed before with the same digest(). Only
    passes are recorded."""
    kept = tree.BUILD / f"{os.path.basename(sys.argv[0])}.passed"
    now = digest(names)
    if kept.exists() and kept.read_text() == now:
        tap.ok(True, "the check has passed before, and nothing has changed since")
        return
    kept.unlink(missing_ok=True)
    check(tap)
    # A file that was changed during the check may not have been checked.
    if tap.count and not tap.failed and digest(names) == now:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(now)
