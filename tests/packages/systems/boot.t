#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages in a running guest with Debian and systemd: after their installation a
user can capture without a reboot. DKMS does not build the module there, as that would
take minutes in an emulated guest; a module built before is in its place. install.t
tests the build by DKMS."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import packages  # noqa: E402
import tree  # noqa: E402

HERE = Path(__file__).resolve().parent
BUILD = tree.TOP / "build" / "tests" / "packages" / "boot"
TIME = 400 * int(os.environ.get("TIME_SCALE", "1"))
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")

# The reports of boot-script: the expected text, and the test's name.
EXPECTED = {
    "before": ("0", "before the installation: no /dev/bpf and no driver"),
    "installed": ("0", "dpkg installs the packages"),
    "node": ("root bpf 660", "installed: /dev/bpf has the group bpf and mode 660"),
    "module": (packages.VERSION, "installed: the loaded driver has the package's "
               "version"),
    "totals": ("0", "installed: bpfstat -s succeeds"),
    "profile": ("tcpdump (enforce)", "AppArmor enforces tcpdump's profile"),
    "devices": ("capture0", "a member of the group lists the interfaces"),
    "captured": ("0", "a member of the group captures a frame"),
    "purged": ("0", "dpkg purges the packages"),
    "after": ("0", "purged: no /dev/bpf and no driver"),
    "rules": ("0", "purged: AppArmor's local file for tcpdump is empty"),
    "end": ("0", "boot-script ran to its end"),
}


def must(*words, **options):
    """Runs a program that must succeed."""
    status, lines = tree.run(*words, **options)
    if status:
        raise tree.Missing("\n".join([" ".join(map(str, words)), *lines]))
    return lines


def make_over(system):
    """Makes the additional files: modules, the driver, the packages."""
    images = tree.TOP / "build" / "images"
    release = (images / "release").read_text().split()[0]
    modules = Path(tree.make_variable("images", "MODULE_FILES"))
    over = BUILD / "over"
    target = over / "usr/lib/modules" / release
    target.parent.mkdir(parents=True)
    must("cp", "-al", modules, target)
    must("/sbin/depmod", "-b", over / "usr", release)
    (over / "etc/dkms").mkdir(parents=True)
    (over / "etc/dkms/no-autoinstall").touch()
    (over / "srv/packages").mkdir(parents=True)
    for name in ("dkms", "tools", "libpcap"):
        shutil.copy(system.packages / f"{name}.deb", over / "srv/packages")
    shutil.copy(tree.TOP / "build/guest-driver/virtio_capture.ko", over / "srv")
    shutil.copy(HERE / "boot-script", over / "srv/boot")
    (over / "usr/local/bin").mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), over / "usr/local/bin")
    (over / "etc/machine-id").write_text(f"{'5eed' * 8}\n")
    return target


def make_initramfs(modules):
    """Makes the initramfs: busybox, modules and boot-init."""
    root = BUILD / "initramfs"
    target = root / "lib/modules" / modules.name
    (root / "bin").mkdir(parents=True)
    target.mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin")
    shutil.copy(HERE / "boot-init", root / "init")
    wanted = must("/sbin/modprobe", "-d", BUILD / "over/usr", "-S",
                  modules.name, "--show-depends", "-a", *MODULES)
    for line in wanted:
        if line.startswith("insmod"):
            shutil.copy(line.split()[1], target)
    for name in ("modules.order", "modules.builtin"):
        shutil.copy(modules / name, target)
    must("/sbin/depmod", "-b", root, modules.name)
    must("sh", "-c", 'cd "$1" && find . | cpio -o -H newc --quiet >"$2"', "sh",
         root, BUILD / "initrd")


def boot(system):
    """Runs the guest; returns its results and its console output."""
    verdict = BUILD / "verdict"
    share = "local,security_model=none,readonly=on"
    try:
        subprocess.run([
            "qemu-system-x86_64", "-M", "pc", "-m", "1024", "-smp", "2",
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", tree.TOP / "build/images/kernel",
            "-initrd", BUILD / "initrd", "-append",
            "console=ttyS0 panic=-1 systemd.run=/srv/boot "
            "systemd.run_success_action=poweroff-force "
            "systemd.run_failure_action=poweroff-force",
            "-fsdev", f"{share},id=root,path={system.root}",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
            "-fsdev", f"{share},id=over,path={BUILD / 'over'}",
            "-device", "virtio-9p-pci,fsdev=over,mount_tag=over",
            "-plugin", tree.TOP / "build/qemu-device/virtio-capture.so",
            "-netdev", "user,id=net0,restrict=on",
            "-device", "virtio-net-pci,netdev=net0,romfile=",
            "-device", "virtio-capture-pci,netdev=net0",
            "-serial", f"file:{BUILD / 'console'}",
            "-serial", f"file:{verdict}"],
            stdin=subprocess.DEVNULL, timeout=TIME, check=False)
    except subprocess.TimeoutExpired:
        pass
    text = verdict.read_text() if verdict.exists() else ""
    return dict(re.findall(r"^(\w+): (.*?)\r?$", text, re.MULTILINE)), \
        (BUILD / "console").read_text(errors="replace")


def check(tap):
    """One result for each report of boot-script."""
    release = packages.release_to_test()
    system = packages.System(release)
    shutil.rmtree(BUILD, ignore_errors=True)
    make_initramfs(make_over(system))
    found, console = boot(system)
    for name, (expected, what) in EXPECTED.items():
        tap.equal(found.get(name), expected, what)
    if tap.failed:
        tap.note(console[-20000:])


tree.main(check)
