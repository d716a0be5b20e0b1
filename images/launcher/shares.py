# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of the host in the guest, by 9P over virtio: --share and --root."""
import os

from .errors import Failure

# What the guest's kernel needs; see images/guest/modules.
MODULES = ("9pnet_virtio", "9p")


def check_folder(folder, is_writable):
    """Why QEMU cannot serve a folder, or None."""
    if not os.path.isdir(folder):
        return "not a folder" if os.path.exists(folder) else "no such folder"
    needed = os.R_OK | os.X_OK | (os.W_OK if is_writable else 0)
    if not os.access(folder, needed):
        return f"no permission to {'write to' if is_writable else 'read'} it"
    return None


class Root:
    """What --root names."""

    name = "root"

    def __init__(self, options):
        self.option = f"--root {options.root}"
        self.folder, *rest = options.root.split(":")
        self.is_writable = rest == ["rw"]
        # What the guest's kernel needs.
        self.modules = MODULES if self.is_writable else (*MODULES, "overlay")
        if rest and not self.is_writable:
            self._fail("it is DIR or DIR:rw, and DIR has no colon in it")
        why = check_folder(self.folder, self.is_writable)
        if why:
            self._fail(why)
        if options.disk:
            self._fail("not with --disk, whose system is on the disk")
        if options.add and self.is_writable:
            raise Failure(f"--add {options.add[0]}: not with --root DIR:rw, "
                          "which would keep it: copy it to DIR, or --share it")

    def _fail(self, why):
        raise Failure(f"{self.option}: {why}")

    def settings(self):
        """What init is told."""
        yield "root", "rw" if self.is_writable else "ro"


class Share:
    """One --share: number is its place among them. QEMU and the guest know it
    by that; the tag, which may be any name, is where it is mounted."""

    modules = MODULES

    def __init__(self, number, spec):
        self.spec = spec
        self.option = f"--share {spec}"
        self.name = f"share{number}"
        self.folder, *rest = spec.split(":")
        self.is_writable = rest[-1:] == ["rw"]
        if self.is_writable:
            rest.pop()
        if len(rest) > 1:
            self._fail(f"it is DIR, DIR:TAG, DIR:rw or DIR:TAG:rw, not "
                       f"{len(rest) + 1 + self.is_writable} words")
        self.tag = rest[0] if rest and rest[0] else \
            os.path.basename(os.path.abspath(self.folder))
        self._check()

    def _check(self):
        why = check_folder(self.folder, self.is_writable)
        if why:
            self._fail(why)
        if not self.tag:
            self._fail("the root folder has no name: give it a TAG")
        if "/" in self.tag or self.tag in (".", ".."):
            self._fail(f"the TAG {self.tag!r} is no name of a folder in /mnt")
        if len(os.fsencode(self.tag)) > 255:
            self._fail("the TAG is longer than 255 bytes")

    def _fail(self, why):
        raise Failure(f"{self.option}: {why}")

    def settings(self):
        """What init is told."""
        yield "share", self.tag
        if self.is_writable:
            yield "writable", 1


def choose_shares(specs):
    """What the options --share name."""
    shares = [Share(number, spec) for number, spec in enumerate(specs)]
    seen = {}
    for share in shares:
        if share.tag in seen:
            raise Failure(f"--share {share.spec}: --share {seen[share.tag]} "
                          f"has the same TAG, {share.tag}")
        seen[share.tag] = share.spec
    return shares


def served(options):
    """All folders that QEMU serves."""
    return [*([options.root] if options.root else []), *options.share]


def check_kernel(shares, image):
    """Whether the kernel of the image in that folder has what it needs."""
    # Without this file nothing tells what is built in: init has to see.
    if not shares \
            or not list(image.glob("root/lib/modules/*/modules.builtin")):
        return
    all_lacking = (image / "modules-lacking").read_text().split()
    for share in shares:
        lacking = [name for name in share.modules if name in all_lacking]
        if lacking:
            release = (image / "release").read_text().split()[0]
            raise Failure(f"{share.option}: the kernel {release} has neither "
                          f"built in nor as modules: {', '.join(lacking)}")


def share_options(shares, quote):
    """What QEMU is told. It looks files up without following symbolic links,
    and serves no file that the launcher's user cannot open. With the model
    "none" a file that the guest creates is an ordinary one of that user's; only
    root's QEMU can give it the guest's owner."""
    words = []
    for share in shares:
        access = "off" if share.is_writable else "on"
        words += ["-fsdev", f"local,id={share.name},security_model=none,"
                            f"readonly={access},multidevs=remap,"
                            f"path={quote(os.path.realpath(share.folder))}",
                  "-device", f"virtio-9p-pci,fsdev={share.name},"
                             f"mount_tag={share.name},id={share.name}"]
    return words
