# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's command line."""
import re

from . import agent, gdb, serial
from .forwards import netdev_options
from .image import PLUGIN, choose_qemu, product
from .machines import MACHINES, choose_accelerator
from .options import time_scale
from .shares import served, share_options

KERNEL_PARAMETERS = (
    # A kernel fault reboots the guest at once, and -no-reboot then ends QEMU.
    "panic=-1", "oops=panic", "softlockup_panic=1",
    # The console gets warnings, but no less important messages.
    "quiet", "loglevel=5",
    # Shorter boot.
    "mitigations=off", "cryptomgr.notests", "random.trust_cpu=on")

# Ports whose name in the guest differs, and the port that is the serial console
# instead of a virtio port.
PORT_NAMES = {agent.Agent.name: agent.PORT}
TTY = serial.Serial.name

# NIC models without a PCI option ROM.
NO_ROM = ("usb-net", "ne2k_isa", "none")


def patience():
    """Kernel parameters that extend the kernel's time limits for a slow guest."""
    scale = time_scale()
    if scale == 1:
        return []
    return [f"rcupdate.rcu_cpu_stall_timeout={min(300, round(21 * scale))}",
            f"sysctl.kernel.watchdog_thresh={min(60, round(10 * scale))}",
            f"sysctl.kernel.hung_task_timeout_secs={round(120 * scale)}"]


def quote(text):
    """Escapes a value for use in a QEMU option."""
    return str(text).replace(",", ",,")


def nic_mac(model, number):
    """The MAC address of a NIC, and whether it is from the NIC's options."""
    match = re.search(r",mac=([^,]+)", model)
    if match:
        return match[1], True
    return f"52:54:00:12:34:{0x56 + number & 0xff:02x}", False


def nic_options(options, own_ports=()):
    """Options for each NIC with its backend and its capture device. own_ports: ports
    that are forwarded for the launcher."""
    words = []
    if any(model.startswith("usb-") for model in options.nic):
        words += ["-device", "qemu-xhci,id=usb"]
    if not options.no_capture:
        words += ["-plugin", quote(product(PLUGIN, "device"))]
    for number, (model, netdev, capture) in enumerate(
            zip(options.nic, options.netdev, options.captures)):
        if number == options.port_nic:
            netdev += netdev_options([*options.port, *own_ports])
        words += ["-netdev", f"{netdev},id=net{number}"]
        name = model.split(",")[0]
        mac, given = nic_mac(model, number)
        if not given:
            model += f",mac={mac}"
        if name not in NO_ROM and ",romfile=" not in model:
            model += ",romfile="
        if ",id=" not in model:
            model += f",id=nic{number}"
        if name != "none":
            words += ["-device", f"{model},netdev=net{number}"]
        if not options.no_capture:
            device = f"virtio-capture-pci,netdev=net{number}," \
                     f"id=capture{number}"
            if capture:
                device += capture.device_options(quote)
            words += ["-device", device]
    return words


def inherited(options):
    """The launcher's file descriptors that netdevs use (fd=N)."""
    return [int(number) for spec in options.netdev
            for number in re.findall(r"\bfds?=(\d+)", spec)]


def kernel_parameters(options):
    """Parameters for a kernel that QEMU loads."""
    machine = MACHINES[options.arch]
    return [f"console={machine.console}", *KERNEL_PARAMETERS,
            *machine.parameters, *patience(),
            *(gdb.KERNEL_PARAMETERS if options.gdb else ()), *options.append]


def boot_options(kernel, initrd, parameters):
    """Options for a kernel and an initramfs."""
    return ["-kernel", kernel, "-initrd", initrd, "-append",
            " ".join(parameters)]


# With 17 ports or more on one controller, an x86-64 guest gets no more interrupts
# after some seconds (QEMU 7.2 with TCG, Linux 6.1).
PORTS_OF_CONTROLLER = 12


def port_options(ports):
    """Options for the ports, whose sockets are file descriptors, and their
    controllers."""
    words = []
    names = [name for name in ports if name != TTY]
    for number, name in enumerate(names):
        controller, place = divmod(number, PORTS_OF_CONTROLLER)
        if not place:
            words += ["-device", f"virtio-serial-pci,id=serial{controller},"
                                 f"max_ports={PORTS_OF_CONTROLLER + 1}"]
        words += ["-chardev", f"socket,id={name},fd={ports[name]}",
                  "-device", f"virtserialport,bus=serial{controller}.0,"
                             f"chardev={name},"
                             f"name={PORT_NAMES.get(name, name)}"]
    return words


def console_options(options, console_path, ports):
    """Options for the serial console: the launcher's terminal for a shell, or the
    port TTY if there is one, or else only a file."""
    if not options.command:
        return ["-chardev", "stdio,id=console,mux=on,signal=off,"
                            f"logfile={quote(console_path)}",
                "-mon", "chardev=console"]
    if TTY in ports:
        return ["-chardev", f"socket,id=console,fd={ports[TTY]}"]
    return ["-chardev", f"file,id=console,path={quote(console_path)}"]


def command_line(options, boot, console_path, ports, own_ports=()):
    """QEMU and its arguments. boot: the arguments for the disk or the kernel;
    console_path: the file for the console's output; ports: file descriptors by
    port name."""
    machine = MACHINES[options.arch]
    words = [choose_qemu(options.qemu, f"qemu-system-{options.arch}"),
             "-name", "capture", "-nodefaults", "-no-user-config",
             "-display", "none", "-no-reboot",
             "-machine", machine.machine, "-m", options.memory,
             "-smp", str(options.smp)]
    words += choose_accelerator(options.accel, options.arch,
                                bool(options.disk))
    words += boot
    words += console_options(options, console_path, ports)
    words += ["-serial", "chardev:console"]

    words += port_options(ports)
    words += ["-object", "rng-builtin,id=rng",
              "-device", "virtio-rng-pci,rng=rng"]
    words += nic_options(options, own_ports)
    words += share_options(served(options), quote)
    if options.qmp:
        words += ["-qmp", f"unix:{quote(options.qmp)},server=on,wait=off"]
    if options.gdb:
        words += options.gdb.options(quote)
    return words + options.qemu_arg
