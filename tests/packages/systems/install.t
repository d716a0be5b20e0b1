#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages in a system of Debian: installed, used, and removed without leftovers;
and the driver built from the sources with only a compiler and headers."""
import difflib
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import packages  # noqa: E402
import tree  # noqa: E402

VERSION = packages.VERSION
MODULE = "/lib/modules/*/updates/dkms/virtio_capture.ko*"
LOCAL = "/etc/apparmor.d/local/usr.bin.tcpdump"
RULES = "/usr/share/virtio-capture/apparmor/usr.bin.tcpdump"
EXTCAP = "/usr/lib/x86_64-linux-gnu/wireshark/extcap/virtio-capture-extcap"
NAMES = " ".join(f"virtio-capture-{name}" for name in packages.NAMES)

# All files except state of dpkg, apt, ldconfig and man-db, backups of account files, and
# DKMS's key, which purging does not remove.
SNAPSHOT = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run \
    -o -path /tmp -o -path /srv -o -path /root -o -path /var/log \
    -o -path /var/cache -o -path /var/lib/dpkg -o -path '/var/lib/dkms/mok.*' \
    -o -path '/etc/group-' -o -path '/etc/gshadow-' \) -prune \
    -o -type d -printf '%p %M %u %g\n' -o -printf '%p %M %u %g %l ' \
    \( -type f -exec md5sum {} \; -o -printf '\n' \) | sort
"""

# QEMU executes the monitor command after it has created the device.
QEMU = """
for qemu in qemu-system-x86_64 qemu-system-aarch64; do
    machine=pc; [ $qemu = qemu-system-x86_64 ] || machine=virt
    printf 'info qtree\\nquit\\n' |
        timeout 60 $qemu -M $machine -nodefaults -display none \
        -S -plugin /usr/lib/qemu/virtio-capture.so -netdev user,id=net0 \
        -device virtio-net-pci,netdev=net0,romfile= \
        -device virtio-capture-pci,netdev=net0 -monitor stdio 2>&1 |
        grep -o 'dev: virtio-capture-pci'
done
"""


def snapshot(tap, system):
    """The system's files, as lines."""
    return system.has(tap, SNAPSHOT, "the system's files can be listed"
                      ).splitlines()


def test_install(tap, system):
    """dpkg installs the packages, and DKMS builds the driver."""
    system.has(tap, "dpkg -i /srv/packages/*.deb && dpkg --audit",
               "dpkg installs the packages")
    release = system.has(tap, "ls /lib/modules", "the system has the headers of a kernel").strip()
    text = system.has(tap, "dkms status", "dkms status succeeds after the installation")
    tap.contains(text, f"virtio-capture/{VERSION}, {release}, x86_64: installed",
                 "DKMS has built the driver for the kernel with headers")
    system.has(tap, f"modinfo -F version {MODULE}", "the module has the version",
               f"{VERSION}\n")
    system.has(tap, f"modinfo -F signer {MODULE}", "the module is signed with DKMS's key",
               "DKMS module signing key\n")
    system.has(tap, "test -s /var/lib/dkms/mok.pub",
               "DKMS's certificate exists")
    system.has(tap, "modprobe -n -v -S $(ls /lib/modules) "
               "virtio:d0000003Fv00001AF4 | grep -q updates/dkms/virtio_capture",
               "modprobe finds the module for a capture device")
    text = system.has(tap, "getent group bpf", "the group bpf exists")
    tap.ok(re.fullmatch(r"bpf:x:\d{3}:\n", text),
           "the group bpf is a system group without members", text)


def test_programs(tap, system):
    """The installed programs work."""
    system.has(tap, "bpfstat --version", "bpfstat --version prints the version",
               f"bpfstat {VERSION}\n")
    system.has(tap, "bpf-run --version", "bpf-run --version prints the version",
               f"bpf-run {VERSION}\n")
    text = system.has(tap, "bpf-run ldd $(command -v tcpdump) 2>/dev/null",
                      "bpf-run runs ldd of tcpdump")
    tap.contains(text, "/usr/lib/virtio-capture/libpcap.so.0.8",
                 "tcpdump uses the package's libpcap under bpf-run")
    system.has(tap, "libvirt-capture --help >/dev/null",
               "libvirt-capture --help succeeds")
    system.has(tap, "echo '#include <net/bpf.h>\n#include <net/dlt.h>\n"
               "#include <virtio-capture/virtio_capture.h>' | "
               "cc -Wall -Werror -fsyntax-only -x c -",
               "the compiler finds the headers")
    system.has(tap, QEMU, "QEMU for x86-64 and aarch64 can create the device",
               "dev: virtio-capture-pci\n" * 2)


