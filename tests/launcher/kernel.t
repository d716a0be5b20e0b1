#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make image with a kernel of the user's own: KERNEL=FILE MODULES=DIR."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import TOP, guest_file, release, vm  # noqa: E402
from tap import Tap  # noqa: E402

OUT = Path(TOP, "build/tests/launcher/kernel")
MODULES = Path(guest_file("images", "lib", "modules", release())).resolve()
KERNEL = guest_file("images", "kernel")

# The guest has the driver, and lacks the modules that were removed.
SCRIPT = """
uname -r
modprobe -q igb && echo igb
[ -e /sys/bus/virtio/drivers/virtio_rng ] && echo rng
[ -c /dev/bpf ] && echo bpf
"""


def make(*variables):
    """make image, without the driver, with its output in OUT."""
    return subprocess.run(
        ["make", "-s", "-C", f"{TOP}/images", f"GUEST_OUT={OUT}", *variables],
        text=True, capture_output=True, check=False)


def prepare():
    """Copies the image's modules without some, one of which modules.builtin
    lists."""
    shutil.rmtree(OUT, ignore_errors=True)
    modules = OUT / "modules" / release()
    shutil.copytree(MODULES, modules, symlinks=True)
    for name in ("drivers/net/ethernet/intel/igb/igb", "fs/9p/9p",
                 "fs/overlayfs/overlay",
                 "drivers/net/vmxnet3/vmxnet3",
                 "drivers/char/hw_random/virtio-rng"):
        for module in modules.glob(f"kernel/{name}.ko*"):
            module.unlink()
    with open(modules / "modules.builtin", "a", encoding="ascii") as file:
        file.write("kernel/drivers/char/hw_random/virtio-rng.ko\n")
    root = OUT / "root"
    (root / "lib").mkdir(parents=True)
    (root / "lib/modules").symlink_to(OUT / "modules")
    subprocess.run(["/sbin/depmod", "-b", root, release()], check=True)
    (OUT / "guest-driver").symlink_to(guest_file("guest-driver"))
    return modules


def test_own(tap, modules):
    done = make(f"KERNEL={KERNEL}", f"MODULES={modules}")
    tap.equal(done.returncode, 0, "a kernel that lacks modules: make succeeds")
    print("#", done.stdout.strip())
    tap.contains(done.stdout, " igb",
                 "a kernel that lacks modules: make names the missing modules")
    tap.ok("virtio_rng" not in done.stdout,
           "a kernel that lacks modules: a driver that is built in is not missing",
           done.stdout)
    os.environ["GUEST_OUT"] = str(OUT)
    done = vm([], ["sh", "-c", SCRIPT])
    tap.equal((done.returncode, done.stdout), (0, f"{release()}\nbpf\n"),
              "a kernel that lacks modules: the guest runs, with the driver")
    done = vm(["--kernel", KERNEL], ["uname", "-r"])
    tap.equal((done.returncode, done.stdout), (0, f"{release()}\n"),
              "a kernel that lacks modules: images/vm --kernel accepts the same file")
    test_no_9p(tap)
    del os.environ["GUEST_OUT"]


def test_no_9p(tap):
    done = vm(["--share", f"{OUT}:out"], ["true"])
    tap.equal((done.returncode, done.stderr),
              (125, f"images/vm: --share {OUT}:out: the kernel {release()} has "
                    "neither built in nor as modules: 9p\n"),
              "--share with a kernel without 9P: status 125, an error that names it")
    for spec, lacking in ((str(OUT), "9p, overlay"), (f"{OUT}:rw", "9p")):
        done = vm(["--root", spec], ["true"])
        tap.equal((done.returncode, done.stderr),
                  (125, f"images/vm: --root {spec}: the kernel {release()} has "
                        f"neither built in nor as modules: {lacking}\n"),
                  f"--root {spec.replace(str(OUT), 'DIR')} with a kernel without "
                  f"{lacking}: status 125, an error that names them")
    # If it is unknown what the kernel has built in, init reports the error.
    (OUT / "images/modules-lacking").write_text("")
    done = vm(["--no-capture", "--share", f"{OUT}:out"], ["true"])
    tap.equal(done.returncode, 125,
              "--share, no 9P, as the guest finds: status 125")
    tap.contains(done.stderr, "guest: cannot mount the host's folder at "
                 "/mnt/out: the kernel has no file system 9p\n",
                 "--share, no 9P, as the guest finds: the error names it")
    done = vm(["--no-capture", "--root", str(OUT)], ["true"])
    tap.contains(done.stderr, "guest: cannot mount the host's folder at /: the "
                 "kernel has no file system 9p\n",
                 "--root, no 9P, as the guest finds: the error names it")


def test_wrong(tap, modules):
    other = modules.with_name("1.2.3-other")
    shutil.copytree(modules, other, symlinks=True)
    for variables, message in (
            ([f"KERNEL={KERNEL}"], "MODULES=: this is no folder"),
            ([f"MODULES={modules}"], "KERNEL=: there is no such file"),
            (["KERNEL=/no/kernel", f"MODULES={modules}"],
             "KERNEL=/no/kernel: there is no such file"),
            ([f"KERNEL={KERNEL}", "MODULES=/no/modules"],
             "MODULES=/no/modules: this is no folder"),
            ([f"KERNEL={__file__}", f"MODULES={modules}"],
             "not a Linux kernel"),
            ([f"KERNEL={KERNEL}", f"MODULES={other}"],
             f"the kernel's release is {release()}, but the modules are for "
             "1.2.3-other")):
        done = make(*variables)
        what = " ".join(word.replace(f"{OUT}/", "") for word in variables)
        tap.ok(done.returncode != 0, f"{what}: make fails")
        tap.contains(done.stderr, message, f"{what}: the error names the cause")


def main():
    tap = Tap()
    modules = prepare()
    tap.run(lambda tap: test_own(tap, modules),
            lambda tap: test_wrong(tap, modules))
    shutil.rmtree(OUT)
    return tap.done()


sys.exit(main())
