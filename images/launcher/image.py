# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest boots: kernel, initramfs, and what the launcher adds."""
import gzip
import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

from .errors import Failure
from .files import stage_additions

TOP = Path(__file__).resolve().parents[2]
# QEMU_RELEASE: see the Makefile.
RELEASE = os.environ.get("QEMU_RELEASE") or ""
PLUGIN = TOP / "build" / RELEASE / "qemu-device" / "virtio-capture.so"
QEMUS = TOP / "build" / "downloads" / f"qemu-{RELEASE}" / "run-qemu"

# How the kernel tells its release and who built it.
LINUX_VERSION = re.compile(rb"(\d+\.\d\S*) \(\S+@\S+\) ")

# Files of kernels: an ELF file, arm64's Image, and that of s390 with its first
# channel command words.
KERNEL_FILES = ((0, b"\x7fELF"), (0x38, b"ARMd"),
                (8, b"\2\0\0\x18\x60\0\0\x50"))


def product(path, target):
    """A file that make builds; fails with the target that builds it."""
    if not path.exists():
        raise Failure(f"{os.path.relpath(path)} is missing: "
                      f"run make {target}")
    return path


def choose_qemu(path, name):
    """QEMU: that of PATH, else the one of that name that is installed, or that
    of QEMU_RELEASE."""
    if path:
        return path
    return str(product(QEMUS / name, "device")) if RELEASE else name


def image_file(arch, name):
    """A file of the image. GUEST_OUT: see the Makefile."""
    out = "build" if arch == "x86_64" else f"build/{arch}"
    return product(TOP / (os.environ.get("GUEST_OUT") or out) / "images" / name,
                   "image" if arch == "x86_64" else f"image GUEST_ARCH={arch}")


def kernel_release(path, prefix="--kernel"):
    """The release of a kernel file, from a bzImage's header or its text."""
    try:
        data = Path(path).read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise Failure(f"{prefix} {path}: {reason}") from None
    if data[0x202:0x206] == b"HdrS":
        start = struct.unpack_from("<H", data, 0x20e)[0] + 0x200
        words = data[start:start + 200].split()
        return words[0].decode("ascii", "replace") if words else "unknown"
    match = LINUX_VERSION.search(data)
    if not match or not any(data.startswith(magic, offset)
                            for offset, magic in KERNEL_FILES):
        raise Failure(f"{prefix} {path}: not a Linux kernel")
    return match[1].decode("ascii", "replace")


def choose_kernel(path, arch):
    """The kernel to boot; another one must be of the modules' release."""
    ours = image_file(arch, "kernel")
    built_for = image_file(arch, "arch").read_text().strip()
    if built_for != arch:
        raise Failure(f"--arch {arch}: the image in "
                      f"{os.path.relpath(ours.parent)} is for {built_for}")
    if path is None:
        return str(ours)
    release = image_file(arch, "release").read_text().split()[0]
    other = kernel_release(path)
    if other != release:
        raise Failure(
            f"--kernel {path}: it is {other}, and the image's modules "
            f"with virtio_capture are for {release}; build the image for "
            f"that kernel: make image KVER={other} (Debian's), or "
            f"make image KERNEL={path} MODULES=/lib/modules/{other}")
    return path


def pack(stage):
    """A folder's content as a cpio archive of files that root owns."""
    names = []
    for folder, folders, files in os.walk(os.fsencode(stage)):
        names += [os.path.relpath(os.path.join(folder, name),
                                  os.fsencode(stage))
                  for name in sorted(folders) + sorted(files)]
    packer = subprocess.run(
        ["cpio", "--quiet", "--null", "-o", "-H", "newc", "-R", "+0:+0"],
        cwd=stage, input=b"".join(name + b"\0" for name in names),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if packer.returncode:
        raise Failure(f"cpio: {packer.stderr.decode(errors='replace')}")
    return packer.stdout


def write_initrd(path, arch, settings, additions, folder):
    """The image's initramfs, and after it an archive with what this launch
    adds. The kernel unpacks both. settings: see images/init/config.c."""
    stage = Path(folder, "added")
    stage.mkdir()
    stage_additions(additions, stage,
                    image_file(arch, "folders").read_text().splitlines())
    (stage / "launcher").write_bytes(b"".join(
        os.fsencode(f"{key}={value}") + b"\0" for key, value in settings))
    archive = pack(stage)
    shutil.copyfile(image_file(arch, "initramfs"), path)
    with open(path, "ab") as initrd:
        initrd.write(bytes(-initrd.tell() % 512))
        initrd.write(archive)
