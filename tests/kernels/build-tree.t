#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --kernel TREE and make image KERNEL=TREE, with the build tree of a
kernel. make check-build-tree builds a small kernel."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import TOP, VM  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

BUILT = Path(TOP, "build/downloads/small-kernel")
TREE = BUILT / "tree"
BZIMAGE = TREE / "arch/x86/boot/bzImage"
CACHES = Path(TOP, "build/own-kernels")
OUT = Path(TOP, "build/tests/kernels/build-tree")

# virtio_net is a module, virtio_console is built in, e1000 is disabled.
SCRIPT = """
uname -r
[ -d /sys/module/virtio_net ] && lsmod | grep -o '^virtio_net'
[ -e /sys/bus/virtio/drivers/virtio_console ] && echo console
modprobe -q e1000 && echo e1000
ping 10.0.2.2 >/dev/null &
tcpdump -n -i eth0 -c 2 icmp 2>/dev/null | grep -o 'ICMP echo re[a-z]*'
true
"""

# Without variables of an outer make.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("GUEST_OUT", "GUEST_ARCH", "KVER", "KERNEL",
                               "MODULES", "KDIR", "MAKEFLAGS", "MFLAGS")}


def release():
    """Returns the release of the kernel in the tree."""
    return Path(TREE, "include/config/kernel.release").read_text().strip()


def expected():
    """Returns SCRIPT's output."""
    return f"{release()}\nvirtio_net\nconsole\nICMP echo request\n" \
        "ICMP echo reply\n"


def run(*words, **environment):
    """Runs a command; returns its CompletedProcess."""
    return subprocess.run(words, text=True, capture_output=True, check=False,
                          stdin=subprocess.DEVNULL, errors="replace",
                          env={**ENVIRONMENT, **environment})


def vm(*options, **environment):
    """Runs the script in a guest."""
    return run(VM, *map(str, options), "--", "sh", "-c", SCRIPT, **environment)


def boots(tap, what, done):
    """Checks that the tree's kernel ran and captured."""
    tap.equal((done.returncode, done.stdout, done.stderr), (0, expected(), ""),
              f"{what}: the guest runs and captures")


def caches():
    """Returns the folders with images of the tree's kernel."""
    return list(CACHES.glob(f"{release()}-*"))


def times(pattern):
    """Returns the modification times of files of those images."""
    return [path.stat().st_mtime_ns for folder in caches()
            for path in folder.glob(pattern)]


def snapshot():
    """Returns each file in the tree, with its size and modification time."""
    found = []
    for place, _, names in os.walk(TREE):
        for name in names:
            path = os.path.join(place, name)
            state = os.lstat(path)
            found.append((path, state.st_size, state.st_mtime_ns))
    return sorted(found)


def test_tree(tap):
    for folder in caches():
        shutil.rmtree(folder)
    before = snapshot()
    boots(tap, "--kernel TREE", vm("--kernel", TREE))
    changed = set(snapshot()) ^ set(before)
    tap.equal([path for path, *_ in changed], [],
              "images/vm --kernel TREE leaves the tree as it was")

    driver, initramfs = "guest-driver/*.ko", "images/initramfs"
    made = times(driver), times(initramfs)
    tap.equal([len(found) for found in made], [1, 1],
              "images/vm --kernel TREE: one driver and one image are made")
    boots(tap, "--kernel TREE again", vm("--kernel", TREE))
    tap.equal((times(driver), times(initramfs)), made,
              "images/vm --kernel TREE again: nothing is made")

    os.utime(TREE / "drivers/net/virtio_net.c")
    done = run("make", "-C", TREE, "modules")
    tap.equal(done.returncode, 0,
              "make modules of a changed module in the tree succeeds")
    boots(tap, "--kernel TREE after that", vm("--kernel", TREE))
    tap.ok(times(initramfs) > made[1],
           "images/vm --kernel TREE with a new module: the image is made again")

    os.utime(TREE / "vmlinux")
    boots(tap, "--kernel TREE with another vmlinux", vm("--kernel", TREE))
    tap.ok(times(driver) > made[0],
           "images/vm --kernel TREE with another vmlinux: the driver is built again")


def test_installed(tap):
    done = run("make", "-C", TREE, f"INSTALL_MOD_PATH={OUT}/installed",
               "modules_install")
    tap.equal(done.returncode, 0, "make modules_install succeeds")
    modules = OUT / "installed/lib/modules" / release()
    before = sorted(modules.rglob("*"))
    boots(tap, "--modules DIR with a folder build",
          vm("--kernel", BZIMAGE, "--modules", modules))
    tap.equal(sorted(modules.rglob("*")), before,
              "--modules DIR writes nothing among the modules")


def test_fails(tap):
    """Headers that the driver cannot be built with."""
    modules = OUT / "installed/lib/modules" / release()
    broken = OUT / "broken"
    (broken / "include/generated").mkdir(parents=True)
    shutil.copy(TREE / "include/generated/utsrelease.h",
                broken / "include/generated")
    (broken / "Makefile").write_text("modules:\n\techo 'x.c: error: y' >&2\n"
                                     "\tfalse\n")
    (modules / "build").unlink()
    (modules / "build").symlink_to(broken)
    done = vm("--kernel", BZIMAGE, "--modules", modules)
    tap.equal(done.returncode, 125, "the driver does not compile: status 125")
    tap.contains(done.stderr, "failed: x.c: error: y",
                 "the driver does not compile: the error shows why")
    tap.contains(done.stderr, "guest-driver.log: ",
                 "the driver does not compile: the error names the log")


def test_image(tap):
    out = OUT / "image"
    done = run("make", "-s", "-C", TOP, "image", f"KERNEL={TREE}",
               f"GUEST_OUT={out}")
    tap.ok(done.returncode == 0, "make image KERNEL=TREE", done.stderr)
    boots(tap, "make image KERNEL=TREE", vm(GUEST_OUT=str(out)))
    done = run("make", "-s", "-C", f"{TOP}/images", f"KERNEL={OUT}",
               f"GUEST_OUT={out}")
    tap.ok(done.returncode != 0, "make image KERNEL=FOLDER fails")
    tap.contains(done.stderr, "neither a kernel nor a configured build tree",
                 "make image KERNEL=FOLDER: a clear error")


def main():
    tap = Tap()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    tap.run(test_tree, test_installed, test_fails, test_image)
    for place in (OUT, *caches()):
        shutil.rmtree(place)
    return tap.done()


if not Path(BUILT, ".built").exists():
    skip_all("no tree: make check-build-tree builds one", is_lacking=False)
sys.exit(main())
