#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's AppArmor profile of libvirt for QEMU: a confined process can map the
plug-in in the folders that the manual page names, and elsewhere with the rule that
libvirt-capture prints. A guest's kernel enforces the profile."""
import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lib"),
                str(Path(__file__).resolve().parents[2] / "qemu-device")]
import tree  # noqa: E402
from folders import scratch  # noqa: E402
from guest import ARCH, vm  # noqa: E402
from libvirt_capture import main as tool  # noqa: E402
from tap import skip_all  # noqa: E402

UNPACKED = tree.DOWNLOADS / "libvirt-apparmor"
# The profile is in the last package on Debian 12, in the second on Debian 13.
PACKAGES = "apparmor", "libvirt-daemon-driver-qemu", "libvirt-daemon-system"

ALLOWED = ("/usr/lib/qemu/virtio-capture.so",
           "/usr/lib/x86_64-linux-gnu/qemu/virtio-capture.so")
OTHER = "/usr/local/lib/qemu/virtio-capture.so"

# Changes to a profile, and maps files as the dynamic loader does.
PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    int current = open("/proc/self/attr/current", O_WRONLY);

    if (dprintf(current, "changeprofile %s", argv[1]) < 0) {
        perror("changeprofile");
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        int file = open(argv[i], O_RDONLY);
        void *place = file < 0 ? MAP_FAILED :
            mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);

        printf("%s %s %s\n", argv[1], argv[i],
               place == MAP_FAILED ? strerrorname_np(errno) : "0");
    }
    return 0;
}
"""

SCRIPT = """
mount -t securityfs securityfs /sys/kernel/security
for file in {files}; do
    mkdir -p ${{file%/*}}
    cp try $file
done
for profile in without with; do
    cat $profile > /sys/kernel/security/apparmor/.load
    ./try $profile {files}
done
"""


def compile_profile(base, name):
    """Returns Debian's profile of a domain, with its local additions."""
    template = (base / "libvirt/TEMPLATE.qemu").read_text()
    source = base / name
    source.write_text(template.replace("LIBVIRT_TEMPLATE", name))
    features = UNPACKED / "usr/share/apparmor-features/features"
    parser = next(path for path in UNPACKED.rglob("apparmor_parser")
                  if os.access(path, os.X_OK))
    done = subprocess.run(
        [parser, "--skip-kernel-load", "--skip-cache", "--stdout", "--base",
         base, "--kernel-features", features, "--policy-features", features,
         source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.stdout, done.stderr.decode()


def ask_tool(plugin):
    """Returns the hint of libvirt-capture about access to a plug-in."""
    with redirect_stderr(io.StringIO()) as errors:
        tool.warn_access(plugin, None)
    return errors.getvalue()


def check(tap):
    """Tests the profile without the rule and with it."""
    status, lines = tree.run("images/fetch/package", *PACKAGES, UNPACKED)
    if status:
        raise tree.Missing("\n".join(lines))
    folder = scratch()
    base = folder / "apparmor.d"
    shutil.copytree(UNPACKED / "etc/apparmor.d", base)
    local = base / "local/abstractions/libvirt-qemu"
    local.parent.mkdir(parents=True, exist_ok=True)
    local.write_text("")
    tool.APPARMOR = base

    without, errors = compile_profile(base, "without")
    tap.ok(without, "Debian's AppArmor profile of libvirt compiles", errors)
    for path in ALLOWED:
        tap.equal(ask_tool(path), "",
                  f"{path}: libvirt-capture prints no hint")
    message, line = ask_tool(OTHER).rstrip("\n").split("\n  ")
    tap.contains(message, f"unless this line is in {local}:",
                 f"{OTHER}: libvirt-capture names the missing line and its file")
    local.write_text(f"{line}\n")
    tap.equal(ask_tool(OTHER), "",
              f"{OTHER}: with the line libvirt-capture prints no hint")
    page = (tree.TOP / "qemu-device/man/libvirt-capture.8").read_text()
    tap.contains(page, f".Dl {line}\n", "libvirt-capture(8) has the same line")

    added, errors = compile_profile(base, "with")
    tap.ok(added, "apparmor_parser accepts the profile with the line", errors)
    (folder / "with").write_bytes(added)
    (folder / "without").write_bytes(without)
    (folder / "try.c").write_text(PROGRAM)
    subprocess.run(["cc", "-Wall", "-Werror", "-static", "-o", folder / "try",
                    folder / "try.c"], check=True)
    adds = [word for name in ("try", "with", "without")
            for word in ("--add", f"{folder}/{name}")]
    files = (*ALLOWED, OTHER, "/root/virtio-capture.so")
    done = vm([*adds, "--append", "apparmor=1 security=apparmor"],
              ["sh", "-ec", SCRIPT.format(files=" ".join(files))])
    results = ["0", "0", "EACCES", "EACCES", "0", "0", "0", "EACCES"]
    tap.equal(done.stdout.splitlines(), [
        f"{profile} {file} {result}" for (profile, file), result in zip(
            [(profile, file) for profile in ("without", "with")
             for file in files], results)],
              "AppArmor in a guest allows a program to map just those plug-ins")
    tap.ok(done.returncode == 0, "the guest's script succeeds", done.stderr)


if ARCH != "x86_64":
    skip_all("the profile is about hosts", is_lacking=False)
tree.main(check)
