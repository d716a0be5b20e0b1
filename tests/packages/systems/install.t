#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages in a system of Debian: installed, used, removed without a trace,
and the driver from the sources where there is nothing but a compiler."""
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

# All files but those that dpkg, apt, ldconfig and man-db keep for themselves, and
# the copy of the accounts before the last change. DKMS keeps its key, and what
# it has built is in a folder of its own.
SNAPSHOT = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run \
    -o -path /tmp -o -path /srv -o -path /root -o -path /var/log \
    -o -path /var/cache -o -path /var/lib/dpkg -o -path '/var/lib/dkms/mok.*' \
    -o -path '/etc/group-' -o -path '/etc/gshadow-' \) -prune \
    -o -type d -printf '%p %M %u %g\n' -o -printf '%p %M %u %g %l ' \
    \( -type f -exec md5sum {} \; -o -printf '\n' \) | sort
"""

# A monitor's command, so that QEMU has loaded the plug-in and made the device.
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
    """dpkg installs them, and the driver is there at once."""
    system.has(tap, "dpkg -i /srv/packages/*.deb && dpkg --audit",
               "dpkg installs the packages")
    release = system.has(tap, "ls /lib/modules", "a kernel is there").strip()
    text = system.has(tap, "dkms status", "dkms status has the driver")
    tap.contains(text, f"virtio-capture/{VERSION}, {release}, x86_64: installed",
                 "DKMS has built the driver for the kernel whose headers are there")
    system.has(tap, f"modinfo -F version {MODULE}", "the module has the version",
               f"{VERSION}\n")
    system.has(tap, f"modinfo -F signer {MODULE}", "the module is signed with DKMS's key",
               "DKMS module signing key\n")
    system.has(tap, "test -s /var/lib/dkms/mok.pub",
               "the certificate of DKMS's key is there")
    system.has(tap, "modprobe -n -v -S $(ls /lib/modules) "
               "virtio:d0000003Fv00001AF4 | grep -q updates/dkms/virtio_capture",
               "modprobe finds the module for a capture device")
    text = system.has(tap, "getent group bpf", "the group bpf is there")
    tap.ok(re.fullmatch(r"bpf:x:\d{3}:\n", text),
           "the group bpf is a system group without members", text)


def test_programs(tap, system):
    """What they bring works."""
    system.has(tap, "bpfstat --version", "bpfstat tells its version",
               f"bpfstat {VERSION}\n")
    system.has(tap, "bpf-run --version", "bpf-run tells its version",
               f"bpf-run {VERSION}\n")
    text = system.has(tap, "bpf-run ldd $(command -v tcpdump) 2>/dev/null",
                      "bpf-run runs ldd of tcpdump")
    tap.contains(text, "/usr/lib/virtio-capture/libpcap.so.0.8",
                 "bpf-run gives tcpdump the library of the package")
    system.has(tap, "libvirt-capture --help >/dev/null",
               "libvirt-capture runs")
    text = system.has(tap, f"{EXTCAP} --extcap-interfaces",
                      "the extcap runs where Wireshark looks for it")
    tap.contains(text, f"extcap {{version={VERSION}}}",
                 "the extcap has the version")
    tap.equal(text.count("\ninterface "), 3, "the extcap has three interfaces")
    system.has(tap, "echo '#include <net/bpf.h>\n#include <net/dlt.h>\n"
               "#include <virtio-capture/virtio_capture.h>' | "
               "cc -Wall -Werror -fsyntax-only -x c -",
               "the headers are where compilers look")
    system.has(tap, QEMU, "QEMU for both processors has the device",
               "dev: virtio-capture-pci\n" * 2)


