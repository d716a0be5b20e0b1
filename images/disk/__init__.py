# SPDX-License-Identifier: GPL-2.0-or-later
"""The implementation of images/build:

options     the command line
needs       checks for the programs and packages that it needs
place       temporary folders
namespace   the name spaces in which an image is made
programs    running a program, with its output and its errors
system      the root file system's contents, made by mmdebstrap and customize
grub        the boot loader, for BIOS and for UEFI
layout      the disk: partition table, partitions, file format
main        the sequence of all of these
"""
