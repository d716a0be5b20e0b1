# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's machine for each processor that guests can have."""
import fcntl
import os
import platform
import re
from typing import NamedTuple

from .errors import Failure

KVM_CREATE_VM = 0xAE01
KVM_CREATE_VCPU = 0xAE41


class Machine(NamedTuple):
    """QEMU options and kernel parameters for a machine. All machines have PCI for
    virtio devices."""

    machine: str            # QEMU's -machine
    cpu: str                # QEMU's -cpu for TCG
    console: str            # the kernel's name of the -serial port
    parameters: tuple = ()  # more kernel parameters
    tcg: str = "tcg"        # QEMU's -accel for TCG
    modern: str = None      # -cpu for a system that may need more features


MACHINES = {
    "x86_64": Machine(
        # rdrand: entropy for the kernel from the start.
        "pc", "qemu64,+rdrand", "ttyS0",
        # Shorter boot: do not probe for devices that the machine does not have,
        # and do not patch lock prefixes for a single processor.
        ("i8042.noaux", "i8042.nokbd", "8250.nr_uarts=1", "no_timer_check",
         "noreplace-smp"),
        # Five-level page tables only cost time.
        modern="max,la57=off"),
    # GICv2 has 64 message interrupts for all devices, and a virtio device takes
    # one for each of its virtqueues.
    "aarch64": Machine("virt,gic-version=3", "cortex-a57", "ttyAMA0"),
    # With multi-threaded TCG, QEMU 7.2 stops delivering interrupts of PCI devices
    # after about a minute of load.
    "s390x": Machine("s390-ccw-virtio", "qemu", "ttyS1",
                     tcg="tcg,thread=single"),
}


def kvm_works():
    """Whether KVM can run a guest. In a virtual machine /dev/kvm may exist although
    the processor lacks the extension, so this tries to create a guest."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            if not re.search(r"^flags\s*:.*\b(vmx|svm)\b", cpuinfo.read(),
                             re.MULTILINE):
                return False
        kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        machine = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
        try:
            os.close(fcntl.ioctl(machine, KVM_CREATE_VCPU, 0))
        finally:
            os.close(machine)
    except OSError:
        return False
    finally:
        os.close(kvm)
    return True


def check_machine(arch, accelerator):
    """Fails if there is no such machine, or the accelerator cannot run it."""
    if arch not in MACHINES:
        raise Failure(f"--arch {arch}: not one of {', '.join(MACHINES)}")
    if accelerator == "kvm" and arch != platform.machine():
        raise Failure("--accel kvm: the host's processor is "
                      f"{platform.machine()}, the guest's is {arch}")


def choose_accelerator(wanted, arch, is_modern=False):
    """QEMU's options for the accelerator and the processor. is_modern: the system may
    need more than the baseline of the architecture."""
    if wanted == "auto":
        native = arch == platform.machine()
        wanted = "kvm" if native and kvm_works() else "tcg"
    if wanted == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    machine = MACHINES[arch]
    return ["-accel", machine.tcg,
            "-cpu", is_modern and machine.modern or machine.cpu]
