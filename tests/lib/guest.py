# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the guest's test programs in a virtual machine, and its TAP here."""
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
VM = os.path.join(TOP, "images", "vm")
# The guest's processor, and its programs, its image and its driver: see the
# Makefile and images/arch.mk.
ARCH = os.environ.get("GUEST_ARCH") or "x86_64"
BUILD = os.path.join(TOP, "build", "" if ARCH == "x86_64" else ARCH)
PROGRAMS = os.path.join(BUILD, "tests", "guest")
GUEST = os.path.join(TOP, os.environ.get("GUEST_OUT") or BUILD)
# A big-endian driver fills all buffers itself. Debian's kernel for s390x is for
# the oldest of these machines, on which Linux cannot translate filters.
BIG_ENDIAN = ARCH == "s390x"
FILTER_ENGINE = "kernel" if ARCH == "s390x" else "jit"
# What depends on QEMU, likewise.
DEVICE_OUT = os.path.join(TOP, "build", os.environ.get("QEMU_RELEASE") or "")
# By how much limits of time are to be stretched: see images/vm.1.
TIME_SCALE = float(os.environ.get("TIME_SCALE") or "1")

# Two NICs on one hub: what one sends, the other receives. No IPv6: its own
# frames would come between those of the tests.
TWO_NICS = ["--nic", "virtio-net-pci", "--netdev", "hubport,hubid=0",
            "--nic", "virtio-net-pci", "--netdev", "hubport,hubid=0",
            "--append", "ipv6.disable=1"]

# Each time that Linux enables a PCI device, it evaluates all of QEMU's table of
# the interrupt pins, which takes a sixth of a second under TCG. It gets them
# from elsewhere with this; but only for devices that are there at the start.
NO_TABLE = ["--append", "acpi=noirq"] if ARCH == "x86_64" else []

# A debug kernel takes ten times as long to interpret ACPI's code, and kmemleak
# doubles its work and then scans for a minute: what a test does not need is off.
# Without ACPI there is one processor only. Nor does anybody tell Linux where the
# power management timer is, without which it cannot calibrate its clock and
# counts ticks, many of which it loses.
NO_ACPI = ["--append", "acpi=off pmtmr=0x608"]
NO_LEAKS = ["--append", "kmemleak=off"]

# More kernel parameters for all guests, as virtio_capture.offload=1.
MORE = os.environ.get("GUEST_APPEND")
APPEND = ["--append", MORE] if MORE else []

# So Linux is not to check the clock by its ticks either, before it has the timer.
TRUST_CLOCK = ["--append", "tsc=reliable"]

# For time_scale() in guest.h, then each program and how it ended.
RUN = f"export TIME_SCALE={TIME_SCALE:g}; " \
    "for p in %s; do echo \"# program $p\"; /root/$p; echo \"# exit $p $?\"; done"


def guest_file(*names):
    """A file of the guest's that make has built."""
    return os.path.join(GUEST, *names)


def release():
    """The release of the guest's kernel."""
    with open(guest_file("images", "release"), encoding="ascii") as file:
        return file.read().split()[0]


def kernel_module(path):
    """A module of the guest's kernel, by its path below kernel/. There may be
    none. Later kernels of Debian's have them compressed: then it is a copy."""
    there = guest_file("images", "lib", "modules", release(), "kernel", path)
    if os.path.exists(there) or not os.path.exists(f"{there}.xz"):
        return there
    copy = Path(guest_file("tests", "modules", release(), Path(path).name))
    copy.parent.mkdir(parents=True, exist_ok=True)
    # Other tests may make it, too, or read it already.
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        Path(folder, "ko").write_bytes(lzma.open(f"{there}.xz").read())
        os.replace(Path(folder, "ko"), copy)
    return str(copy)


def packaged_kernel():
    """The guest's kernel as Debian's package has it."""
    name = release()
    downloads = Path(TOP, "build", "downloads")
    return next(path for pattern in (
        f"linux-image-{name}_*/boot/vmlinuz-{name}",
        f"kernels/{name}/image/boot/vmlinuz-{name}",
        f"kernels/{name}/image/usr/lib/modules/{name}/vmlinuz")
        for path in downloads.glob(pattern))


