#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages that are built in a fresh copy of the tree, in another folder and with other
settings of the user, are the same byte by byte."""
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import packages  # noqa: E402
import tree  # noqa: E402

COPY = tree.TOP / "build" / "tests" / "packages" / "another-tree"


def copy_tree():
    """Copies the tree without build/, with a link to the downloads."""
    shutil.rmtree(COPY, ignore_errors=True)
    for name in tree.files():
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree.TOP / name, target)
    (COPY / "build").mkdir()
    (COPY / "build" / "downloads").symlink_to(tree.DOWNLOADS)


def check(tap):
    """One result for each package."""
    copy_tree()
    status, lines = tree.run(
        "sh", "-c", 'umask 027; cd "$1"; TZ=Asia/Tokyo LANG=C.UTF-8 '
        "exec make -C images/deb", "sh", COPY)
    tap.ok(status == 0, "the packages can be built in a copy of the tree",
           *lines[-30:])
    for name in packages.NAMES:
        first = packages.package(name)
        second = COPY / "build" / "deb" / first.name
        tap.ok(second.exists() and first.read_bytes() == second.read_bytes(),
               f"{name}: the package of the copy is the same, byte by byte", first,
               second)
    if not tap.failed:
        shutil.rmtree(COPY)


tree.main(check)
