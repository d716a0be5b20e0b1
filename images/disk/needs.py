# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks for the programs and packages that images/build needs."""
import os
import shutil
from pathlib import Path

from launcher.errors import Failure

TOP = Path(__file__).resolve().parents[2]

# Each program and the Debian package that contains it.
PROGRAMS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs",
            "mformat": "mtools", "unshare": "util-linux", "make": "make",
            "gcc": "gcc"}
WITHOUT_ROOT = {"newuidmap": "uidmap"}
FOR_FORMAT = {"qcow2": {"qemu-img": "qemu-utils"}}

# A user's PATH may lack these.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"

# The packages of "make deb" that every image gets, and the one of --dkms.
ALWAYS = ("libpcap", "tools")
DKMS = "dkms"


def extend_path():
    """Let this process and its children find the programs in sbin."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}"


def check_programs(image_format):
    """Raise Failure unless all programs are installed."""
    wanted = {**PROGRAMS, **FOR_FORMAT.get(image_format, {})}
    if os.geteuid():
        wanted.update(WITHOUT_ROOT)
    lacking = {program: package for program, package in wanted.items()
               if not shutil.which(program)}
    if lacking:
        raise Failure(f"missing programs: {', '.join(lacking)}; install "
                      f"{' '.join(sorted(set(lacking.values())))} "
                      "(images/fetch/setup PACKAGE...)")


def own_packages(with_dkms):
    """Return the files of this tree's packages for the image."""
    folder = TOP / "build" / "deb"
    found = []
    for name in ALWAYS + ((DKMS,) if with_dkms else ()):
        files = sorted(folder.glob(f"virtio-capture-{name}_*.deb"))
        if not files:
            raise Failure(f"there is no {folder}/virtio-capture-{name}_*.deb: "
                          "run make deb")
        found.append(files[-1])
    return found
