#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --kernel FILE --modules DIR: another kernel than the image's. It is
Debian's, patched to have another release, with some of its modules."""
import fcntl
import lzma
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import BUILD, VM, guest_file, packaged_kernel  # noqa: E402
from guest import release, vm  # noqa: E402
from tap import Tap  # noqa: E402

RELEASE = release()
OTHER = RELEASE.translate(str.maketrans("0123456789", "1234567890"))
# Not below build/, where the launcher may write.
OUT = Path(tempfile.mkdtemp())
KERNEL = OUT / "kernel"
MODULES = OUT / "modules" / OTHER
DRIVER = MODULES / "extra/virtio_capture.ko"
OPTIONS = ["--kernel", str(KERNEL), "--modules", str(MODULES)]

# A file name that make cannot have in a rule.
SPACE = OUT / "a kernel"

SCRIPT = """
uname -r
ls /lib/modules
modprobe -q igb && echo igb
modprobe -q e1000 && echo e1000
[ -e /sys/bus/virtio/drivers/virtio_rng ] && echo rng
ping 10.0.2.2 >/dev/null &
tcpdump -n -i eth0 -c 2 icmp 2>/dev/null | grep -o 'ICMP echo re[a-z]*'
true
"""
CAPTURED = "ICMP echo request\nICMP echo reply\n"
WITH_E1000 = f"{OTHER}\n{OTHER}\ne1000\n{CAPTURED}"
WITHOUT_E1000 = f"{OTHER}\n{OTHER}\n{CAPTURED}"


def rename(source, target):
    """Copies a kernel or module, and changes its release to the other one."""
    data = Path(source).read_bytes()
    target.write_bytes(data.replace(RELEASE.encode(), OTHER.encode()))


def depmod():
    """Writes the dependencies of the modules."""
    root = OUT / "root"
    if not root.exists():
        (root / "lib").mkdir(parents=True)
        (root / "lib/modules").symlink_to(OUT / "modules")
    subprocess.run(["/sbin/depmod", "-b", root, OTHER], check=True)


def prepare():
    """Copies the kernel and the modules of the image, with the other release.
    Some modules are removed; modules.builtin lists one of those."""
    source = guest_file("images", "root", "lib", "modules", RELEASE)
    shutil.copytree(source, MODULES)
    rename(guest_file("images", "kernel"), KERNEL)
    modules = sorted(MODULES.rglob("*.ko"))
    # Linux loads a module without a signature, but not with an invalid one.
    subprocess.run(["strip", "--strip-debug", *modules], check=True)
    for module in modules:
        rename(module, module)
    for name in ("net/ethernet/intel/igb/igb", "char/hw_random/virtio-rng"):
        (MODULES / f"kernel/drivers/{name}.ko").unlink(missing_ok=True)
    with open(MODULES / "modules.builtin", "a", encoding="ascii") as file:
        file.write("kernel/drivers/char/hw_random/virtio-rng.ko\n")
    depmod()


def listing():
    """The files below the folder of modules, with their modification times."""
    return sorted((str(path), path.lstat().st_mtime_ns)
                  for path in MODULES.rglob("*"))


def caches():
    """The folders in which the launcher builds images of these kernels."""
    return list(Path(BUILD, "own-kernels").glob(f"{OTHER}-*"))


def start(**keywords):
    """Starts a launch."""
    return subprocess.Popen([VM, *OPTIONS, "--", "sh", "-c", SCRIPT],
                            text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            **keywords)


def test_interrupted(tap):
    """A launcher that is ended while it builds the image."""
    for number, status in ((signal.SIGTERM, 128 + signal.SIGTERM),
                           (signal.SIGKILL, -signal.SIGKILL)):
        for folder in caches():
            shutil.rmtree(folder)
        launch = start()
        while not any((folder / "images/release").exists()
                      for folder in caches()):
            if launch.poll() is not None:
                break
            time.sleep(0.01)
        launch.send_signal(number)
        launch.communicate()
        tap.equal(launch.returncode, status,
                  f"{number.name} while the image is built: status {status}")
        # After SIGKILL make continues, and the next launchers wait for it.
        if number == signal.SIGTERM:
            made = [folder for folder in caches()
                    if (folder / "images/initramfs").exists()]
            tap.equal(made, [],
                      "SIGTERM while the image is built: make does not finish it")


