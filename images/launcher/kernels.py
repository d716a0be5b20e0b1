# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels of the user's: reads a kernel's file, a folder of modules, a build tree
and a driver, and checks that they match."""
import gzip
import hashlib
import os
import re
import struct
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

from .errors import Failure, describe

# The kernel's banner: its release and who built it.
LINUX_VERSION = re.compile(rb"(\d+\.\d\S*) \(\S+@\S+\) ")

# Where a build tree has its release, which is also the name of a folder. In Debian's
# headers only this file has it: include/config/kernel.release differs.
UTS_HEADER = "include/generated/utsrelease.h"
UTS_RELEASE = re.compile(r'^#define UTS_RELEASE "(\d[\w.+~-]*)"$',
                         re.ASCII | re.MULTILINE)

# Offset and magic of kernels' files, and their processor. That of s390 begins with
# channel command words. For ELF files see ELF_MACHINES.
KERNEL_FILES = ((0x202, b"HdrS", "x86_64"), (0x38, b"ARMd", "aarch64"),
                (8, b"\2\0\0\x18\x60\0\0\x50", "s390x"))
ELF = b"\x7fELF"
ELF_MACHINES = {62: "x86_64", 183: "aarch64", 22: "s390x"}

# In the header of a bzImage: whether it has a 64-bit entry point.
XLOADFLAGS, XLF_KERNEL_64 = 0x236, 1

# Build trees: each processor's configuration option, and the kernel's file.
TREE_KERNELS = {"x86_64": ("X86_64", "arch/x86/boot/bzImage"),
                "aarch64": ("ARM64", "arch/arm64/boot/Image"),
                "s390x": ("S390", "arch/s390/boot/bzImage")}

DRIVER = "virtio_capture"


class Kernel(NamedTuple):
    """A kernel's file, its release and its processor."""

    path: str
    release: str
    arch: str               # None if unknown


def elf_machine(data):
    """The processor of an ELF file; None for a file that is not ELF."""
    if data[:4] != ELF or len(data) < 20:
        return None
    order = ">" if data[5] == 2 else "<"
    return ELF_MACHINES.get(struct.unpack_from(order + "H", data, 18)[0],
                            "another processor")


def read_kernel(path, prefix="--kernel"):
    """Reads a kernel's file. The release is in a bzImage's header, or in the banner
    of other formats."""
    try:
        data = Path(path).read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise Failure(f"{prefix} {path}: {reason}") from None
    arch = elf_machine(data)
    for offset, magic, name in KERNEL_FILES:
        if data.startswith(magic, offset):
            arch = name
    if data[0x202:0x206] == b"HdrS" and len(data) > XLOADFLAGS:
        if not data[XLOADFLAGS] & XLF_KERNEL_64:
            arch = "another processor"
        start = struct.unpack_from("<H", data, 0x20e)[0] + 0x200
        words = data[start:start + 200].split()
        release = words[0] if words else b"unknown"
    else:
        match = LINUX_VERSION.search(data)
        if not match or not arch:
            raise Failure(f"{prefix} {path}: not a Linux kernel")
        release = match[1]
    return Kernel(path, release.decode("ascii", "replace"), arch)


def check_arch(what, found, arch):
    """Fails if what was found is not for the guest's processor."""
    if found != arch:
        raise Failure(f"{what}: it is for {found}, but the guest's processor "
                      f"is {arch}")


# --- folders of modules ---

def check_modules(path, kernel):
    """Checks a folder like /lib/modules/RELEASE for that kernel; returns its real
    path."""
    real = os.path.realpath(path)
    if not os.path.isdir(real):
        reason = "not a folder" if os.path.exists(real) else "no such folder"
        raise Failure(f"--modules {path}: {reason}")
    if not any(os.path.isfile(f"{real}/{name}")
               for name in ("modules.order", "modules.dep")):
        raise Failure(f"--modules {path}: not a folder that make "
                      "modules_install makes: it has neither modules.order nor "
                      "modules.dep")
    release = os.path.basename(real)
    if release != kernel.release:
        raise Failure(f"--modules {path}: the modules are for {release}, but "
                      f"the kernel {kernel.path} is {kernel.release}")
    return real


def files_of(folder):
    """The files in a folder and those below it, in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(place, name) for name in sorted(names))


def state(paths):
    """A digest that changes when one of the files changes."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            found = os.stat(path)
            text = f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0"
        except FileNotFoundError:
            text = f"{path}\0\0\0"      # for example a dangling link
        digest.update(os.fsencode(text))
    return digest.hexdigest()[:16]


# --- build trees ---

class Tree(NamedTuple):
    """A build tree that has a built kernel."""

    path: str
    kernel: Kernel
    modules: tuple          # their files; None without CONFIG_MODULES


