#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/other-images.md: the commands for mmdebstrap and for mkosi, run unchanged, make
systems with the driver that can capture.

mkosi is that of Debian 13, in a system below build/downloads, as Debian 12 has an
incompatible version."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import diskimage as disk  # noqa: E402
import tree  # noqa: E402
from tap import Tap  # noqa: E402

PAGE = tree.TOP / "images" / "other-images.md"
MKOSI_ROOT = tree.DOWNLOADS / "package-roots" / "mkosi"
# Makes a disk, to boot the files that mmdebstrap makes.
MAKE_DISK = """\
mkdir root
tar -xpf root.tar -C root --exclude='./dev/*'
echo /dev/vda / ext4 defaults 0 1 >root/etc/fstab
truncate -s 3G root.raw
mke2fs -q -F -t ext4 -d root root.raw
cp root/vmlinuz root/initrd.img .
"""


def commands(name):
    """Returns the block of shell commands of a section."""
    section = re.search(rf"^## {name}\n(.*?)^## ", PAGE.read_text(),
                        re.DOTALL | re.MULTILINE)[1]
    return re.search(r"^```sh\n(.*?)^```", section,
                     re.DOTALL | re.MULTILINE)[1]


def prepare(folder):
    """Makes a folder in which the commands find the packages, as in the tree."""
    shutil.copytree(tree.TOP / "build" / "deb", Path(folder, "build", "deb"))
    os.chmod(folder, 0o755)


def system_has(tap, machine, name):
    """Checks the driver and /dev/bpf, and that tcpdump captures."""
    disk.equal(tap, machine, "stat -c '%U %G %a' /dev/bpf; "
               "grep -o '^virtio_capture' /proc/modules; modinfo -F filename "
               "virtio_capture | grep -o updates/dkms",
               "root bpf 660\nvirtio_capture\nupdates/dkms\n",
               f"{name}: DKMS's driver is loaded, and /dev/bpf has the group bpf")
    # The page does not configure the network.
    machine.run("ip link set $(ls /sys/class/net | grep -v '^lo$') up; "
                "ip address add 10.0.2.15/24 dev "
                "$(ls /sys/class/net | grep -v '^lo$')")
    disk.captures(tap, machine, name, "bpf-run tcpdump")


def test_mmdebstrap(tap):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        prepare(folder)
        disk.build(tap, "mmdebstrap: the commands of other-images.md succeed",
                   ["sh", "-ec", commands("mmdebstrap") + MAKE_DISK], folder)
        with disk.Machine(folder, Path(folder, "root.raw"), more=[
                "-kernel", f"{folder}/vmlinuz", "-initrd",
                f"{folder}/initrd.img", "-append",
                "root=/dev/vda console=ttyS0"]) as machine:
            system_has(tap, machine, "mmdebstrap")


def mkosi_root():
    """Returns the command that makes the system with mkosi if it does not exist."""
    script = f"""\
exec 8>{MKOSI_ROOT}.lock
flock 8
lock_downloads
private_apt_configure
[ ! -e {MKOSI_ROOT}/.made ] || exit 0
rm -rf {MKOSI_ROOT}
unshare --mount --pid --fork --kill-child mmdebstrap --mode=root \\
    --variant=apt --include=mkosi,reprepro,ca-certificates \\
    --aptopt='APT::Install-Recommends "false"' \\
    --dpkgopt=force-unsafe-io trixie {MKOSI_ROOT} "$apt_dir"/parts/* 8>&-
touch {MKOSI_ROOT}/.made
"""
    MKOSI_ROOT.parent.mkdir(parents=True, exist_ok=True)
    return ["sh", "-euc", f'. "$(dirname "$0")/private-apt.sh"\n{script}',
            tree.TOP / "images" / "fetch" / "private-apt.sh"]


def test_mkosi(tap):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.environ["DEBIAN_RELEASE"] = "trixie"
        disk.build(tap, "mkosi: a system of Debian 13 with mkosi can be made",
                   mkosi_root(), folder)
        del os.environ["DEBIAN_RELEASE"]
        place = MKOSI_ROOT / "srv" / "page"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        prepare(place)
        # Use this machine's mirror, without debug packages, which it may lack.
        sources = place / "image" / "mkosi.sandbox" / "etc/apt/sources.list.d"
        sources.mkdir(parents=True)
        (sources / "mkosi.sources").write_text("".join(
            path.read_text().replace("deb deb-src", "deb") for path in
            (tree.DOWNLOADS / "apt-trixie" / "parts").glob("*.sources")))
        shutil.copy("/etc/resolv.conf", MKOSI_ROOT / "etc" / "resolv.conf")
        disk.build(tap, "mkosi: the commands of other-images.md succeed",
                   [tree.TOP / "images" / "fetch" / "in-root", MKOSI_ROOT, "sh", "-ec",
                    f"cd /srv/page\n{commands('mkosi')}"], folder)
        # mkosi's initrd needs more memory than the usual 512 MB.
        with disk.Machine(folder, place / "image" / "capture.raw", "uefi",
                          more=["-m", "1G"]) as machine:
            system_has(tap, machine, "mkosi")
        shutil.rmtree(place)


def main():
    """Runs both tests."""
    tap = Tap()
    if os.geteuid():
        tap.ok(False, "the test runs as root")
        return tap.done()
    for test in (test_mmdebstrap, test_mkosi):
        try:
            test(tap)
        except disk.Skipped:
            pass
        except (OSError, AssertionError, subprocess.SubprocessError) as error:
            tap.ok(False, f"{test.__name__}: {error}")
    return tap.done()


sys.exit(main())
