# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of make deb, and systems to install them in."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import tree

NAMES = ("qemu", "dkms", "tools", "libpcap", "dev", "wireshark")
# The release of Debian for whose QEMU the plug-in was built, if not this one's.
QEMU_RELEASE = os.environ.get("QEMU_RELEASE", "")
VERSION = tree.make_variable("guest-driver", "VERSION")


def this_release():
    """Returns the name of this machine's release of Debian."""
    text = Path("/etc/os-release").read_text()
    return re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)[1]


def folder(release=""):
    """Returns the folder of the packages, or, for another release, of its plug-in."""
    return tree.TOP / "build" / release / "deb"


def package(name, release=""):
    """Returns the file of a package in NAMES."""
    found = list(folder(release).glob(f"virtio-capture-{name}_*.deb"))
    if len(found) != 1:
        raise tree.Missing(f"{len(found)} packages virtio-capture-{name} in "
                           f"{folder(release)}: run make deb")
    return found[0]


def field(path, name):
    """Returns a field of a package's control file."""
    _, lines = tree.run("dpkg-deb", "--field", path, name)
    return "\n".join(lines)


def contents(path):
    """Returns {name: (mode, owner, link target)} of all files except folders."""
    status, lines = tree.run("dpkg-deb", "--contents", path)
    if status:
        raise tree.Missing("\n".join(lines))
    found = {}
    for line in lines:
        mode, owner, _, _, _, name, *link = line.split()
        if not mode.startswith("d"):
            found[name.removeprefix("./")] = (mode, owner, "".join(link[1:]))
    return found


class System:
    """A system of a release, with the packages in /srv/packages."""

    def __init__(self, release):
        if os.geteuid():
            raise tree.Missing("must be root")
        self.release = release
        self.root = tree.DOWNLOADS / "package-roots" / release
        if not (self.root / ".made").exists():
            raise tree.Missing(f"no {self.root}: run images/fetch/package-root "
                               f"{release}")
        self.packages = self.root / "srv" / "packages"
        shutil.rmtree(self.packages, ignore_errors=True)
        self.packages.mkdir(parents=True)
        other = "" if release == this_release() else release
        for name in NAMES:
            shutil.copy(package(name, other if name == "qemu" else ""),
                        self.packages / f"{name}.deb")

    def run(self, script):
        """Runs a shell script in the system; returns its exit status and output."""
        done = subprocess.run(
            [tree.TOP / "images" / "fetch" / "in-root", self.root, "sh", "-c", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        return done.returncode, done.stdout

    def has(self, tap, script, what, expected=None):
        """Checks that a script succeeds, with the expected output if given; returns
        its output."""
        status, text = self.run(script)
        tap.ok(status == 0 and expected in (None, text), what,
               f"exit status {status}", text)
        return text


def release_to_test():
    """Returns the release in PACKAGES_FOR, else this machine's."""
    return os.environ.get("PACKAGES_FOR") or this_release()
