#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver compiles without warnings for the later kernels that Debian has. make
check-kernels boots them."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from tap import Tap  # noqa: E402

KERNELS = ("trixie", "trixie-backports")
OUT = tree.TOP / "build" / "tests" / "install" / "kernels"


def namespaces():
    """Whether images/guest/kbuild may create name spaces."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return tree.run("unshare", *user, "--mount", "--pid", "--fork", "true")[0] \
        == 0


def on(kver):
    """Returns a test for the newest kernel that Debian has under that name."""
    def test(tap):
        status, lines = tree.run("images/fetch/kernel", "--headers", kver)
        gone = tree.package_that_is_gone(lines)
        if status and gone:
            tap.skip(kver, f"Debian's server does not have {gone}, which its "
                     "list has", is_lacking=False)
            return
        if not tap.ok(status == 0,
                      f"{kver}: the kernel's headers can be fetched", *lines):
            return
        release, _, folder = lines[-1].split()
        if not namespaces():
            tap.skip(kver, "no name spaces to build it in")
            return
        # Compile all files again, so that all warnings are seen.
        shutil.rmtree(OUT / kver, ignore_errors=True)
        status, lines = tree.run(
            "make", "-C", "guest-driver", f"GUEST_OUT={OUT / kver}",
            f"KDIR={folder}/build/usr/src/linux-headers-{release}",
            stdin=subprocess.DEVNULL)
        tap.ok(status == 0, f"Linux {release}: the driver compiles",
               *lines[-30:])
        tap.equal([line for line in lines
                   if re.search(r"\bwarning:", line, re.IGNORECASE)], [],
                  f"Linux {release}: the driver compiles without a warning")
    test.__name__ = kver
    return test


tap = Tap()
tap.run(*map(on, KERNELS))
sys.exit(tap.done())
