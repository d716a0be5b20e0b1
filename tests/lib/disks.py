# SPDX-License-Identifier: GPL-2.0-or-later
"""Small disk images that the launcher's kernel boots: busybox on ext4, with a login on
the serial console and without modules."""
import os
import shutil
import subprocess
from pathlib import Path

from guest import guest_file

# For busybox's init; poweroff shuts it down, as systemd.
INITTAB = """\
::sysinit:/etc/rc
ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100
::shutdown:/bin/umount -a -r
"""

# As on other systems, programs cannot be executed from /dev/shm and /run.
RC = """\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/shm
mount -t tmpfs -o noexec tmpfs /dev/shm
mount -t tmpfs -o noexec tmpfs /run
mount -o remount,rw /
"""

# Loads the modules that a guest may need and changes from the initramfs to the disk.
INIT = """\
#!/bin/sh
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
modprobe -a virtio_pci virtio_console virtio_blk ext4 9pnet_virtio 9p
mkdir /disk
until mount -o ro /dev/vda /disk; do sleep 0.1; done
mount --move /dev /disk/dev
umount /proc /sys
exec switch_root /disk /sbin/init
"""

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def make_root(folder, password=""):
    """Makes the files of the system in a new folder. password: the field in
    /etc/passwd."""
    image = Path(guest_file("images", "root"))
    for name in ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var"):
        (folder / name).mkdir(parents=True)
    for name in ("bin", "sbin", "usr"):
        shutil.copytree(image / name, folder / name, symlinks=True,
                        ignore=shutil.ignore_patterns("tcpdump", "bpfstat"))
    (folder / "etc/inittab").write_text(INITTAB)
    (folder / "etc/rc").write_text(RC)
    (folder / "etc/rc").chmod(0o755)
    (folder / "etc/passwd").write_text(
        f"root:{password}:0:0:root:/root:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    return folder


def make_disk(folder, name="disk.raw", password=""):
    """Makes an image of such a system in a folder; returns its path."""
    root = make_root(folder / f"{name}.root", password)
    path = folder / name
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d",
                    root, path, "16M"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "PATH": PATH})
    shutil.rmtree(root)
    return path


def make_initrd(folder):
    """Makes an initramfs that boots the disk: the image's, with another init.
    Returns its path."""
    stage = folder / "stage"
    stage.mkdir()
    (stage / "init").write_text(INIT)
    (stage / "init").chmod(0o755)
    archive = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=stage,
                             input=b"init\n", stdout=subprocess.PIPE,
                             check=True).stdout
    path = folder / "initrd"
    data = Path(guest_file("images", "initramfs")).read_bytes()
    path.write_bytes(data + bytes(-len(data) % 512) + archive)
    return path


def file_on(disk, path):
    """Returns the content of a file on the disk."""
    return subprocess.run(["debugfs", "-R", f"cat {path}", disk], text=True,
                          check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL,
                          env={**os.environ, "PATH": PATH}).stdout


def is_clean(disk):
    """Returns whether the file system was unmounted cleanly."""
    done = subprocess.run(["dumpe2fs", "-h", disk], text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={**os.environ, "PATH": PATH})
    return "Filesystem state:         clean\n" in done.stdout \
        and "needs_recovery" not in done.stdout