def test_apparmor(tap, system):
    """tcpdump's profile allows /dev/bpf, and the user's changes are kept."""
    line = f'include if exists "{RULES}"\n'
    system.has(tap, f"cat {LOCAL}", "AppArmor: the local file has the package's line only",
               line)
    text = system.has(tap, "apparmor_parser -Q -K -p "
                      "/etc/apparmor.d/usr.bin.tcpdump 2>/dev/null",
                      "AppArmor: the profile can be parsed")
    tap.contains(text, "/dev/bpf rw,",
                 "AppArmor: the profile gives tcpdump /dev/bpf")
    own = "printf '# mine' >"
    system.has(tap, f"{own} {LOCAL} && dpkg -i /srv/packages/libpcap.deb",
               "AppArmor: the package can be reinstalled with a user's local file")
    system.has(tap, f"cat {LOCAL}", "AppArmor: the user's lines in the local file are kept",
               f"# mine\n{line}")
    off = f"# include if exists \"{RULES}\"\n"
    system.has(tap, f"sed -i 's/^incl/# &/' {LOCAL} && "
               "dpkg -i /srv/packages/libpcap.deb",
               "AppArmor: the package can be reinstalled with its line as a comment")
    system.has(tap, f"cat {LOCAL}", "AppArmor: the package's line stays a comment",
               f"# mine\n{off}")
    system.has(tap, f": >{LOCAL} && dpkg-trigger --by-package=tcpdump "
               "/etc/apparmor.d/usr.bin.tcpdump && "
               "dpkg --triggers-only --pending",
               "AppArmor: tcpdump can be reinstalled with an empty local file")
    system.has(tap, f"cat {LOCAL}", "AppArmor: the package's line is added when tcpdump is "
               "reinstalled", line)


def test_update(tap, system):
    """The same version is installed again."""
    system.has(tap, "dpkg -i /srv/packages/dkms.deb",
               "dpkg installs the same version again")
    text = system.has(tap, "dkms status", "dkms status succeeds after the reinstallation")
    tap.equal(len(re.findall(": installed", text)), 1,
              "reinstalled: DKMS has one version of the driver")


def test_remove(tap, system, before):
    """The packages are removed without leftovers."""
    system.has(tap, f"dpkg --remove {NAMES}", "dpkg removes the packages")
    system.has(tap, f"test -z \"$(dkms status)\" && ! ls {MODULE}",
               "removed: the module is removed, and DKMS has none")
    system.has(tap, f"dpkg --purge {NAMES}", "dpkg purges the packages")
    after = snapshot(tap, system)
    tap.equal(list(difflib.unified_diff(before, after, "before", "after",
                                        lineterm="", n=0)), [],
              "purged: the system's files are as before the installation")
    tap.equal(system.run("getent group bpf"), (2, ""),
              "purged: the group bpf is removed")


def test_member(tap, system):
    """The group is kept if it has members. DKMS is told not to build."""
    system.has(tap, "touch /etc/dkms/no-autoinstall && "
               "dpkg -i /srv/packages/dkms.deb && usermod -a -G bpf games",
               "a user can be added to the group bpf")
    system.has(tap, "dpkg --purge virtio-capture-dkms && "
               "rm /etc/dkms/no-autoinstall",
               "dpkg purges the driver while the group bpf has a member")
    text = system.has(tap, "getent group bpf",
                      "purged while it has a member: the group bpf is kept")
    system.has(tap, "gpasswd -d games bpf && groupdel bpf",
               f"the group bpf can be deleted afterwards: {text.strip()}")


def test_sources(tap, system):
    """make -C guest-driver needs only a compiler, make and the headers."""
    names = [name for name in tree.files()
             if name.startswith(("guest-driver/", "spec/", "images/"))]
    folder = system.root / "srv" / "tree"
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir()
    subprocess.run(["cp", "--parents", *names, folder], cwd=tree.TOP, check=True)
    text = system.has(tap, "make -s -C /srv/tree/guest-driver && "
                      "modinfo -F version "
                      "/srv/tree/build/guest-driver/virtio_capture.ko",
                      "the driver can be built from the sources")
    tap.equal(text.splitlines()[-1:], [VERSION],
              "the driver built from the sources has the version")
    subprocess.run(["rm", "-rf", folder], check=True)


def check(tap):
    """Installs, uses, reinstalls and removes the packages."""
    system = packages.System(packages.release_to_test())
    system.run(f"dpkg --purge {NAMES}; getent group bpf && groupdel bpf")
    before = snapshot(tap, system)
    test_install(tap, system)
    test_programs(tap, system)
    test_apparmor(tap, system)
    test_update(tap, system)
    test_remove(tap, system, before)
    test_member(tap, system)
    test_sources(tap, system)


tree.main(check)
