# SPDX-License-Identifier: GPL-2.0-or-later
"""
The device compiled with ASan and UBSan, in a stock QEMU.

QEMU itself is not compiled with them, but uses ASan's allocator, which fills freed
memory and does not reuse it for a while. So QEMU crashes, with a report, if it uses an
object that it has freed.
"""
import fcntl
import os
import subprocess
from pathlib import Path

from emulator import BUILD, TOP

OUT = BUILD / "asan"
PLUGIN = OUT / "virtio-capture.so"
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all"


def _make():
    device = TOP / "qemu-device"
    sources = [path.relative_to(device) for path in device.glob("**/*.c")]
    objects = [str(OUT / path.with_suffix(".o"))
               for path in (*sources, Path("trace"))]
    for words in (["make", "-s", "-C", str(device), f"OUT={OUT}",
                   f"DEFINES={FLAGS}", *objects],
                  ["cc", "-shared", *FLAGS.split(), "-Wl,-z,now", "-o",
                   f"{PLUGIN}.tmp", *objects],
                  ["mv", f"{PLUGIN}.tmp", str(PLUGIN)]):
        done = subprocess.run(words, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            return done.stdout or f"exit status {done.returncode}"
    return ""


def build():
    """
    Compiles the device, and links it without the Makefile's check of symbols that QEMU
    exports; returns make's output on errors. Tests may do it at the same time.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _make()


def preload():
    """Makes each QEMU that is started load the sanitizers first."""
    libraries = [subprocess.run(["cc", f"-print-file-name={name}"], text=True,
                                check=True, stdout=subprocess.PIPE)
                 .stdout.strip() for name in ("libasan.so", "libubsan.so")]
    os.environ["LD_PRELOAD"] = ":".join(map(os.path.realpath, libraries))
    os.environ["ASAN_OPTIONS"] = ("detect_leaks=0:max_free_fill_size=65536:"
                                  "free_fill_byte=165")


def complaint(output):
    """Returns whether QEMU's output has a sanitizer's report."""
    return "Sanitizer" in output or "runtime error" in output
