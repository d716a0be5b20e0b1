#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver compiles without warnings for processors other than x86-64. make
check-archs runs it there."""
import os
import shutil
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = tree.TOP / "build" / "tests" / "install" / "processors"

# The machine number in an ELF file, and the byte order.
PROCESSORS = {"aarch64": (183, "<"), "s390x": (22, ">")}

# These variables could select a kernel other than Debian's for that processor.
for name in ("KDIR", "KVER", "KERNEL", "MODULES", "GUEST_OUT"):
    os.environ.pop(name, None)


def test_processor(tap, arch):
    shutil.rmtree(BUILD / arch, ignore_errors=True)
    status, lines = tree.run("make", "-C", "guest-driver", f"GUEST_ARCH={arch}",
                             f"GUEST_OUT={BUILD / arch}")
    gone = tree.package_that_is_gone(lines)
    if status and gone:
        tap.skip(arch, f"Debian's server does not have {gone}, which its list "
                 "has", is_lacking=False)
        return
    if not tap.ok(status == 0, f"{arch}: make of the driver succeeds", *lines):
        return
    warnings = [line for line in lines if "warning:" in line.lower()]
    tap.equal(warnings, [], f"{arch}: make of the driver gives no warning")
    for file in ("virtio_capture.ko", "bpfstat"):
        head = (BUILD / arch / "guest-driver" / file).read_bytes()[:20]
        order = ">" if head[5] == 2 else "<"
        machine, = struct.unpack_from(f"{order}H", head, 18)
        tap.equal((machine, order), PROCESSORS[arch],
                  f"{arch}: {file} is for that processor")
    # bpfstat is linked statically; the test programs of configure scripts are not.
    _, lines = tree.run("images/fetch/compiler", f"{arch}-linux-gnu")
    status, lines = tree.run(f"{lines[-1]}gcc", "-x", "c", "-", "-o",
                             BUILD / arch / "program",
                             input=b"int main(void) { return 0; }\n")
    tap.ok(status == 0, f"{arch}: a program can be linked to shared libraries",
           *lines)
    shutil.rmtree(BUILD / arch)


TAP = Tap()
TAP.run(*(lambda tap, arch=arch: test_processor(tap, arch)
          for arch in PROCESSORS))
sys.exit(TAP.done())
