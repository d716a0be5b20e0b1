# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher, images/vm: starts QEMU, runs COMMAND in the guest, and chooses the
exit status.

main.py       from the command line to the exit status
options.py    the command line
image.py      the image that "make image" builds, and the archive of additions
own.py        an image for a kernel of the user's
kernels.py    checks that kernel, modules and driver match
files.py      files copied into the guest: --add
disks.py      disk images: --disk
entry.py      how COMMAND is started in the system of a disk image
agent.py      starting it by the QEMU guest agent
ssh.py        starting it by ssh
serial.py     starting it by the serial console
channel.py    the connection to the guest agent or the serial console
bootstrap.py  the shell script that all three execute
gets.py       files copied out of the guest: --get
live.py       viewers of the guest's frames
captures.py   files with the NICs' frames: --capture-dir
shares.py     folders of the host in the guest: --share, --root
forwards.py   TCP ports of the host that are forwarded to the guest: --port
place.py      how a file from the guest replaces its target
qemu.py       QEMU's command line
gdb.py        QEMU's gdb server: --gdb
guest.py      the running guest: QEMU's process, its ports, the time limits
verdict.py    the results that the guest reports
judgement.py  the exit status, and the reasons for it
console.py    kernel faults in the console's output
streams.py    the launcher's own standard input, output and error
signals.py    signals that end the launcher
workspace.py  temporary folders, and removal of those that killed launchers left
"""
