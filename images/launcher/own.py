# SPDX-License-Identifier: GPL-2.0-or-later
"""An image for a kernel of the user's, which the makefiles of the normal image
build in a folder below build/own-kernels.

Each kernel has a folder of its own, so that make rebuilds only what has changed.
It is locked, flock(2), until the image is built and copied. make's processes
inherit the lock, so it is held until the last of them has ended, even if the
launcher is killed.
"""
import contextlib
import fcntl
import gzip
import hashlib
import lzma
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from . import kernels
from .errors import Failure
from .image import TOP, choose_kernel, image_folder, image_target, product
from .streams import say

# Without these the launcher cannot communicate with the guest.
NEEDED = ("virtio_pci", "virtio_console")

# Variables that an outer make exports; they are not for this image.
OUTER = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KERNEL", "MODULES", "KDIR",
         "KVER", "GUEST_OUT", "GUEST_ARCH")

# Lines to skip when looking for the cause of make's failure.
NOISE = re.compile(r"make(\[\d+\])?: (\*\*\*|Entering|Leaving)")


class Own:
    """The kernel, modules and driver of --kernel, --modules and --driver."""

    def __init__(self, options):
        self.arch = options.arch
        self.tree = self.modules = self.kernel = None
        if os.path.isdir(options.kernel):
            self._take_tree(options)
        else:
            self.kernel = kernels.read_kernel(options.kernel)
            kernels.check_arch(f"--kernel {options.kernel}", self.kernel.arch,
                               self.arch)
            self.modules = kernels.check_modules(options.modules, self.kernel)
        self.driver, self.kdir = None, None
        if not options.no_capture:
            self._choose_driver(options)
        for path in (self.kernel.path, self.modules, self.kdir):
            if path and re.search(r"[\s$#:%*?'\"\\;&|<>()]", path):
                raise Failure(f"{path}: the name has a character that make, "
                              "which builds the guest's image, does not support")

    def _take_tree(self, options):
        if options.modules is not None:
            raise Failure(f"--modules {options.modules}: --kernel "
                          f"{options.kernel} is a build tree, which has its own "
                          "modules")
        self.tree = kernels.read_tree(options.kernel, self.arch)
        self.kernel = self.tree.kernel
        if self.tree.modules is None and not options.no_capture:
            raise Failure(f"--kernel {options.kernel}: it is built without "
                          "CONFIG_MODULES, so it cannot load virtio_capture "
                          "(--no-capture boots without it)")

    def _choose_driver(self, options):
        """Chooses the driver, or the tree to build it against."""
        if options.driver is not None:
            kernels.check_driver(options.driver, self.kernel)
            self.driver = os.path.realpath(options.driver)
        elif self.tree:
            self.kdir = self.tree.path
        else:
            self.driver, lack = kernels.find_driver(self.modules, self.kernel)
            if self.driver:
                return
            self.kdir, lacking = kernels.find_build(self.modules, self.kernel)
            if not self.kdir:
                raise Failure(
                    f"--modules {options.modules}: no driver for "
                    f"{self.kernel.release}: {lack}, and it cannot be built: "
                    f"{lacking}; build it against that kernel's headers (make "
                    "driver KDIR=HEADERS) and use --driver "
                    "build/guest-driver/virtio_capture.ko, or use --no-capture")

    def base(self):
        """The folder of files that do not depend on the kernel."""
        return TOP / "build" / ("" if self.arch == "x86_64" else self.arch)

    def folder(self):
        """The folder of the image, different for each set of files."""
        names = "\0".join(str(name) for name in (
            self.tree and self.tree.path, self.kernel.path, self.modules,
            self.driver, self.kdir))
        digest = hashlib.sha256(os.fsencode(names)).hexdigest()[:12]
        return self.base() / "own-kernels" / f"{self.kernel.release}-{digest}"


