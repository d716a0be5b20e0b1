#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each part of the tree can be built in a system that initially has only git and make
of the packages that the tree needs, and its target installs only the packages that
this part needs."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import packages  # noqa: E402
import tree  # noqa: E402

CLONE = tree.TOP / "build" / "tests" / "packages" / "parts"

# A part's target, a file that it makes, and packages that only other parts need.
PARTS = (
    ("driver", "guest-driver/virtio_capture.ko",
     ("qemu-system-x86", "meson", "clang", "weasyprint", "busybox-static",
      "flex")),
    ("libpcap", "libpcap/libpcap.so.0.8",
     ("qemu-system-x86", "meson", "clang", "weasyprint", "busybox-static")),
    ("device", "qemu-device/virtio-capture.so",
     ("clang", "weasyprint", "busybox-static", "libvirt-daemon")),
    ("image", "images/initramfs",
     ("clang", "weasyprint", "libvirt-daemon", "shellcheck")),
)


def installed(root):
    """The packages that are installed in a system."""
    text = (root / "var/lib/dpkg/status").read_text()
    return {block.split("\n", 1)[0] for block in text.split("Package: ")[1:]
            if "\nStatus: install ok installed\n" in block}


def check(tap):
    """Builds the parts one after another in the same system."""
    release = packages.release_to_test()
    if os.geteuid():
        tap.skip("parts", "needs root")
        return
    shutil.rmtree(CLONE, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", tree.TOP, CLONE], check=True)
    root = CLONE / "build/downloads/releases" / release
    for part, product, others in PARTS:
        status, lines = tree.run(CLONE / "images/fetch/check-release", release, part)
        if not tap.ok(status == 0, f"make {part} succeeds in a new system",
                      *lines[-60:]):
            return
        tap.ok((root / "srv/clone/build" / product).exists(),
               f"make {part} makes {product}")
        tap.equal(sorted(installed(root) & set(others)), [],
                  f"make {part} installs nothing that only other parts need")
    shutil.rmtree(CLONE)


tree.main(check)
