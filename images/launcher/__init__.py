# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher, images/vm: a QEMU process, its guest, and the guest's verdict.

main.py     the order of events and the exit status
options.py  the command line
image.py    what the guest boots: kernel, initramfs, what the launch adds
files.py    files into the guest and out of it
qemu.py     QEMU's command line
guest.py    the running guest: ports, output, verdict
console.py  faults in the kernel's console
"""
