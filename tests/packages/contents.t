#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages' files and dependencies, and that building a package again gives
the same bytes."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import packages  # noqa: E402
import tree  # noqa: E402

OUT = tree.TOP / "build" / "tests" / "packages" / "contents"
VERSION = packages.VERSION
OURS = ("qemu",) if packages.QEMU_RELEASE else packages.NAMES

# In addition to documents and the driver's sources.
FILES = {
    "qemu": ["usr/lib/qemu/virtio-capture.so",
             "usr/lib/virtio-capture/libvirt-capture",
             "usr/lib/virtio-capture/libvirt_capture/__init__.py",
             "usr/lib/virtio-capture/libvirt_capture/document.py",
             "usr/lib/virtio-capture/libvirt_capture/domain.py",
             "usr/lib/virtio-capture/libvirt_capture/main.py",
             "usr/sbin/libvirt-capture",
             "usr/share/man/man7/virtio-capture-pci.7.gz",
             "usr/share/man/man8/libvirt-capture.8.gz"],
    "dkms": [f"usr/src/virtio-capture-{VERSION}/dkms.conf",
             f"usr/src/virtio-capture-{VERSION}/spec/version.mk",
             f"usr/src/virtio-capture-{VERSION}/spec/virtio_capture.h",
             "usr/lib/modules-load.d/virtio-capture.conf",
             "usr/lib/sysusers.d/virtio-capture.conf",
             "usr/lib/udev/rules.d/60-bpf.rules"],
    "tools": ["usr/sbin/bpfstat", "usr/share/man/man4/bpf.4.gz",
              "usr/share/man/man4/virtio_capture.4.gz",
              "usr/share/man/man8/bpfstat.8.gz"],
    "libpcap": ["usr/bin/bpf-run", "usr/lib/virtio-capture/libpcap.so.0.8",
                "usr/share/man/man8/bpf-run.8.gz",
                "usr/share/virtio-capture/apparmor/usr.bin.tcpdump"],
    "dev": ["usr/include/machine/atomic.h", "usr/include/net/bpf.h",
            "usr/include/net/dlt.h",
            "usr/include/virtio-capture/virtio_capture.h",
            "usr/share/doc/virtio-capture-dev/capture-device.md"],
    "wireshark": [
        "usr/lib/virtio-capture/virtio-capture-extcap",
        *[f"usr/lib/virtio-capture/virtio_capture_extcap/{name}.py"
          for name in ("__init__", "agent", "errors", "interfaces", "main",
                       "messages", "ssh", "stream", "tcpdump", "vm")],
        "usr/lib/x86_64-linux-gnu/wireshark/extcap/virtio-capture-extcap",
        "usr/share/man/man1/virtio-capture-extcap.1.gz"],
}
PROGRAMS = ("usr/bin/", "usr/sbin/", "usr/lib/virtio-capture/libvirt-capture",
            "usr/lib/virtio-capture/virtio-capture-extcap")


def test_files(tap):
    """Each package has its files, with the right owners and modes."""
    for name in OURS:
        doc = f"usr/share/doc/virtio-capture-{name}"
        found = packages.contents(packages.package(name, packages.QEMU_RELEASE))
        sources = [file for file in found
                   if file.startswith(f"usr/src/virtio-capture-{VERSION}/guest-")]
        tap.equal(sorted(set(found) - set(sources)), sorted([
            *FILES[name], f"{doc}/copyright", f"{doc}/changelog.gz",
            f"usr/share/lintian/overrides/virtio-capture-{name}"]),
                  f"{name}: the package has its files and no others")
        tap.equal(bool(sources), name == "dkms",
                  f"{name}: only the package dkms has the driver's sources")
        tap.equal({file: mode for file, (mode, owner, link) in found.items()
                   if owner != "root/root" or not link and mode != (
                       "-rwxr-xr-x" if file.startswith(PROGRAMS)
                       else "-rw-r--r--")}, {},
                  f"{name}: files belong to root and can be read by all")


def test_staged(tap):
    """Each file of make install is in a package."""
    stage = packages.folder(packages.QEMU_RELEASE) / "stage"
    taken = {re.sub(r"(/man/.*)\.gz$", r"\1", file) for name in OURS
             for file in packages.contents(packages.package(
                 name, packages.QEMU_RELEASE))}
    tap.equal([str(path.relative_to(stage)) for path in stage.rglob("*")
               if not path.is_dir()
               and str(path.relative_to(stage)) not in taken], [],
              "every file of make install is in a package")


def test_fields(tap):
    """Names, versions and dependencies."""
    for name in OURS:
        path = packages.package(name, packages.QEMU_RELEASE)
        version = packages.field(path, "Version")
        tap.equal(version.split("+")[0], VERSION,
                  f"{name}: the field Version has the tree's version")
        tap.equal(packages.field(path, "Package"), f"virtio-capture-{name}",
                  f"{name}: the field Package has the name")
    path = packages.package("qemu", packages.QEMU_RELEASE)
    needs = packages.field(path, "Depends")
    runs = tree.run(tree.make_variable("qemu-device", "QEMU"), "--version")[1]
    exact = re.search(r"\(Debian (.*)\)", runs[0])[1]
    tap.contains(needs, f"qemu-system-common (= {exact})",
                 "the plug-in's package depends on the exact version of QEMU")
    tap.contains(needs, "libc6 (>= 2.",
                 "the plug-in's package depends on its libraries")
    if "dkms" in OURS:
        tap.contains(packages.field(packages.package("dkms"), "Depends"), "dkms",
                     "the driver's package depends on DKMS")
        tap.contains(packages.field(packages.package("tools"), "Depends"),
                     "libc6 (>= 2.", "bpfstat's package depends on libc6")


def test_same(tap):
    """A package does not depend on who builds it, when and where."""
    stage = packages.folder(packages.QEMU_RELEASE) / "stage"
    for name in OURS:
        path = packages.package(name, packages.QEMU_RELEASE)
        words = []
        if name == "qemu":
            exact = re.search(r"common \(= (.*?)\)",
                              packages.field(path, "Depends"))[1]
            words = [f"QEMU={exact}",
                     f"VERSION={packages.field(path, 'Version')}"]
        status, lines = tree.run(
            "sh", "-c", 'umask 077; TZ=Asia/Tokyo LANG=C.UTF-8 exec "$@"', "sh",
            "images/deb/make-package", f"virtio-capture-{name}", stage, OUT,
            *words)
        tap.ok(status == 0 and (OUT / path.name).read_bytes()
               == path.read_bytes(), f"{name}: building it again gives the same bytes", *lines)


def check(tap):
    """Checks all packages; for another release, only the plug-in's."""
    os.umask(0o022)
    tap.run(test_files, test_staged, test_fields, test_same)


tree.main(check)