def run_make(own, out, lock, folder, *words):
    """Runs make in a folder of the source tree."""
    words = ["make", "-s", f"-j{os.cpu_count() or 1}", "-C", f"{TOP}/{folder}",
             f"GUEST_OUT={out}", f"GUEST_ARCH={own.arch}", *words]
    environment = {name: value for name, value in os.environ.items()
                   if name not in OUTER}
    log = out / f"{folder}.log"
    with open(log, "wb") as file:
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file,
                              stderr=file, env=environment, pass_fds=[lock],
                              start_new_session=True) as process:
            try:
                status = process.wait()
            except BaseException:
                # On SIGTERM make removes incomplete targets.
                os.killpg(process.pid, signal.SIGTERM)
                raise
    if status:
        lines = [line for line in log.read_text(errors="replace").splitlines()
                 if line.strip() and not NOISE.match(line)]
        errors = [line for line in lines if "rror" in line] or lines or [""]
        raise Failure(f"{os.path.relpath(log)}: building an image of the kernel "
                      f"{own.kernel.path} failed: {errors[0].strip()}")


def place_driver(own, out):
    """Copies a driver that is already built to where make expects it."""
    target = out / "guest-driver" / f"{kernels.DRIVER}.ko"
    data = Path(own.driver).read_bytes()
    try:
        if own.driver.endswith(".xz"):
            data = lzma.decompress(data)
        elif own.driver.endswith(".gz"):
            data = gzip.decompress(data)
        elif own.driver.endswith(".zst"):
            data = subprocess.run(["zstd", "-dcq"], input=data, check=True,
                                  stdout=subprocess.PIPE).stdout
    except (OSError, EOFError, lzma.LZMAError,
            subprocess.CalledProcessError) as error:
        raise Failure(f"{own.driver}: {error}") from None
    kernels.check_arch(own.driver, kernels.elf_machine(data), own.arch)
    if not target.exists() or target.read_bytes() != data:
        target.parent.mkdir(exist_ok=True)
        new = target.with_suffix(".new")
        new.write_bytes(data)
        os.replace(new, target)


def make_image(own, out, lock):
    """Builds the image in the folder, or rebuilds what has changed."""
    if own.driver:
        place_driver(own, out)
        run_make(own, out, lock, "guest-driver", f"{out}/guest-driver/bpfstat")
    elif own.kdir:
        run_make(own, out, lock, "guest-driver", f"KDIR={own.kdir}")
        built = out / "guest-driver" / f"{kernels.DRIVER}.ko"
        kernels.check_driver(built, own.kernel, f"{own.kdir}: built")
    words = [f"KERNEL={own.tree.path if own.tree else own.kernel.path}"]
    if own.modules:
        words.append(f"MODULES={own.modules}")
    run_make(own, out, lock, "images", *words)
    images = out / "images"
    lacking = (images / "modules-lacking").read_text().split()
    lacking = [name for name in NEEDED if name in lacking]
    if lacking and list(images.glob("root/lib/modules/*/modules.builtin")):
        raise Failure(f"--kernel {own.kernel.path}: it has neither built in "
                      f"nor as modules: {', '.join(lacking)}, which every "
                      "guest needs")


@contextlib.contextmanager
def own_image(options):
    """Builds the image of the user's kernel. Its folder, which this yields, does not
    change inside this context."""
    own = Own(options)
    for name in ("init", "tcpdump/tcpdump"):
        product(own.base() / "images" / name, image_target(own.arch))
    out = own.folder()
    out.mkdir(parents=True, exist_ok=True)
    lock = os.open(out / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.isatty(2) and not (out / "images/initramfs").exists():
            say(f"building an image of the kernel {own.kernel.release}")
        make_image(own, out, lock)
        yield out / "images"
    finally:
        os.close(lock)


@contextlib.contextmanager
def chosen_image(options, workspace):
    """Yields the kernel to boot and the folder with the rest of its image, which
    does not change inside this context."""
    if options.modules is None and not os.path.isdir(options.kernel or ""):
        if options.driver is not None:
            raise Failure(f"--driver {options.driver}: only with --modules DIR, "
                          "or with --kernel and a build tree")
        yield choose_kernel(options.kernel, options.arch), \
            image_folder(options.arch)
        return
    if options.kernel is None:
        raise Failure(f"--modules {options.modules}: only with --kernel FILE")
    with own_image(options) as folder:
        # QEMU reads the kernel after the lock is released.
        kernel = os.path.join(workspace, "kernel")
        shutil.copyfile(folder / "kernel", kernel)
        yield kernel, folder
