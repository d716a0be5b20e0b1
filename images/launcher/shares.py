# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of the host in the guest, by 9P over virtio: --share."""
import os

from .errors import Failure

# What the guest's kernel needs; see images/modules.
MODULES = ("9pnet_virtio", "9p")


class Share:
    """One --share: number is its place among them. QEMU and the guest know it
    by that; the tag, which may be any name, is where it is mounted."""

    def __init__(self, number, spec):
        self.spec = spec
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
        if not os.path.isdir(self.folder):
            self._fail("not a folder" if os.path.exists(self.folder)
                       else "no such folder")
        needed = os.R_OK | os.X_OK | (os.W_OK if self.is_writable else 0)
        if not os.access(self.folder, needed):
            self._fail("no permission to "
                       f"{'write to' if self.is_writable else 'read'} it")
        if not self.tag:
            self._fail("the root folder has no name: give it a TAG")
        if "/" in self.tag or self.tag in (".", ".."):
            self._fail(f"the TAG {self.tag!r} is no name of a folder in /mnt")
        if len(os.fsencode(self.tag)) > 255:
            self._fail("the TAG is longer than 255 bytes")

    def _fail(self, why):
        raise Failure(f"--share {self.spec}: {why}")

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


def check_kernel(shares, image):
    """Whether the kernel of the image in that folder has what it needs."""
    if not shares:
        return
    lacking = (image / "modules-lacking").read_text().split()
    lacking = [name for name in MODULES if name in lacking]
    # Without this file nothing tells what is built in: init has to see.
    if lacking \
            and list(image.glob("root/lib/modules/*/modules.builtin")):
        release = (image / "release").read_text().split()[0]
        raise Failure(f"--share {shares[0].spec}: the kernel {release} has "
                      f"neither built in nor as modules: {', '.join(lacking)}")


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
