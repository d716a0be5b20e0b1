# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot loader GRUB for BIOS and for UEFI: its images, made of the files in
Debian's packages, and its configuration. The packages are not installed."""
import os
import struct
from pathlib import Path

from . import needs
from .programs import run

HERE = Path(__file__).resolve().parent
FOLDER = needs.TOP / "build" / "downloads" / "grub"
PACKAGES = ("grub-common", "grub-pc-bin", "grub-efi-amd64-bin",
            "libdevmapper1.02.1")
SECTOR = 512

# Used by grub.cfg, or by one that update-grub writes later.
MODULES = ("normal", "configfile", "search", "search_fs_uuid", "linux", "boot",
           "part_gpt", "ext2", "fat", "gzio", "echo", "test", "true", "ls",
           "cat", "minicmd", "halt", "reboot", "serial", "terminal",
           "terminfo", "sleep", "loadenv", "gettext", "all_video")
PLATFORM_MODULES = {"i386-pc": ("biosdisk",), "x86_64-efi": ("efi_gop",)}

# Offsets in boot.img: the number of the sector that it loads, and a jump that is
# replaced for hard disks. Offset in the loaded sector: the list of the following
# sectors.
BOOT_SECTOR, BOOT_JUMP, NO_OPERATIONS = 0x5C, 0x66, b"\x90\x90"
BOOT_CODE = 440
BLOCK_LIST = SECTOR - 12


def fetch():
    """Download and unpack Debian's packages of GRUB."""
    run([needs.TOP / "images" / "fetch" / "package", *PACKAGES, FOLDER], "GRUB")


def image(platform, uuid, work):
    """Make GRUB's image for a platform, and return its file. It reads grub.cfg
    from the file system with that UUID."""
    early = work / "early.cfg"
    early.write_text(f"search.fs_uuid {uuid} root\n"
                     "set prefix=($root)/boot/grub\n")
    output = work / f"grub-{platform}"
    libraries = ":".join(str(FOLDER / path / "x86_64-linux-gnu")
                         for path in ("lib", "usr/lib"))
    run(["env", f"LD_LIBRARY_PATH={libraries}", FOLDER / "usr/bin/grub-mkimage",
         "--directory", FOLDER / "usr/lib/grub" / platform,
         "--format", platform, "--config", early, "--prefix", "/boot/grub",
         "--output", output, *MODULES, *PLATFORM_MODULES[platform]],
        f"GRUB's image for {platform}")
    return output


def boot_code(sector):
    """Return the code for the disk's first sector. BIOS runs it, and it loads
    the given sector."""
    code = bytearray((FOLDER / "usr/lib/grub/i386-pc/boot.img").read_bytes())
    struct.pack_into("<Q", code, BOOT_SECTOR, sector)
    code[BOOT_JUMP:BOOT_JUMP + len(NO_OPERATIONS)] = NO_OPERATIONS
    return bytes(code[:BOOT_CODE])


def at_sector(path, sector):
    """Return GRUB's image for BIOS, adapted to start at a sector of the disk."""
    content = bytearray(path.read_bytes())
    content += bytes(-len(content) % SECTOR)
    struct.pack_into("<Q", content, BLOCK_LIST, sector + 1)
    return bytes(content)


def configure(root, uuid):
    """Write grub.cfg and /etc/fstab of the system."""
    folder = root / "boot" / "grub"
    os.makedirs(folder, exist_ok=True)
    text = (HERE / "grub.cfg").read_text()
    (folder / "grub.cfg").write_text(text.replace("@UUID@", uuid))
    (root / "etc" / "fstab").write_text(
        f"UUID={uuid} / ext4 errors=remount-ro,x-systemd.growfs 0 1\n")
