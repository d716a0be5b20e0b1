# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs test programs in a guest, and reports their TAP results."""
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
VM = os.path.join(TOP, "images", "vm")
# The guest's processor, programs, image and driver: see the Makefile and
# images/arch.mk.
ARCH = os.environ.get("GUEST_ARCH") or "x86_64"
BUILD = os.path.join(TOP, "build", "" if ARCH == "x86_64" else ARCH)
PROGRAMS = os.path.join(BUILD, "tests", "guest")
GUEST = os.path.join(TOP, os.environ.get("GUEST_OUT") or BUILD)
# A big-endian driver fills all buffers itself. Linux has no JIT compiler for the
# oldest s390x machines, for which Debian's kernel is built.
BIG_ENDIAN = ARCH == "s390x"
FILTER_ENGINE = "kernel" if ARCH == "s390x" else "jit"
# The folder of files that depend on QEMU, also see there.
DEVICE_OUT = os.path.join(TOP, "build", os.environ.get("QEMU_RELEASE") or "")
# The factor of time limits: see images/vm.1.
TIME_SCALE = float(os.environ.get("TIME_SCALE") or "1")

# Two NICs on one hub: each receives what the other sends. Without IPv6, whose frames
# would mix with those of the tests.
TWO_NICS = ["--nic", "virtio-net-pci", "--netdev", "hubport,hubid=0",
            "--nic", "virtio-net-pci", "--netdev", "hubport,hubid=0",
            "--append", "ipv6.disable=1"]

# Each time that Linux enables a PCI device, it evaluates QEMU's whole ACPI table of
# interrupt pins, which takes a sixth of a second under TCG. With this it does not use
# the table, but then finds interrupts only of devices that exist at boot.
NO_TABLE = ["--append", "acpi=noirq"] if ARCH == "x86_64" else []

# A debug kernel takes ten times as long to interpret ACPI code, and kmemleak doubles
# its work and then scans for a minute, so both are off in tests that do not need them.
# Without ACPI there is only one processor, and Linux needs the address of the power
# management timer, without which it would count ticks as its clock and lose many.
NO_ACPI = ["--append", "acpi=off pmtmr=0x608"]
NO_LEAKS = ["--append", "kmemleak=off"]

# More kernel parameters for all guests, such as virtio_capture.offload=1.
MORE = os.environ.get("GUEST_APPEND")
APPEND = ["--append", MORE] if MORE else []

# For the same reason, Linux must not check the TSC by its ticks.
TRUST_CLOCK = ["--append", "tsc=reliable"]

# Sets TIME_SCALE for guest.h, runs each program and prints its exit status.
RUN = f"export TIME_SCALE={TIME_SCALE:g}; " \
    "for p in %s; do echo \"# program $p\"; /root/$p; echo \"# exit $p $?\"; done"


def guest_file(*names):
    """Returns the path of a file that make has built for the guest."""
    return os.path.join(GUEST, *names)


def release():
    """Returns the release of the guest's kernel."""
    with open(guest_file("images", "release"), encoding="ascii") as file:
        return file.read().split()[0]


def kernel_module(path):
    """Returns the path of a module of the guest's kernel, given the path below
    kernel/; it may not exist. A compressed module, as later kernels of Debian have,
    is decompressed to a copy."""
    there = guest_file("images", "lib", "modules", release(), "kernel", path)
    if os.path.exists(there) or not os.path.exists(f"{there}.xz"):
        return there
    copy = Path(guest_file("tests", "modules", release(), Path(path).name))
    copy.parent.mkdir(parents=True, exist_ok=True)
    # Renamed, as other tests may make or read it at the same time.
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        Path(folder, "ko").write_bytes(lzma.open(f"{there}.xz").read())
        os.replace(Path(folder, "ko"), copy)
    return str(copy)


def packaged_kernel():
    """Returns the path of the guest's kernel in Debian's package."""
    name = release()
    downloads = Path(TOP, "build", "downloads")
    return next(path for pattern in (
        f"linux-image-{name}_*/boot/vmlinuz-{name}",
        f"kernels/{name}/image/boot/vmlinuz-{name}",
        f"kernels/{name}/image/usr/lib/modules/{name}/vmlinuz")
        for path in downloads.glob(pattern))


def build_module(source):
    """Builds a module of one file for the guest's kernel and returns its path.
    Several tests may do so at the same time."""
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
    """Returns whether the guest's kernel is that of images/guest/debug-kernel."""
    return release().endswith("-debug")


def parameters(options, table=False, acpi=False, leaks=False):
    """Returns options of images/vm, in addition to the given ones, that make a guest
    fast. table: it needs ACPI's table of interrupt pins (not with a debug kernel);
    acpi: it needs the rest of ACPI, for hot-plug or suspend to memory; leaks: a debug
    kernel looks for leaks."""
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
    """Reports the results of each program, prefixed by its name; returns the names
    of the programs that have ended."""
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
                   f"{program}: the program runs to its end",
                   f"{seen} results, {planned} planned, exit status {end[2]}")
            finished.append(end[1])
        else:
            tap.note(line)
    return finished


def run_script(tap, options, script, **keywords):
    """Runs a script in a guest that runs test programs as RUN does, and reports
    their results as they arrive. Returns the names of the programs that have ended,
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
    """Runs test programs one after another in one guest with two NICs."""
    adds = []
    for name in names:
        adds += ["--add", os.path.join(PROGRAMS, name)]
    finished, done = run_script(tap, [*TWO_NICS, *options, *adds],
                                RUN % " ".join(names), **keywords)
    tap.equal(finished, names, "the guest runs all programs")
    tap.ok(done.returncode == 0, "the guest's kernel reports no error",
           f"exit status {done.returncode}", done.stderr)