def test_apparmor(tap, system):
    """tcpdump's profile has what it needs, and nothing of the user's is lost."""
    line = f'include if exists "{RULES}"\n'
    system.has(tap, f"cat {LOCAL}", "AppArmor: the local file has one line", line)
    text = system.has(tap, "apparmor_parser -Q -K -p "
                      "/etc/apparmor.d/usr.bin.tcpdump 2>/dev/null",
                      "AppArmor: the profile can be read")
    tap.contains(text, "/dev/bpf rw,",
                 "AppArmor: the profile gives tcpdump /dev/bpf")
    own = "printf '# mine' >"
    system.has(tap, f"{own} {LOCAL} && dpkg -i /srv/packages/libpcap.deb",
               "AppArmor: the package is installed over a user's local file")
    system.has(tap, f"cat {LOCAL}", "AppArmor: the user's lines stay",
               f"# mine\n{line}")
    off = f"# include if exists \"{RULES}\"\n"
    system.has(tap, f"sed -i 's/^incl/# &/' {LOCAL} && "
               "dpkg -i /srv/packages/libpcap.deb",
               "AppArmor: the package is installed over its line as a comment")
    system.has(tap, f"cat {LOCAL}", "AppArmor: its line stays a comment",
               f"# mine\n{off}")
    system.has(tap, f": >{LOCAL} && dpkg-trigger --by-package=tcpdump "
               "/etc/apparmor.d/usr.bin.tcpdump && "
               "dpkg --triggers-only --pending",
               "AppArmor: tcpdump is installed again, with an empty local file")
    system.has(tap, f"cat {LOCAL}", "AppArmor: the line is added", line)


def test_update(tap, system):
    """The same version once more, as dpkg does an update."""
    system.has(tap, "dpkg -i /srv/packages/dkms.deb",
               "dpkg installs the same version again")
    text = system.has(tap, "dkms status", "dkms status after that")
    tap.equal(len(re.findall(": installed", text)), 1,
              "DKMS has one version of the driver")


def test_remove(tap, system, before):
    """What was not there before is gone."""
    system.has(tap, f"dpkg --remove {NAMES}", "dpkg removes the packages")
    system.has(tap, f"test -z \"$(dkms status)\" && ! ls {MODULE}",
               "removed: the module is gone, and DKMS has none")
    system.has(tap, f"dpkg --purge {NAMES}", "dpkg purges the packages")
    after = snapshot(tap, system)
    tap.equal(list(difflib.unified_diff(before, after, "before", "after",
                                        lineterm="", n=0)), [],
              "purged: no file is left, none has changed")
    tap.equal(system.run("getent group bpf"), (2, ""),
              "purged: the group bpf is gone")


def test_member(tap, system):
    """A group that has members stays. DKMS need not build for that."""
    system.has(tap, "touch /etc/dkms/no-autoinstall && "
               "dpkg -i /srv/packages/dkms.deb && usermod -a -G bpf games",
               "a user becomes a member of the group bpf")
    system.has(tap, "dpkg --purge virtio-capture-dkms && "
               "rm /etc/dkms/no-autoinstall",
               "dpkg purges the driver with a member in the group")
    text = system.has(tap, "getent group bpf",
                      "purged with a member: the group bpf stays")
    system.has(tap, "gpasswd -d games bpf && groupdel bpf", text.strip())


def test_sources(tap, system):
    """make -C guest-driver needs a compiler, make and the headers, no more."""
    names = [name for name in tree.files()
             if name.startswith(("guest-driver/", "spec/", "images/"))]
    folder = system.root / "srv" / "tree"
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir()
    subprocess.run(["cp", "--parents", *names, folder], cwd=tree.TOP, check=True)
    text = system.has(tap, "make -s -C /srv/tree/guest-driver && "
                      "modinfo -F version "
                      "/srv/tree/build/guest-driver/virtio_capture.ko",
                      "the driver is built from the sources")
    tap.equal(text.splitlines()[-1:], [VERSION],
              "the driver built from the sources has the version")
    subprocess.run(["rm", "-rf", folder], check=True)


def check(tap):
    """In the order in which a user does it."""
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
