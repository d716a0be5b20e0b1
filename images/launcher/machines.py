# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines that guests run on, by the name of their processor."""
import fcntl
import os
import platform
import re
from typing import NamedTuple

from .errors import Failure

KVM_CREATE_VM = 0xAE01
KVM_CREATE_VCPU = 0xAE41


class Machine(NamedTuple):
    """What QEMU and the guest's kernel are told of one kind of machine. All of
    them have PCI, and virtio devices there."""

    machine: str            # QEMU's -machine
    cpu: str                # QEMU's -cpu, when it emulates it
    console: str            # the kernel's name of what -serial connects
    parameters: tuple = ()  # more for the kernel
    tcg: str = "tcg"        # QEMU's -accel, when it emulates the processor
    modern: str = None      # QEMU's -cpu for a system that may be built for more


MACHINES = {
    "x86_64": Machine(
        # rdrand: the kernel has random numbers from the start.
        "pc", "qemu64,+rdrand", "ttyS0",
        # Shorter boot: no probing for what the machine does not have. Nor a
        # change of every locked instruction for a single processor.
        ("i8042.noaux", "i8042.nokbd", "8250.nr_uarts=1", "no_timer_check",
         "noreplace-smp"),
        # Page tables of five levels only cost time.
        modern="max,la57=off"),
    # With version 2 of its interrupt controller it has 64 message interrupts for
    # all devices, and a virtio device takes one for each of its queues.
    "aarch64": Machine("virt,gic-version=3", "cortex-a57", "ttyAMA0"),
    # With a thread for each processor, QEMU 7.2 stops delivering interrupts of PCI
    # devices after a minute or so of load.
    "s390x": Machine("s390-ccw-virtio", "qemu", "ttyS1",
                     tcg="tcg,thread=single"),
}


def kvm_works():
    """Whether KVM can run a guest. /dev/kvm alone does not tell: in a virtual
    machine it may be there while the processor's own support is not."""
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
    """Whether there is such a machine, and the accelerator can run it."""
    if arch not in MACHINES:
        raise Failure(f"--arch {arch}: there are no guests of that processor, "
                      f"only of {', '.join(MACHINES)}")
    if accelerator == "kvm" and arch != platform.machine():
        raise Failure("--accel kvm: this machine's processor is "
                      f"{platform.machine()}, the guest's is {arch}")


def choose_accelerator(wanted, arch, is_modern=False):
    """The options for the accelerator and a processor that goes with it.
    is_modern: the system may need more than the oldest processor has."""
    if wanted == "auto":
        native = arch == platform.machine()
        wanted = "kvm" if native and kvm_works() else "tcg"
    if wanted == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    machine = MACHINES[arch]
    return ["-accel", machine.tcg,
            "-cpu", is_modern and machine.modern or machine.cpu]