def build_module(source):
    """Builds a module of one file for the guest's kernel; several tests may do so
    at a time. Gives its path."""
    name = Path(source).stem
    headers = Path(guest_file("guest-driver", "kdir")).read_text().strip()
    target = Path(guest_file("tests", "modules", f"{name}.ko"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        shutil.copy(Path(TOP, source), folder)
        Path(folder, "Kbuild").write_text(f"obj-m := {name}.o\n")
        subprocess.run(
            [os.path.join(TOP, "images", "guest", "kbuild"), headers, "-s",
             f"M={folder}", "modules"],
            check=True, stdout=subprocess.PIPE)
        os.replace(Path(folder, target.name), target)
    return target


def is_debug():
    """Whether the guest's kernel is that of images/guest/debug-kernel."""
    return release().endswith("-debug")


def parameters(options, table=False, acpi=False, leaks=False):
    """Options of images/vm, beside others, for a guest that is no slower than it
    has to be. table: it needs ACPI's table of the interrupt pins, which a debug
    kernel can do without; acpi: it needs the rest of ACPI, to plug devices or to
    suspend to memory; leaks: a debug kernel looks for leaks."""
    if not is_debug():
        return APPEND + ([] if table else NO_TABLE)
    return APPEND + (NO_TABLE if acpi or "--smp" in options else NO_ACPI) + \
        TRUST_CLOCK + ([] if leaks else NO_LEAKS)


def vm(options, command, table=False, acpi=False, leaks=False, **kwargs):
    """Runs a command in a guest; returns a CompletedProcess with text. See
    parameters()."""
    words = [*parameters(options, table, acpi, leaks), *options]
    return subprocess.run([VM, *words, "--", *command], text=True,
                          capture_output=True, check=False,
                          stdin=subprocess.DEVNULL, errors="replace", **kwargs)


def relay(tap, lines):
    """Gives the results of each program under its name; returns the names
    of those that ended as they should."""
    program, planned, seen, finished = None, None, 0, []
    for line in map(str.rstrip, lines):
        result = re.match(r"(not )?ok \d+ - (.*)", line)
        plan = re.match(r"1\.\.(\d+)$", line)
        start = re.match(r"# program (\S+)", line)
        end = re.match(r"# exit (\S+) (\d+)", line)
        if start:
            program, planned, seen = start[1], None, 0
        elif result:
            seen += 1
            tap.ok(not result[1], f"{program}: {result[2]}")
        elif plan:
            planned = int(plan[1])
        elif end:
            tap.ok(seen > 0 and planned == seen,
                   f"{program}: ran to its end",
                   f"{seen} results, {planned} planned, exit status {end[2]}")
            finished.append(end[1])
        else:
            tap.note(line)
    return finished


def run_script(tap, options, script, **keywords):
    """Runs a script in a guest that runs test programs as RUN does, and gives
    their results as they come. Returns the programs that ended as they should,
    and a CompletedProcess with text. keywords: see parameters()."""
    words = [VM, *parameters(options, **keywords), *options,
             "--", "sh", "-c", script]
    lines = []
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with subprocess.Popen(words, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, stderr=errors,
                              stdout=subprocess.PIPE) as launcher:
            finished = relay(tap, (lines.append(line) or line
                                   for line in launcher.stdout))
        errors.seek(0)
        return finished, subprocess.CompletedProcess(
            words, launcher.returncode, "".join(lines), errors.read())


def run_programs(tap, names, options=(), **keywords):
    """Runs test programs one after the other in one guest with two NICs."""
    adds = []
    for name in names:
        adds += ["--add", os.path.join(PROGRAMS, name)]
    finished, done = run_script(tap, [*TWO_NICS, *options, *adds],
                                RUN % " ".join(names), **keywords)
    tap.equal(finished, names, "all programs ran")
    tap.ok(done.returncode == 0, "the guest and its kernel are well",
           f"exit status {done.returncode}", done.stderr)