def test_parallel(tap):
    """One launcher builds the image, while others wait."""
    folder, = caches()
    with open(folder / "lock", "rb") as lock:
        # Holds the lock like a launcher that builds. The make that SIGKILL left has ended
        # when it is acquired.
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder / "images")
        launches = start(), start()
        time.sleep(2)
        tap.ok(not (folder / "images").exists(),
               "a launcher waits while another one builds the image")
    for launch in launches:
        out, errors = launch.communicate()
        tap.equal((launch.returncode, out, errors), (0, WITH_E1000, ""),
                  "one of two launchers at a time: the guest has the kernel and its "
                  "modules, and captures")
    tap.equal(caches(), [folder],
              "two launchers at a time: both use the same image")


def test_changed(tap):
    """The modules have changed since the previous launch."""
    for path in MODULES.rglob("e1000.ko"):
        path.unlink()
    depmod()
    done = vm(OPTIONS, ["sh", "-c", SCRIPT])
    tap.equal((done.returncode, done.stdout), (0, WITHOUT_E1000),
              "a module that was removed since the last launch is not in the guest")


def test_driver(tap):
    """The driver is not among the modules, or missing."""
    driver = OUT / "virtio_capture.ko.xz"
    driver.write_bytes(lzma.compress(DRIVER.read_bytes(), preset=0))
    DRIVER.unlink()
    depmod()
    done = vm([*OPTIONS, "--driver", str(driver)], ["sh", "-c", SCRIPT])
    tap.equal((done.returncode, done.stdout), (0, WITHOUT_E1000),
              "--driver with a compressed FILE: the guest captures")
    done = vm(OPTIONS, ["true"])
    tap.equal(done.returncode, 125, "without a driver: status 125")
    for words in (f"no driver for {OTHER}", "there is no virtio_capture.ko",
                  "there is no folder build", "make driver KDIR=",
                  "--driver ", "--no-capture"):
        tap.contains(done.stderr, words, f"without a driver: the error has {words!r}")
    # As after modules_install without depmod.
    for path in MODULES.glob("modules.*"):
        if path.name not in ("modules.order", "modules.builtin",
                             "modules.builtin.modinfo"):
            path.unlink()
    before = listing()
    done = vm([*OPTIONS, "--no-capture"], ["sh", "-c", "uname -r; ls /dev"])
    tap.equal(done.returncode, 0, "without a driver, --no-capture: status 0")
    tap.equal(done.stdout.split()[:1], [OTHER],
              "without a driver, --no-capture: the guest runs that kernel")
    tap.ok("bpf" not in done.stdout.split(),
           "without a driver, --no-capture: no /dev/bpf")
    tap.equal(listing(), before,
              "--modules DIR: nothing in DIR has changed")

    updates = MODULES / "updates/dkms"
    updates.mkdir(parents=True)
    shutil.copy(guest_file("guest-driver", "virtio_capture.ko"), updates)
    (MODULES / "build").symlink_to("/no/headers")
    done = vm(OPTIONS, ["true"])
    tap.contains(done.stderr, "updates/dkms/virtio_capture.ko: the driver is "
                 f"built for {RELEASE}, but the kernel {KERNEL} is {OTHER}",
                 "a driver for another release among the modules: the error names it")
    tap.contains(done.stderr, "build does not point to a kernel's headers",
                 "link to headers that do not exist: the error names the link")
    tree = folder("headers/include/generated")
    (tree / "utsrelease.h").write_text('#define UTS_RELEASE "1.2.3"\n')
    (MODULES / "build").unlink()
    (MODULES / "build").symlink_to(OUT / "headers")
    done = vm(OPTIONS, ["true"])
    tap.contains(done.stderr, "build is for 1.2.3",
                 "headers of another release: the error names the release")


def test_needed(tap):
    """A kernel that cannot communicate with the launcher."""
    for path in MODULES.rglob("virtio_console.ko"):
        path.unlink()
    # Debian 13 has it built in.
    builtin = MODULES / "modules.builtin"
    builtin.write_text("".join(
        line for line in builtin.read_text().splitlines(keepends=True)
        if "virtio_console" not in line))
    depmod()
    done = vm([*OPTIONS, "--no-capture"], ["true"])
    tap.equal(done.returncode, 125, "no virtio_console: status 125")
    tap.contains(done.stderr, "neither built in nor as modules: virtio_console, "
                 "which every guest needs",
                 "no virtio_console: the error names it")


def folder(name):
    """Makes a folder of that name."""
    path = OUT / name
    path.mkdir(parents=True)
    return path


