# SPDX-License-Identifier: GPL-2.0-or-later
"""
The device with ASan and UBSan, in a stock QEMU.

QEMU itself is not compiled with them, but its memory comes from ASan's
allocator: what is freed is filled, and not used again for a while. So QEMU
crashes when it goes on with an object that it has freed, and says so.
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
    Compiles the device, and links it past its own checks of what QEMU exports;
    gives make's complaints. Tests may do it at the same time.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _make()


def preload():
    """Has each QEMU that is started load the sanitizers before all else."""
    libraries = [subprocess.run(["cc", f"-print-file-name={name}"], text=True,
                                check=True, stdout=subprocess.PIPE)
                 .stdout.strip() for name in ("libasan.so", "libubsan.so")]
    os.environ["LD_PRELOAD"] = ":".join(map(os.path.realpath, libraries))
    os.environ["ASAN_OPTIONS"] = ("detect_leaks=0:max_free_fill_size=65536:"
                                  "free_fill_byte=165")


def complaint(output):
    """Whether a sanitizer has found something in what QEMU wrote."""
    return "Sanitizer" in output or "runtime error" in output
