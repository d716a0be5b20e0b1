# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images to boot: --disk and the options that need it."""
import os
import re
import shutil
from pathlib import Path

from .errors import Failure, describe

# Formats by the suffix of the image's name. The format is never detected from the
# content: a guest can write any header into a raw image, also one of a format that
# refers to files of the host.
FORMATS = {".raw": "raw", ".qcow2": "qcow2", ".vmdk": "vmdk", ".vdi": "vdi",
           ".vhdx": "vhdx", ".vhd": "vpc"}

# The first bytes of images of formats other than raw.
MAGICS = {b"QFI\xfb": "qcow2", b"KDMV": "vmdk", b"# Disk Descriptor": "vmdk",
          b"COWD": "vmdk", b"<<< ": "vdi", b"vhdxfile": "vhdx",
          b"conectix": "vpc"}

# The two lines of QEMU's error when another process has locked the image.
LOCK = re.compile(rb"Failed to get .*lock|Is another process using the image")

LONGEST_LINE = 1 << 16

ARCHS = ("x86_64",)

# Where distributions install OVMF: the code, and a template of the variables.
UEFI = (("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd",
         "/usr/share/edk2/ovmf/OVMF_VARS.fd"))

# Options that need --disk, and options that exclude it: attribute and option.
ONLY_DISK = {name: "--" + name.replace("_", "-") for name in (
    "snapshot", "keep", "firmware", "initrd", "via", "ssh", "ssh_key",
    "boot_timeout")}
NO_DISK = {"modules": "--modules", "driver": "--driver"}


class Disk:
    """What --disk names."""

    def __init__(self, options):
        match = re.fullmatch(r"(?s)(.*?)(,format=(\w*))?", options.disk)
        self.path, format_given = match[1], match[3]
        self.is_kept = options.keep
        self.firmware = options.firmware or "bios"
        self.kernel = options.kernel
        self.initrd = options.initrd
        self._check_file()
        self.format = self._check_format(format_given) if match[2] \
            else self._guess_format()

    def _fail(self, why):
        raise Failure(f"--disk {self.path}: {why}")

    def _check_file(self):
        if not self.path:
            self._fail("no IMAGE")
        if os.path.isdir(self.path):
            self._fail("a folder, not a disk image")
        try:
            os.close(os.open(self.path, os.O_CLOEXEC | (
                os.O_RDWR if self.is_kept else os.O_RDONLY)))
        except OSError as error:
            raise Failure(f"--disk {describe(error)}") from None

    def _check_format(self, name):
        if name not in FORMATS.values():
            self._fail(f"format={name}: not one of "
                       f"{', '.join(sorted(set(FORMATS.values())))}")
        return name

    def _guess_format(self):
        """Chooses the format by the file's name. Without a known suffix it is raw;
        then content that looks like another format is an error."""
        known = FORMATS.get(Path(self.path).suffix.lower())
        if known:
            return known
        try:
            with open(self.path, "rb") as file:
                start = file.read(64)
        except OSError as error:
            raise Failure(f"--disk {describe(error)}") from None
        for magic, name in MAGICS.items():
            if start.startswith(magic):
                self._fail(f"its content looks like {name}, but its name has no "
                           "known suffix: if you trust the image, use "
                           f"--disk {self.path},format={name}")
        return "raw"

    def options(self, quote, folder):
        """QEMU's options for the disk and the firmware. QEMU writes a snapshot's
        changes to its TMPDIR. When that is full, the guest gets I/O errors; by
        default QEMU would stop it."""
        snapshot = "off" if self.is_kept else "on"
        words = ["-drive", f"if=none,id=disk,file={quote(self.path)},"
                           f"format={self.format},snapshot={snapshot},"
                           "discard=unmap",
                 "-device", "virtio-blk-pci,drive=disk,id=disk0,"
                            "werror=report,rerror=report"]
        if not self.kernel:
            words[-1] += ",bootindex=0"
            # For boot loaders and kernels that need a display.
            words += ["-vga", "std"]
        if self.firmware == "uefi":
            words += self._uefi_options(quote, folder)
        return words

    def _uefi_options(self, quote, folder):
        for code, variables in UEFI:
            if os.path.exists(code) and os.path.exists(variables):
                break
        else:
            raise Failure("--firmware uefi: OVMF is missing: install Debian's "
                          "package ovmf")
        copy = os.path.join(folder, "uefi-variables")
        shutil.copyfile(variables, copy)
        return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
                "-drive", f"if=pflash,unit=1,format=raw,file={quote(copy)}"]

    def kernel_options(self, parameters):
        """QEMU's options for --kernel, which replaces the disk's boot loader."""
        if not self.kernel:
            return []
        words = ["-kernel", self.kernel, "-append", " ".join(parameters)]
        return words + (["-initrd", self.initrd] if self.initrd else [])


class Errors:
    """Passes QEMU's standard error on, except the messages about a locked image:
    the launcher prints a clearer one."""

    def __init__(self, output):
        self.is_locked = False
        self._output = output
        self._rest = b""

    @property
    def pending(self):
        """Data that is not written yet."""
        return self._output.pending

    def feed(self, data):
        """Takes received data; empty data means the end."""
        *lines, self._rest = (self._rest + data).splitlines(keepends=True) \
            or [b""]
        if not data or self._rest.endswith(b"\n") \
                or len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            if LOCK.search(line):
                self.is_locked = True
            else:
                self._output.feed(line)


def choose_disk(options):
    """Checks --disk and the options that need or exclude it; returns the Disk or
    None."""
    if options.disk is None:
        for name, word in ONLY_DISK.items():
            if getattr(options, name):
                raise Failure(f"{word}: only with --disk IMAGE")
        return None
    for name, word in NO_DISK.items():
        if getattr(options, name) is not None:
            raise Failure(f"{word}: not with --disk, which uses the modules and "
                          "the driver of the system on the disk")
    if options.arch not in ARCHS:
        raise Failure(f"--disk: only with --arch {' or '.join(ARCHS)}, not "
                      f"{options.arch}")
    if options.snapshot and options.keep:
        raise Failure("--snapshot and --keep exclude each other")
    check_boot(options)
    return Disk(options)


def check_boot(options):
    """Checks --kernel, --initrd and --append."""
    if options.kernel is None:
        if options.initrd:
            raise Failure(f"--initrd {options.initrd}: only with --kernel "
                          "FILE")
        if options.append:
            raise Failure(f"--append {options.append[0]}: with --disk only "
                          "with --kernel FILE; otherwise the disk's boot "
                          "loader sets the kernel's parameters")
        return
    if options.firmware == "uefi":
        raise Failure("--firmware uefi: not with --kernel, which QEMU loads "
                      "itself")
    for name in ("kernel", "initrd"):
        path = getattr(options, name)
        if path is not None and not os.path.isfile(path):
            raise Failure(f"--{name} {path}: " + (
                "a folder; with --disk it must be a kernel's file"
                if name == "kernel" and os.path.isdir(path)
                else "no such file"))
    if not options.initrd and not any(
            "root=" in words for words in options.append):
        raise Failure("--disk with --kernel and no --initrd: no root file "
                      "system is given (--append root=/dev/vda1, or /dev/vda "
                      "if the disk has no partitions)")
