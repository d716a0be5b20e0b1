#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/build: an image of each release of Debian, made by a user other than root with
most of the options, boots by BIOS and by UEFI and can capture."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import diskimage as disk  # noqa: E402
from tap import Tap  # noqa: E402

VERSIONS = {"bookworm": "12", "trixie": "13"}
SCRIPTS = {
    "first": "#!/bin/sh -e\nid -u >/root/scripts\ngetent group bpf >/dev/null\n"
             "command -v jq >>/root/scripts\n",
    "second": "echo second >>/root/scripts\ncp /usr/bin/true /root/capable\n"
              "setcap cap_net_raw=ep /root/capable\n",
}


def make_package(folder):
    """Makes a package that depends on one of Debian's; returns its file."""
    root = Path(folder, "hello-capture")
    Path(root, "DEBIAN").mkdir(parents=True)
    Path(root, "srv").mkdir()
    Path(root, "srv", "hello").write_text("hello\n")
    Path(root, "DEBIAN", "control").write_text(
        "Package: hello-capture\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody <nobody@localhost>\nDepends: netcat-openbsd\n"
        "Description: a test\n")
    # A file name with a space.
    file = Path(folder, "my hello.deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, file],
                   check=True, stdout=subprocess.DEVNULL)
    return file


def make(tap, release, folder):
    """Makes the image as the user."""
    package = make_package(folder)
    scripts = []
    for name, text in SCRIPTS.items():
        scripts += ["--script", Path(folder, name)]
        Path(folder, name).write_text(text)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    Path(folder, "key")], check=True)
    disk.user_tree(folder)
    image = Path(folder, "image.qcow2")
    told = disk.build(
        tap, f"{release}: a user other than root can make an image",
        [*disk.as_user(folder), Path(folder, "tree/images/build"),
         "--release", release, "--package", "jq", "--package", package,
         *scripts, "--ssh-key", Path(folder, "key.pub"), "--size", "3G",
         "--hostname", "a-capture", image], folder)
    tap.contains(told, f"{image}: ", f"{release}: images/build prints the file name")
    tap.equal(os.stat(image).st_uid, disk.USER,
              f"{release}: the image belongs to the user")
    left = [path.name for path in Path(folder).iterdir()
            if path.name.startswith(".virtio")]
    tap.equal(left, [], f"{release}: images/build leaves no temporary folder")
    return image


def test_system(tap, machine, release):
    """Checks the effects of the options, and the driver."""
    status, output = machine.run(disk.UP)
    tap.equal((status, output), (0, "running\n"),
              f"{release}: no service of the system fails")
    disk.equal(tap, machine, ". /etc/os-release; echo $VERSION_ID",
               f"{VERSIONS[release]}\n",
               f"{release}: --release sets the release")
    disk.equal(tap, machine, "hostname", "a-capture\n",
               f"{release}: --hostname sets the host name")
    disk.equal(tap, machine, "cat /root/scripts",
               "0\n/usr/bin/jq\nsecond\n",
               f"{release}: --script runs programs in order, as root, after "
               "--package")
    disk.equal(tap, machine, "cat /srv/hello; ls /usr/bin/nc.openbsd",
               "hello\n/usr/bin/nc.openbsd\n",
               f"{release}: --package installs a file and its dependencies")
    disk.equal(tap, machine, "ls /srv; ls -A /tmp | sed '/^\\.\\|systemd/d'",
               "hello\n", f"{release}: the image has no temporary files")
    status, output = machine.run("blockdev --getsize64 /dev/vda; df -B1M "
                                 "--output=size / | tail -n 1")
    size, room = output.split()
    tap.ok(size == str(3 << 30) and 2700 < int(room) <= 3072,
           f"{release}: --size sets the size of disk and file system", output)
    disk.equal(tap, machine, "stat -c '%U %G %a' /dev/bpf; "
               "grep -o '^virtio_capture' /proc/modules; ls /sys/class/misc | "
               "grep '^bpf'", "root bpf 660\nvirtio_capture\nbpf\nbpf0\n",
               f"{release}: the driver is loaded, and /dev/bpf has the group bpf")
    disk.equal(tap, machine, "dpkg --verify | sed '/^missing/d'", "",
               f"{release}: the packages' files are unchanged")
    disk.equal(tap, machine, "apt-mark showhold", "linux-image-amd64\n",
               f"{release}: the kernel is held")
    disk.equal(tap, machine, "find / -xdev -nouser -o -xdev -nogroup",
               "", f"{release}: each file has a known owner and group")
    disk.equal(tap, machine, "stat -c '%U %a' /root/.ssh/authorized_keys "
               "/usr/bin/su; getcap /root/capable",
               "root 600\nroot 4755\n/root/capable cap_net_raw=ep\n",
               f"{release}: owners, modes and capabilities of files are kept")


def test_login(tap, machine, release, folder):
    """SSH accepts root with the key, and no empty password."""
    keys = Path(folder, "key").read_text()
    script = f"""\
umask 077
cat >/root/key <<'KEY'
{keys}KEY
options='-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
    -o LogLevel=ERROR -o BatchMode=yes'
ssh $options -i /root/key root@localhost id -un
ssh $options -o PreferredAuthentications=password,keyboard-interactive \\
    root@localhost id -un && echo without a password
passwd --status root | cut -d ' ' -f 2
ls /etc/ssh/ssh_host_*
"""
    _, output = machine.run(script)
    lines = output.splitlines()
    tap.equal(lines[:1], ["root"],
              f"{release}: root can log in over SSH with the key of --ssh-key")
    tap.ok("without a password" not in lines
           and any("Permission denied" in line for line in lines),
           f"{release}: nobody can log in over SSH without the key", output)
    tap.ok(lines[-3:] == ["NP", "/etc/ssh/ssh_host_ed25519_key",
                          "/etc/ssh/ssh_host_ed25519_key.pub"],
           f"{release}: root has no password, and sshd has a new host key", output)


def test_release(tap, release):
    """Tests the image of a release."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        image = make(tap, release, folder)
        with disk.Machine(folder, image) as machine:
            test_system(tap, machine, release)
            disk.captures(tap, machine, f"{release}, BIOS")
            test_login(tap, machine, release, folder)
            tap.ok(re.search(r"a-capture login:", machine.console()),
                   f"{release}: the serial port has a login",
                   machine.console()[-500:])
        with disk.Machine(folder, image, "uefi") as machine:
            disk.equal(tap, machine, "ls -d /sys/firmware/efi",
                       "/sys/firmware/efi\n", f"{release}: the image boots by UEFI")
            disk.captures(tap, machine, f"{release}, UEFI")


def main():
    """Tests all releases."""
    tap = Tap()
    for release in disk.releases():
        try:
            test_release(tap, release)
        except disk.Skipped:
            pass
        except Exception as error:
            tap.ok(False, f"{release}: {error}")
    return tap.done()


sys.exit(main())
