# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest boots: kernel, initramfs, and the archive of additions."""
import os
import shutil
import subprocess
from pathlib import Path

from .errors import Failure
from .files import stage_additions, stage_numbered
from .kernels import check_arch, read_kernel

TOP = Path(__file__).resolve().parents[2]
# QEMU_RELEASE: see the Makefile.
RELEASE = os.environ.get("QEMU_RELEASE") or ""
PLUGIN = TOP / "build" / RELEASE / "qemu-device" / "virtio-capture.so"
QEMUS = TOP / "build" / "downloads" / f"qemu-{RELEASE}" / "run-qemu"


def product(path, target):
    """A file that make builds; if it is missing, the error names the target."""
    if not path.exists():
        raise Failure(f"{os.path.relpath(path)} is missing: "
                      f"run make {target}")
    return path


def choose_qemu(path, name):
    """The QEMU to run: path if given, else that of QEMU_RELEASE, else the installed
    program of that name."""
    if path:
        return path
    return str(product(QEMUS / name, "device")) if RELEASE else name


def image_target(arch):
    """Make's arguments that build the image."""
    return "image" if arch == "x86_64" else f"image GUEST_ARCH={arch}"


def image_folder(arch):
    """The folder of the image. GUEST_OUT: see the Makefile."""
    out = "build" if arch == "x86_64" else f"build/{arch}"
    return TOP / (os.environ.get("GUEST_OUT") or out) / "images"


def image_file(arch, name):
    """A file of the image."""
    return product(image_folder(arch) / name, image_target(arch))


def choose_kernel(path, arch):
    """The kernel to boot. That of --kernel must match the image's modules."""
    ours = image_file(arch, "kernel")
    built_for = image_file(arch, "arch").read_text().strip()
    if built_for != arch:
        raise Failure(f"--arch {arch}: the image in "
                      f"{os.path.relpath(ours.parent)} is for {built_for}")
    if path is None:
        return str(ours)
    release = image_file(arch, "release").read_text().split()[0]
    other = read_kernel(path)
    check_arch(f"--kernel {path}", other.arch, arch)
    if other.release != release:
        raise Failure(
            f"--kernel {path}: it is {other.release}, and the image's modules "
            f"with virtio_capture are for {release}; name its own modules "
            f"(--modules /lib/modules/{other.release}), or build the image for "
            f"a kernel of Debian's (make image KVER={other.release})")
    return path


def pack(stage):
    """Packs a folder's content as a cpio archive, with root as the owner."""
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


def write_initrd(path, image, settings, additions, folder,
                 in_places=True):
    """Writes the initramfs of the folder image, followed by an archive with this
    launch's additions; the kernel unpacks both. settings: see images/guest/init/config.c.
    in_places: the files of --add are in their places; otherwise init copies them
    into the root of --root."""
    stage = Path(folder, "added")
    stage.mkdir()
    if in_places:
        stage_additions(additions, stage,
                        (image / "folders").read_text().splitlines())
    else:
        stage_numbered(additions, stage / "added")
    (stage / "launcher").write_bytes(b"".join(
        os.fsencode(f"{key}={value}") + b"\0" for key, value in settings))
    archive = pack(stage)
    shutil.copyfile(image / "initramfs", path)
    with open(path, "ab") as initrd:
        initrd.write(bytes(-initrd.tell() % 512))
        initrd.write(archive)
