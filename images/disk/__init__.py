# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images for images/build. Each module has one part of it:

options     the command line
needs       the programs of this machine that it takes
place       the temporary folders
namespace   where the work is done, with root's rights over the image's files
system      the system: Debian's packages, the driver, scripts (mmdebstrap)
grub        the boot loader, for BIOS and for UEFI
layout      the disk: partition table, partitions, format
main        all of it, in order
"""