def tree_file(path, name, prefix):
    """Reads a text file that building the kernel creates in its tree."""
    try:
        return Path(path, name).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise Failure(f"{prefix} {path}: the tree is not built: it has no "
                      f"{name} (make bzImage modules)") from None
    except OSError as error:
        raise Failure(f"{prefix} {describe(error)}") from None


def read_tree(path, arch, prefix="--kernel"):
    """Reads a build tree; for a build with O=, that is the output folder."""
    real = os.path.realpath(path)
    what = f"{prefix} {path}"
    for name in ("Makefile", ".config"):
        if not os.path.isfile(f"{real}/{name}"):
            raise Failure(f"{what}: neither a kernel nor a configured build "
                          f"tree: it has no {name}")
    config = set(tree_file(real, ".config", prefix).splitlines())
    archs = [name for name, (word, _) in TREE_KERNELS.items()
             if f"CONFIG_{word}=y" in config]
    check_arch(what, archs[0] if archs else "another processor", arch)
    release = UTS_RELEASE.search(tree_file(real, UTS_HEADER, prefix))
    if not release:
        raise Failure(f"{what}: {UTS_HEADER} has no release")
    release = release[1]

    file = TREE_KERNELS[arch][1]
    if not os.path.isfile(f"{real}/{file}"):
        raise Failure(f"{what}: the tree is not built: it has no {file} "
                      "(make bzImage modules)")
    kernel = read_kernel(f"{real}/{file}", prefix)
    if kernel.release != release:
        raise Failure(f"{what}: the tree is only partly rebuilt: {file} is "
                      f"{kernel.release}, but the modules are for {release}")
    if "CONFIG_MODULES=y" not in config:
        return Tree(real, kernel, None)
    # Since Linux 6.4 it has the names of object files.
    modules = tuple(
        re.sub(r"\.o$", ".ko", name)
        for name in tree_file(real, "modules.order", prefix).splitlines())
    for name in modules:
        if not os.path.isfile(f"{real}/{name}"):
            raise Failure(f"{what}: the tree is not built: it has no {name} "
                          "(make bzImage modules)")
    return Tree(real, kernel, modules)


def tree_state(tree):
    """A digest that changes when the tree is built again."""
    names = (".config", "vmlinux", "modules.order", "modules.builtin",
             "Module.symvers", *(tree.modules or ()))
    return state([tree.kernel.path] + [f"{tree.path}/{name}"
                                       for name in names])


# --- the driver ---

def modinfo(path, field):
    """Returns a field of a module's modinfo section, or an empty string."""
    done = subprocess.run(
        ["modinfo", "-F", field, path], check=False, text=True,
        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": os.environ.get("PATH", "") +
             ":/usr/sbin:/sbin"})
    return done.stdout.strip()


def driver_release(path):
    """The release that a driver is built for; None if the file is not the driver."""
    words = modinfo(path, "vermagic").split()
    return words[0] if words and modinfo(path, "name") == DRIVER else None


def check_driver(path, kernel, prefix="--driver"):
    """Fails if the file is not the driver for that kernel."""
    if not os.path.isfile(path):
        raise Failure(f"{prefix} {path}: no such file")
    release = driver_release(path)
    if release is None:
        raise Failure(f"{prefix} {path}: not the module {DRIVER}")
    if release != kernel.release:
        raise Failure(f"{prefix} {path}: the driver is built for {release}, "
                      f"but the kernel {kernel.path} is {kernel.release}")


def find_driver(modules, kernel):
    """Returns the driver among a kernel's modules and None, or None and the reason.
    As with depmod, one below updates/, where DKMS installs it, comes first."""
    found = [path for path in files_of(modules)
             if re.fullmatch(DRIVER + r"\.ko(\.gz|\.xz|\.zst)?",
                             os.path.basename(path))]
    found.sort(key=lambda path: not path.startswith(f"{modules}/updates/"))
    reason = f"there is no {DRIVER}.ko"
    for path in found:
        try:
            check_driver(path, kernel, "--modules")
            return path, None
        except Failure as error:
            reason = str(error).removeprefix("--modules ")
    return None, reason


def find_build(modules, kernel):
    """Returns the tree that modules for that kernel are built against and None, or
    None and the reason."""
    link = f"{modules}/build"
    real = os.path.realpath(link)
    if not os.path.isdir(f"{real}/include"):
        return None, f"{link} does not point to a kernel's headers" \
            if os.path.lexists(link) else "there is no folder build"
    try:
        text = Path(real, UTS_HEADER).read_text(errors="replace")
    except OSError as error:
        return None, describe(error)
    release = UTS_RELEASE.search(text)
    if not release or release[1] != kernel.release:
        return None, f"{link} is for {release[1] if release else 'no release'}"
    return real, None
