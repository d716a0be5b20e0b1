# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of the host in the guest, by 9P over virtio: --share and --root."""
import os

from .errors import Failure

# Modules that the guest's kernel needs; see images/guest/modules.
MODULES = ("9pnet_virtio", "9p")


def check_folder(folder, is_writable):
    """Returns why QEMU cannot serve a folder, or None."""
    if not os.path.isdir(folder):
        return "not a folder" if os.path.exists(folder) else "no such folder"
    needed = os.R_OK | os.X_OK | (os.W_OK if is_writable else 0)
    if not os.access(folder, needed):
        return f"no permission to {'write to' if is_writable else 'read'} it"
    return None


class Root:
    """The folder of --root."""

    name = "root"

    def __init__(self, options):
        self.option = f"--root {options.root}"
        self.folder, *rest = options.root.split(":")
        self.is_writable = rest == ["rw"]
        self.modules = MODULES if self.is_writable else (*MODULES, "overlay")
        if rest and not self.is_writable:
            self._fail("not DIR or DIR:rw, with no colon in DIR")
        why = check_folder(self.folder, self.is_writable)
        if why:
            self._fail(why)
        if options.disk:
            self._fail("not with --disk, which has its own root file system")
        if options.add and self.is_writable:
            raise Failure(f"--add {options.add[0]}: not with --root DIR:rw, as "
                          "it would stay in DIR: copy it there, or use --share")

    def _fail(self, why):
        raise Failure(f"{self.option}: {why}")

    def settings(self):
        """The settings for init."""
        yield "root", "rw" if self.is_writable else "ro"


class Share:
    """One --share; number is its position among them. QEMU's names for it, and the
    mount tag, have the number, because the option's TAG may be any name. The guest
    mounts it at /mnt/TAG."""

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
            self._fail("not DIR, DIR:TAG, DIR:rw or DIR:TAG:rw: it has "
                       f"{len(rest) + self.is_writable} colons")
        self.tag = rest[0] if rest and rest[0] else \
            os.path.basename(os.path.abspath(self.folder))
        self._check()

    def _check(self):
        why = check_folder(self.folder, self.is_writable)
        if why:
            self._fail(why)
        if not self.tag:
            self._fail("the root folder has no name, so it needs a TAG")
        if "/" in self.tag or self.tag in (".", ".."):
            self._fail(f"the TAG {self.tag!r} cannot be the name of a folder")
        if len(os.fsencode(self.tag)) > 255:
            self._fail("the TAG is longer than 255 bytes")

    def _fail(self, why):
        raise Failure(f"{self.option}: {why}")

    def settings(self):
        """The settings for init."""
        yield "share", self.tag
        if self.is_writable:
            yield "writable", 1


def choose_shares(specs):
    """The shares of the options --share."""
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
    """Fails if the kernel of the image in that folder lacks a module."""
    # Without this file it is unknown what is built in; then init reports it.
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
    """QEMU's options. QEMU does not follow symbolic links, and serves only files
    that the launcher's user can open. With the security model "none", a file that
    the guest creates belongs to that user; only as root can QEMU give it the owner
    that it has in the guest."""
    words = []
    for share in shares:
        access = "off" if share.is_writable else "on"
        words += ["-fsdev", f"local,id={share.name},security_model=none,"
                            f"readonly={access},multidevs=remap,"
                            f"path={quote(os.path.realpath(share.folder))}",
                  "-device", f"virtio-9p-pci,fsdev={share.name},"
                             f"mount_tag={share.name},id={share.name}"]
    return words
