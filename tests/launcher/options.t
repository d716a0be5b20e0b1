#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm: valid and invalid options."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import TOP, VM, guest_file, packaged_kernel  # noqa: E402
from guest import release, vm  # noqa: E402
from tap import Tap  # noqa: E402

RELEASE = release()

# Options, and a part of the error.
BAD = (
    (["--bogus"], "unknown option: --bogus"),
    (["--nics", "e1000"], "unknown option: --nics"),
    (["word"], 'unexpected argument: word (COMMAND goes after "--")'),
    (["--smp"], "argument --smp: expected one argument"),
    (["--smp", "0"], "argument --smp: invalid"),
    (["--timeout", "soon"], "argument --timeout: invalid"),
    (["--timeout", "-1"], "argument --timeout: invalid"),
    (["--accel", "hope"], "argument --accel: invalid choice: 'hope'"),
    (["--arch", "vax"], "--arch vax: not one of x86_64, aarch64, s390x"),
    (["--arch", "s390x", "--accel", "kvm"],
     "--accel kvm: the host's processor is x86_64, the guest's is s390x"),
    (["--capture-dir", "folder"],
     "--capture-dir: not with --no-capture"),
    (["--console-log", "/no/file"],
     "--console-log /no/file: No such file or directory"),
    (["--netdev", "user,id=mine"], "--netdev user,id=mine: the launcher"),
    (["--kernel", "/no/kernel"], "--kernel /no/kernel: No such file"),
    (["--kernel", __file__], f"--kernel {__file__}: not a Linux kernel"),
    (["--qemu", "/no/qemu"], "/no/qemu"),
    (["--nic", "no-such-nic"], "'no-such-nic' is not a valid device model"),
    (["--nic", "e1000,colour=red"], "Property 'e1000.colour' not found"),
    (["--netdev", "no-such-backend"], "no-such-backend"),
    (["--memory", "lots"], "lots"),
    (["--qemu-arg", "-no-such-option"], "-no-such-option: invalid option"),
)

MACHINE = """
nproc
cat /proc/cmdline
grep MemTotal /proc/meminfo
for n in 0 1 2; do
    cat /sys/class/net/eth$n/address
    basename "$(readlink /sys/class/net/eth$n/device/driver)"
done
grep -il 0x107f /sys/bus/pci/devices/*/device | wc -l
"""


def test_bad(tap):
    for options, message in BAD:
        done = vm(["--no-capture", *options], ["true"])
        what = " ".join(options)
        tap.equal(done.returncode, 125, f"{what}: status 125")
        tap.contains(done.stderr, message, f"{what}: the error has {message!r}")


def test_no_command(tap):
    done = vm([], [])
    tap.equal((done.returncode, done.stderr),
              (125, 'images/vm: no COMMAND after "--"\n'),
              "no COMMAND after --: status 125, and an error")


def test_help(tap):
    done = vm(["--help"], ["true"])
    tap.equal(done.returncode, 0, "--help: status 0")
    for option in ("--nic MODEL", "--netdev SPEC", "--no-capture",
                   "--capture-dir DIR", "--console-log FILE",
                   "--add SRC[:DST]", "--get SRC[:DST]", "--share DIR[:TAG][:rw]",
                   "--env NAME=VALUE",
                   "--port [ADDRESS:]HOST:GUEST",
                   "--timeout SECONDS",
                   "--accel {tcg,kvm,auto}", "--arch ARCH", "--smp N",
                   "--memory SIZE",
                   "--qemu PATH", "--kernel FILE", "--modules DIR",
                   "--driver FILE", "--append ARGS",
                   "--disk IMAGE[,format=FORMAT]", "--snapshot", "--keep",
                   "--firmware {bios,uefi}", "--initrd FILE",
                   "--via {agent,ssh,serial}", "--ssh [USER]",
                   "--ssh-key FILE", "--boot-timeout SECONDS",
                   "--qmp SOCKET", "--gdb [PORT|SOCKET]", "--gdb-wait",
                   "--qemu-arg ARG"):
        tap.contains(done.stdout, option, f"--help has {option}")