def tree(name, **files):
    """Makes a folder with some files of a build tree."""
    path = folder(name)
    (path / "Makefile").touch()
    (path / ".config").write_text("CONFIG_X86_64=y\nCONFIG_MODULES=y\n")
    for file, text in files.items():
        place = path / {"header": "include/generated/utsrelease.h",
                        "kernel": "arch/x86/boot/bzImage",
                        "order": "modules.order"}[file]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    return str(path)


def i386_kernel():
    """Makes a bzImage without a 64-bit entry point."""
    data = bytearray(packaged_kernel().read_bytes())
    data[0x236] &= ~1
    path = OUT / "i386"
    path.write_bytes(data)
    return str(path)


def bad():
    """Yields options and a part of the error."""
    ours = f'#define UTS_RELEASE "{RELEASE}"\n'.encode()
    bzimage = packaged_kernel().read_bytes()
    kernel, modules, uts = str(KERNEL), str(MODULES), "utsrelease.h"
    shutil.copytree(MODULES, OUT / "modules/1.2.3", symlinks=True)
    shutil.copy(KERNEL, SPACE)
    for options, message in (
            ((__file__, modules), f"--kernel {__file__}: not a Linux kernel"),
            (("/no/kernel", modules), "--kernel /no/kernel: No such file"),
            ((kernel, "/no/modules"), "--modules /no/modules: no such folder"),
            ((kernel, __file__), f"--modules {__file__}: not a folder"),
            ((kernel, folder("empty")),
             "empty: not a folder that make modules_install makes: it has neither "
             "modules.order nor modules.dep"),
            ((kernel, OUT / "modules/1.2.3"),
             "the modules are for 1.2.3, but the kernel "
             f"{kernel} is {OTHER}"),
            ((i386_kernel(), modules),
             "it is for another processor, but the guest's processor is x86_64"),
            ((kernel, modules, "--arch", "aarch64"),
             f"--kernel {kernel}: it is for x86_64, but the guest's processor is aarch64"),
            ((kernel, modules, "--driver", "/no/driver"),
             "--driver /no/driver: no such file"),
            ((kernel, modules, "--driver", __file__),
             f"--driver {__file__}: not the module virtio_capture"),
            ((kernel, modules, "--driver",
              guest_file("guest-driver", "virtio_capture.ko")),
             f"the driver is built for {RELEASE}, but the kernel {kernel} is "
             f"{OTHER}"),
            ((SPACE, modules, "--no-capture"),
             "a kernel: the name has a character that make, which builds"),
            ((kernel, None), f"--modules /lib/modules/{OTHER}"),
            ((None, modules), f"--modules {modules}: only with --kernel FILE"),
            ((None, None, "--driver", str(DRIVER)),
             f"--driver {DRIVER}: only with --modules DIR"),
            ((folder("nothing"), None), "neither a kernel nor a configured "
             "build tree: it has no Makefile"),
            ((tree("unbuilt"), None), "unbuilt: the tree is not built: it has "
                                      f"no include/generated/{uts} (make"),
            ((tree("no-kernel", header=ours), None),
             "the tree is not built: it has no arch/x86/boot/bzImage (make"),
            ((tree("old", header=b'#define UTS_RELEASE "1.2.3"\n',
                   kernel=bzimage), None),
             f"bzImage is {RELEASE}, but the modules are for 1.2.3"),
            ((tree("no-order", header=ours, kernel=bzimage), None),
             "the tree is not built: it has no modules.order (make"),
            ((tree("no-module", header=ours, kernel=bzimage,
                   order=b"net/core/failover.o\n"), None),
             "the tree is not built: it has no net/core/failover.ko (make"),
            ((tree("arch"), None, "--arch", "s390x"),
             "it is for x86_64, but the guest's processor is s390x"),
            ((tree("two"), modules), "a build tree, which has its own modules")):
        file, place, *more = options
        words = ["--kernel", str(file)] if file else []
        words += ["--modules", str(place)] if place else []
        yield [*words, *more], message


def test_bad(tap):
    for options, message in bad():
        done = vm(options, ["true"])
        what = " ".join(map(str, options)).replace(f"{OUT}/", "")
        tap.equal(done.returncode, 125, f"{what}: status 125")
        tap.contains(done.stderr, message, f"{what}: the error names the cause")
        tap.equal(done.stderr.count("\n"), 1, f"{what}: the error is one line")


def main():
    tap = Tap()
    try:
        prepare()
        tap.run(test_bad, test_interrupted, test_parallel, test_changed,
                test_driver, test_needed)
    finally:
        for place in (OUT, *caches()):
            shutil.rmtree(place)
    return tap.done()


sys.exit(main())
