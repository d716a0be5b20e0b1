#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed udev rule makes /dev/bpf belong to the group bpf, in a guest with
Debian's udev."""
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from guest import vm  # noqa: E402

BUILD = tree.TOP / "build" / "tests" / "install" / "udev"
UDEV = tree.DOWNLOADS / "udev"
RULE = tree.TOP / "guest-driver" / "dist" / "60-bpf.rules"

# The guest has no C library: it is added with the programs. The daemon is udevadm
# under another name.
SCRIPT = """
udev="/udev/ld.so --library-path /udev"
chgrp root /dev/bpf /dev/bpf0
chmod 600 /dev/bpf /dev/bpf0
$udev --argv0 systemd-udevd /udev/udevadm --daemon || exit 1
$udev --argv0 udevadm /udev/udevadm trigger --action=add --subsystem-match=misc
$udev --argv0 udevadm /udev/udevadm settle || exit 1
stat -c '%n %U %G %a' /dev/bpf /dev/bpf0 /dev/hwrng
"""


def stage():
    """Copies udevadm, its libraries and the dynamic loader to one folder."""
    status, lines = tree.run("images/fetch/package", "udev", UDEV)
    if status:
        raise tree.Missing("\n".join(["cannot fetch udev:", *lines]))
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    udevadm = next(UDEV.glob("**/bin/udevadm"))
    shutil.copy2(udevadm, BUILD)
    _, lines = tree.run("ldd", udevadm)
    for line in lines:
        if "not found" in line:
            raise tree.Missing(f"udevadm needs {line.strip()}")
        path = re.search(r"(/\S+)", line)
        if path and "linux-x86-64" in path[1]:
            shutil.copy2(path[1], BUILD / "ld.so")
        elif path:
            shutil.copy2(path[1], BUILD)


def check(tap):
    """Both device nodes, and another node that the rule must not match."""
    stage()
    done = vm(["--add", f"{BUILD}:/udev",
               "--add", f"{RULE}:/etc/udev/rules.d/60-bpf.rules"],
              ["sh", "-c", SCRIPT])
    tap.ok(done.returncode == 0, "udev's programs run in the guest",
           done.stdout,
           done.stderr)
    lines = done.stdout.splitlines()
    tap.equal(lines[:2], ["/dev/bpf root bpf 660", "/dev/bpf0 root bpf 660"],
              "udev gives /dev/bpf and /dev/bpf0 to the group bpf, mode 660"
              " [CAP-DRV-SEC-2]")
    tap.ok(lines[2:] and " root root " in lines[2],
           "udev leaves /dev/hwrng alone", lines)


tree.main(check)