def test_not_built(tap):
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        shutil.copytree(Path(TOP, "images"), tree / "images")
        for missing, error in (("image", "kernel is missing: run make image"),
                               ("device", "virtio-capture.so is missing: "
                                          "run make device")):
            done = subprocess.run([tree / "images/vm", "--", "true"],
                                  stdin=subprocess.DEVNULL, text=True,
                                  stderr=subprocess.PIPE, check=False)
            tap.equal(done.returncode, 125, f"the {missing} is not built: status 125")
            tap.contains(done.stderr, error,
                         f"the {missing} is not built: the error names the target")
            if missing == "image":
                (tree / "build").mkdir()
                (tree / "build/images").symlink_to(Path(TOP, "build/images"))


def test_other_processor(tap):
    for out, error in (
            ("build/tests", "build/tests/images/kernel is missing: run make "
                            "image GUEST_ARCH=s390x\n"),
            ("build", "--arch s390x: the image in build/images is for "
                      "x86_64\n")):
        done = subprocess.run(
            [VM, "--arch", "s390x", "--", "true"], cwd=TOP, text=True,
            env={**os.environ, "GUEST_OUT": out}, stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, check=False)
        tap.equal((done.returncode, done.stderr), (125, f"images/vm: {error}"),
                  f"--arch s390x, no image of it in {out}: status 125 and an error")


def other_kernels(folder):
    """Kernel files of both formats, patched to have another release."""
    other = RELEASE.translate(str.maketrans("0123456789", "1234567890"))
    for form, path in (
            ("ELF", Path(guest_file("images", "kernel"))),
            ("bzImage", packaged_kernel())):
        copy = folder / form
        copy.write_bytes(path.read_bytes().replace(RELEASE.encode(),
                                                   other.encode()))
        yield form, copy, other


def test_other_kernel(tap):
    with tempfile.TemporaryDirectory() as folder:
        for form, path, other in other_kernels(Path(folder)):
            done = vm(["--kernel", str(path)], ["true"])
            tap.equal(done.returncode, 125,
                      f"--kernel, {form} of another release: status 125")
            tap.contains(done.stderr, f"it is {other}",
                         f"--kernel, {form} of another release: the error names it")
            tap.contains(done.stderr, f"virtio_capture are for {RELEASE}",
                         f"--kernel, {form} of another release: the error names the image's")


def test_machine(tap):
    with tempfile.TemporaryDirectory() as folder:
        done = vm(
            ["--smp", "2", "--memory", "300M", "--append", "one=1",
             "--append", "two=2", "--nic", "e1000", "--nic",
             "virtio-net-pci,mac=52:54:00:00:00:AA", "--nic", "e1000",
             "--netdev", "user", "--netdev", "hubport,hubid=1",
             "--qmp", f"{folder}/qmp", "--qemu-arg", "-name",
             "--qemu-arg", "other"],
            ["sh", "-c", MACHINE], table=True)
    tap.equal(done.returncode, 0, "--nic three times and --smp 2: status 0")
    lines = done.stdout.splitlines() + [""] * 10
    tap.equal(lines[0], "2", "--smp 2: the guest has two processors")
    tap.ok(lines[1].endswith(" one=1 two=2"),
           "--append twice: the kernel has both parameters, in order", lines[1])
    tap.ok(200_000 < int(lines[2].split()[1]) < 300_000,
           "--memory 300M: the guest has about that much", lines[2])
    tap.equal(lines[3:9],
              ["52:54:00:12:34:56", "e1000",
               "52:54:00:00:00:aa", "virtio_net",
               "52:54:00:12:34:58", "e1000"],
              "--nic three times: eth0, eth1 and eth2 are the NICs in this order")
    tap.equal(lines[9], "3", "--nic three times: three capture devices")


def test_no_capture(tap):
    done = vm(["--no-capture"],
              ["sh", "-c", "cat /sys/bus/pci/devices/*/device; ls /dev"])
    tap.contains(done.stdout, "0x1000", "--no-capture: the guest has a NIC")
    tap.ok("0x107f" not in done.stdout, "--no-capture: the guest has no capture device")
    tap.ok("bpf" not in done.stdout.split(), "--no-capture: the guest has no /dev/bpf")


def test_own_kernel(tap):
    done = vm(["--no-capture", "--kernel", str(packaged_kernel())],
              ["uname", "-r"])
    tap.equal((done.returncode, done.stdout), (0, RELEASE + "\n"),
              "--kernel with Debian's own file of the image's release: it boots")


tap = Tap()
tap.run(test_bad, test_no_command, test_help, test_not_built,
        test_other_processor, test_other_kernel, test_machine,
        test_no_capture, test_own_kernel)
sys.exit(tap.done())
