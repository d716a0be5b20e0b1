#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make install: the files it installs, the driver that DKMS builds from them, and
make uninstall, which removes all of them."""
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

BUILD = tree.TOP / "build" / "tests" / "install" / "install"
ROOT = BUILD / "root"
DKMS = tree.DOWNLOADS / "dkms"

VERSION = tree.make_variable("guest-driver", "VERSION")
SOURCES = f"usr/src/virtio-capture-{VERSION}"

# All files except the driver's sources, with their modes.
FILES = {
    "usr/local/include/net/bpf.h": 0o644,
    "usr/local/include/net/dlt.h": 0o644,
    "usr/local/include/machine/atomic.h": 0o644,
    "usr/local/share/man/man4/bpf.4": 0o644,
    "usr/local/share/man/man4/virtio_capture.4": 0o644,
    "usr/local/share/man/man8/bpfstat.8": 0o644,
    "usr/local/sbin/bpfstat": 0o755,
    "usr/lib/udev/rules.d/60-bpf.rules": 0o644,
    "usr/lib/sysusers.d/virtio-capture.conf": 0o644,
    "usr/lib/modules-load.d/virtio-capture.conf": 0o644,
    f"{SOURCES}/dkms.conf": 0o644,
    f"{SOURCES}/spec/virtio_capture.h": 0o644,
    f"{SOURCES}/spec/version.mk": 0o644,
}

PROGRAM = """
#include <net/bpf.h>
int main(void) { return BPF_WORDALIGN(1) != sizeof(long) || DLT_EN10MB != 1; }
"""


def make(tap, target, *variables):
    """Runs a target of the driver's Makefile for the private root."""
    status, lines = tree.run("make", "-s", "-C", "guest-driver", target,
                             f"DESTDIR={ROOT}", *variables)
    tap.ok(status == 0, f"make {' '.join([target, *variables])}", *lines)


def installed():
    """Returns the files in the private root, with their modes."""
    return {str(path.relative_to(ROOT)): path.stat().st_mode & 0o7777
            for path in ROOT.rglob("*") if not path.is_dir()}


def sources():
    """Returns the driver's sources where DKMS finds them, with their modes."""
    return {f"{SOURCES}/{name}": 0o644 for name in tree.files()
            if name.startswith("guest-driver/")
            and not name.startswith(("guest-driver/bpfstat/",
                                     "guest-driver/dist/",
                                     "guest-driver/libpcap/",
                                     "guest-driver/man/"))
            and name != "guest-driver/Makefile"}


def test_files(tap):
    """The files after make install, which is run twice as for an update."""
    stale = ROOT / SOURCES / "guest-driver" / "removed.c"
    stale.parent.mkdir(parents=True)
    stale.write_text("no source of this version\n")
    make(tap, "install")
    make(tap, "install")
    tap.equal(installed(), {**FILES, **sources()},
              "make install installs exactly what belongs there")


def test_header(tap):
    """The installed header is complete."""
    program = BUILD / "program"
    (BUILD / "program.c").write_text(PROGRAM)
    status, lines = tree.run("gcc", "-Wall", "-Wextra", "-Werror", "-I",
                             ROOT / "usr/local/include", "-o", program,
                             BUILD / "program.c")
    tap.ok(status == 0, "a program compiles with the installed headers",
           *lines)
    status, lines = tree.run(program)
    tap.ok(status == 0, "a program compiled with the installed headers runs",
           *lines)


def test_bpfstat(tap):
    """The installed bpfstat has the same version."""
    status, lines = tree.run(ROOT / "usr/local/sbin/bpfstat", "--version")
    tap.equal((status, lines), (0, [f"bpfstat {VERSION}"]),
              "the installed bpfstat prints its version")


def test_dkms(tap):
    """DKMS builds the driver from the installed files alone."""
    kdir = Path(tree.make_variable("guest-driver", "KDIR"))
    header = (kdir / "include/generated/utsrelease.h").read_text()
    release = re.search(r'UTS_RELEASE "(.*)"', header)[1]
    status, lines = tree.run("images/fetch/package", "dkms", DKMS)
    if status:
        raise tree.Missing("\n".join(["cannot fetch dkms:", *lines]))
    work = BUILD / "dkms"
    work.mkdir()
    for step in ("add", "build"):
        status, lines = tree.run(
            "bash", DKMS / "usr/sbin/dkms", step, "-m", "virtio-capture",
            "-v", VERSION, "-k", release, "--kernelsourcedir", kdir,
            "--dkmstree", work, "--sourcetree", ROOT / "usr/src")
        log = work / "virtio-capture" / VERSION / "build" / "make.log"
        tap.ok(status == 0, f"dkms {step}", *lines,
               log.read_text() if status and log.exists() else "")
    modules = list(work.glob(f"virtio-capture/{VERSION}/{release}/*/module/"
                             "virtio_capture.ko*"))
    tap.equal(len(modules), 1, "dkms builds one module")
    _, lines = tree.run("/sbin/modinfo", "-F", "vermagic", modules[0])
    tap.equal(lines[0].split()[0], release,
              f"the module of dkms is for Linux {release}")
    _, lines = tree.run("/sbin/modinfo", "-F", "version", modules[0])
    tap.equal(lines, [VERSION], "the module of dkms has the driver's version")
    _, lines = tree.run("/sbin/modinfo", "-F", "alias", modules[0])
    tap.equal(lines, ["virtio:d0000003Fv*"],
              "the module of dkms has the alias of capture devices")


def test_prefix(tap):
    """Another prefix, as for a package."""
    shutil.rmtree(ROOT)
    make(tap, "install", "PREFIX=/usr")
    tap.ok((ROOT / "usr/include/net/bpf.h").exists()
           and not (ROOT / "usr/local").exists(), "make install heeds PREFIX")
    make(tap, "uninstall", "PREFIX=/usr")
    tap.equal(installed(), {}, "make uninstall removes everything installed")


def test_uninstall(tap):
    """make uninstall leaves other files alone."""
    other = ROOT / "usr/local/include/net/other.h"
    other.write_text("\n")
    make(tap, "uninstall")
    tap.equal(list(installed()), [str(other.relative_to(ROOT))],
              "make uninstall leaves files of others")
    tap.ok(not (ROOT / SOURCES).exists(),
           "make uninstall removes the folder of the sources")
    make(tap, "uninstall")


def check(tap):
    """Runs all tests in a private root that is empty at first."""
    shutil.rmtree(BUILD, ignore_errors=True)
    ROOT.mkdir(parents=True)
    tap.run(test_files, test_header, test_bpfstat, test_dkms, test_uninstall,
            test_prefix)


tree.main(check)
