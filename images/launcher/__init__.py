# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher, images/vm: a QEMU process, its guest, and the guest's verdict.

main.py       the order of events
options.py    the command line
image.py      what the guest boots: kernel, initramfs, what the launch adds
own.py        the same of a kernel of the user's own
kernels.py    kernels, modules, drivers: do they go together?
files.py      files into the guest: --add
disks.py      disk images: --disk
entry.py      how COMMAND gets into the system of one
agent.py      the ways: by the QEMU guest agent
ssh.py        by ssh
serial.py     by the serial console
channel.py    what the guest agent and the console say, and are told
bootstrap.py  what is the same by each way
gets.py       files out of the guest: --get
live.py       viewers of the guest's frames
captures.py   files with the NICs' frames: --capture-dir
shares.py     folders of the host in the guest: --share, --root
forwards.py   ports of the host that lead into the guest: --port
place.py      how a file that came out gets to its place
qemu.py       QEMU's command line
gdb.py        QEMU's server for gdb: --gdb
guest.py      the running guest: its process, its ports, its time
verdict.py    what the guest says of itself
judgement.py  the exit status, and the reasons for it
console.py    faults in the kernel's console
streams.py    the launcher's own standard input, output and error
signals.py    signals that end the launcher
workspace.py  temporary folders, also those of launchers that were killed
"""
