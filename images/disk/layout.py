# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the disk: a GUID partition table, a partition with GRUB for BIOS, an EFI
system partition with GRUB for UEFI, and the root file system. The root file
system is last, so that it can grow. Nothing is mounted and no block device is
used."""
import os
import struct
import uuid
import zlib

from launcher.errors import Failure

from . import grub
from .options import MIB
from .programs import run, say

SECTOR = grub.SECTOR
ENTRIES, ENTRY_SIZE = 128, 128
TABLE_SECTORS = ENTRIES * ENTRY_SIZE // SECTOR

# (name, type, first sector, number of sectors); the root partition has the rest.
BIOS = ("bios", "21686148-6449-6e6f-744e-656564454649", 2048, 2048)
ESP = ("esp", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", 4096, 16384)
ROOT_TYPE = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
ROOT_FIRST = ESP[2] + ESP[3]

# GRUB of Debian 12 does not know these features.
FEATURES = "^metadata_csum_seed,^orphan_file"
# The minimum space for metadata and the journal.
OVERHEAD = 48 * MIB


def partition_entries(partitions):
    """Return the partition table's array of entries."""
    entries = b"".join(
        struct.pack("<16s16sQQQ72s", uuid.UUID(kind).bytes_le,
                    uuid.uuid4().bytes_le, first, first + count - 1, 0,
                    name.encode("utf-16-le"))
        for name, kind, first, count in partitions)
    return entries.ljust(ENTRIES * ENTRY_SIZE, b"\0")


def header(disk, entries, sectors, is_backup):
    """Return the table's primary header, or the backup at the disk's end."""
    here, there = (sectors - 1, 1) if is_backup else (1, sectors - 1)
    array = sectors - 1 - TABLE_SECTORS if is_backup else 2
    fields = ["EFI PART".encode(), 0x10000, 92, 0, 0, here, there,
              2 + TABLE_SECTORS, sectors - 2 - TABLE_SECTORS, disk.bytes_le,
              array, ENTRIES, ENTRY_SIZE, zlib.crc32(entries)]
    form = "<8sIIIIQQQQ16sQIII"
    fields[3] = zlib.crc32(struct.pack(form, *fields))
    return struct.pack(form, *fields).ljust(SECTOR, b"\0")


def protective_mbr(code, sectors):
    """Return the first sector: the code for BIOS, and the protective partition.
    It is marked active, as some BIOSes boot only from such a disk."""
    entry = struct.pack("<B3sB3sII", 0x80, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1,
                        min(sectors - 1, 0xFFFFFFFF))
    return code.ljust(446, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa"


def write_table(disk, code, partitions, sectors):
    """Write the first sector and both copies of the table."""
    entries, number = partition_entries(partitions), uuid.uuid4()
    disk.seek(0)
    disk.write(protective_mbr(code, sectors)
               + header(number, entries, sectors, False) + entries)
    disk.seek((sectors - 1 - TABLE_SECTORS) * SECTOR)
    disk.write(entries + header(number, entries, sectors, True))


def make_esp(program, work):
    """Return the EFI system partition, with the program that UEFI starts."""
    path = work / "esp"
    _, _, _, sectors = ESP
    with open(path, "wb") as file:
        file.truncate(sectors * SECTOR)
    geometry = ["-T", sectors, "-h", 64, "-s", 32]
    run(["mformat", "-i", path, *geometry, "-v", "ESP", "::"], "mformat")
    run(["mmd", "-i", path, "::EFI", "::EFI/BOOT"], "mmd")
    run(["mcopy", "-i", path, program, "::EFI/BOOT/BOOTX64.EFI"], "mcopy")
    return path.read_bytes()


def used(root):
    """Return the number of bytes that a folder's files need on ext4."""
    total = 0
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            # Data blocks and an inode.
            state = os.lstat(os.path.join(folder, name))
            total += -(-state.st_size // 4096) * 4096 + 256
    return total


def make_root(root, number, path, offset, size):
    """Make the root file system at an offset in the disk's file."""
    needed = used(root) + OVERHEAD
    if needed > size:
        raise Failure(f"--size is too small: the system needs at least "
                      f"{-(-(needed + offset) // MIB)}M")
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", FEATURES, "-U", number,
         "-L", "root", "-E", f"offset={offset},nodiscard", "-d", root, path,
         f"{size // 1024}k"], "mke2fs")


def make(options, root, work, path):
    """Make the disk image with the system in root, in the file path."""
    number = str(uuid.uuid4())
    grub.fetch()
    grub.configure(root, number)
    sectors = options.size // SECTOR
    root_part = ("root", ROOT_TYPE, ROOT_FIRST, sectors - ROOT_FIRST - 2048)
    raw = path if options.format == "raw" else str(work / "disk")
    say("making the disk")
    with open(raw, "r+b" if os.path.exists(raw) else "w+b") as disk:
        disk.truncate(options.size)
        make_root(root, number, raw, ROOT_FIRST * SECTOR,
                  root_part[3] * SECTOR)
        write_table(disk, grub.boot_code(BIOS[2]), (BIOS, ESP, root_part),
                    sectors)
        disk.seek(BIOS[2] * SECTOR)
        disk.write(grub.at_sector(grub.image("i386-pc", number, work),
                                  BIOS[2]))
        disk.seek(ESP[2] * SECTOR)
        disk.write(make_esp(grub.image("x86_64-efi", number, work), work))
    if options.format != "raw":
        run(["qemu-img", "convert", "-f", "raw", "-O", options.format, raw,
             path], "qemu-img")
