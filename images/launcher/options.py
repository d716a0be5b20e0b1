# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of images/vm."""
import argparse
import os
import re

from .captures import choose_captures
from .disks import choose_disk
from .errors import Failure
from .forwards import check_network, choose_ports
from .gdb import DEFAULT_PORT, choose_server
from .machines import MACHINES, check_machine
from .shares import Root, choose_shares
from .ssh import check_key
from .streams import write_all

DEFAULT_NIC = "virtio-net-pci"
DEFAULT_ARCH = os.environ.get("GUEST_ARCH") or "x86_64"
DEFAULT_NETDEV = "user"
DEFAULT_TIMEOUT = 120
DEFAULT_MEMORY = "512M"
DISK_MEMORY = "1G"
DEFAULT_BOOT_TIMEOUT = 300

EPILOG = """\
Without COMMAND, a root shell runs on the guest's console (Ctrl-A X ends QEMU).
With COMMAND, the driver is loaded, the interfaces eth0, eth1, ... are up (those
on a netdev "user" have a DHCP lease) with IPv6 disabled, and COMMAND runs as root
in /root. Its standard output and error are passed on to the launcher's without
delay, in order when both are the same file. It reads the launcher's standard
input, unless that is a terminal, the null device or closed.

Exit status: COMMAND's; 124 if the time limit expired; 125 if the launcher or the
guest failed (a kernel panic, oops, warning or lockup, or a full disk); 128 plus
the signal's number after SIGINT, SIGTERM, SIGHUP or SIGQUIT, or 141 (SIGPIPE) if
standard output or error is a pipe without a reader.

NIC number N, from 0, has netdev netN, device nicN, capture device captureN.

For details, such as files out of the guest, shared folders, a folder as the
root, other kernels, disk images, environment, and examples: man images/vm.1
"""


class Parser(argparse.ArgumentParser):
    """argparse with the launcher's exit status for a bad option, and for a failed
    write of the help text."""

    def _print_message(self, message, file=None):
        try:
            write_all(1, message.encode())
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Failure(f"standard output: {error.strerror}") from None

    def error(self, message):
        raise Failure(f"{message} (see images/vm --help)")


def seconds(text):
    """Parses a time limit; 0 means none."""
    value = float(text)
    if not 0 <= value < 1e6:
        raise ValueError
    return value


def time_scale():
    """The factor by which all time limits are multiplied, for example because a
    debug kernel is several times as slow."""
    text = os.environ.get("TIME_SCALE") or "1"
    try:
        value = float(text)
        if not 1 <= value <= 1000:
            raise ValueError
    except ValueError:
        raise Failure(f"TIME_SCALE={text}: not a number from 1 to 1000"
                      ) from None
    return value


def processors(text):
    """Parses a number of processors."""
    value = int(text)
    if not 1 <= value <= 255:
        raise ValueError
    return value


def check_variable(text):
    """Fails if the text is not NAME=VALUE with a name that is valid in a shell."""
    name, equals, value = text.partition("=")
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise Failure(f"--env {text}: the name {name!r} does not consist of "
                      "letters, digits and _, or begins with a digit")
    if not equals:
        raise Failure(f"--env {text}: no value (--env {name}=VALUE)")
    if "\0" in value:
        raise Failure(f"--env {name}: the value has a NUL character")


def make_parser():
    """Makes the parser for the arguments before "--"."""
    parser = Parser(
        prog="images/vm", usage="images/vm [options] [-- COMMAND [ARG...]]",
        description="Boot a guest whose NICs are captured, and run COMMAND.",
        epilog=EPILOG, allow_abbrev=False, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--nic", metavar="MODEL", action="append", default=[],
        help="NIC with a capture device, and its options (e1000,mac=...); "
             "repeatable; \"none\": only a netdev and its capture device "
             f"(default {DEFAULT_NIC})")
    add("--netdev", metavar="SPEC", action="append", default=[],
        help="backend of the NIC at the same position, without id= "
             f"(default {DEFAULT_NETDEV})")
    add("--no-capture", action="store_true",
        help="leave out the capture devices, the plug-in and the driver")
    add("--capture-dir", metavar="DIR",
        help="write all frames of each NIC to DIR/ethN.pcapng, from QEMU's "
             "start to its end")
    add("--console-log", metavar="FILE",
        help="write the output of the guest's console to FILE")
    add("--add", metavar="SRC[:DST]", action="append", default=[],
        help="copy a host file or folder into the guest (default DST: /root)")
    add("--get", metavar="SRC[:DST]", action="append", default=[],
        help="copy a guest file or folder out after COMMAND, whatever ends "
             "it (default DST: the current folder)")
    add("--share", metavar="DIR[:TAG][:rw]", action="append", default=[],
        help="mount a host folder in the guest as /mnt/TAG, read-only "
             "without :rw; repeatable (default TAG: the folder's name)")
    add("--root", metavar="DIR[:rw]",
        help="run COMMAND with a host folder as its root file system, such as "
             "that of a container; without :rw, discard the guest's changes")
    add("--env", metavar="NAME=VALUE", action="append", default=[],
        help="set a variable in the environment of COMMAND or of the shell; "
             "repeatable")
    add("--port", metavar="[ADDRESS:]HOST:GUEST", action="append", default=[],
        help="forward the host's TCP port HOST to the guest's port GUEST, by "
             "the first NIC with a netdev \"user\"; 0: a free port, which "
             "is printed; repeatable (default ADDRESS: 127.0.0.1)")
    add("--timeout", metavar="SECONDS", type=seconds,
        help="time limit of the guest, 0: none (default "
             f"{DEFAULT_TIMEOUT}; none for a shell or with --gdb)")
    add("--accel", choices=("tcg", "kvm", "auto"), default="auto",
        help="auto: kvm if the host supports it, else tcg (default)")
    add("--smp", metavar="N", type=processors, default=1,
        help="number of processors (default 1)")
    add("--memory", metavar="SIZE",
        help=f"the guest's memory (default {DEFAULT_MEMORY}, with --disk "
             f"{DISK_MEMORY})")
    add("--arch", metavar="ARCH", default=DEFAULT_ARCH,
        help=f"processor of the guest: {', '.join(MACHINES)} (default "
             "GUEST_ARCH in the environment, or x86_64)")
    add("--qemu", metavar="PATH",
        help="QEMU to run (default qemu-system-ARCH)")
    add("--kernel", metavar="FILE",
        help="kernel to boot: of the image's release, or any with --modules, "
             "or the folder of a kernel's build tree (default "
             "build/images/kernel)")
    add("--modules", metavar="DIR",
        help="the kernel's modules, a folder like /lib/modules/RELEASE")
    add("--driver", metavar="FILE",
        help="the kernel's virtio_capture.ko (default: the one in DIR, else "
             "one that is built against DIR/build or the build tree)")
    add("--append", metavar="ARGS", action="append", default=[],
        help="more kernel parameters; repeatable")
    add_disk_options(add)
    add("--qmp", metavar="SOCKET",
        help="let QEMU listen for QMP on that Unix socket")
    add("--gdb", metavar="PORT|SOCKET", nargs="?", const=DEFAULT_PORT,
        help="let QEMU listen for gdb on that port of 127.0.0.1 (default "
             f"{DEFAULT_PORT}), or on that Unix socket")
    add("--gdb-wait", action="store_true",
        help="as --gdb, and do not start the guest's processor until gdb "
             "continues it")
    add("--qemu-arg", metavar="ARG", action="append", default=[],
        help="pass ARG to QEMU; repeatable")
    add("--help", action="help", help="print this text")
    return parser


def add_disk_options(add):
    """Adds --disk and the options that need it."""
    add("--disk", metavar="IMAGE[,format=FORMAT]",
        help="boot that disk image, and run COMMAND in its system, with its "
             "own network setup, driver and modules (default FORMAT: by the "
             "name's suffix, else raw)")
    add("--snapshot", action="store_true",
        help="with --disk: discard the guest's changes (default)")
    add("--keep", action="store_true",
        help="with --disk: write the guest's changes to IMAGE")
    add("--firmware", choices=("bios", "uefi"),
        help="firmware that boots IMAGE (default bios); not used with "
             "--kernel FILE --append root=DEVICE")
    add("--initrd", metavar="FILE",
        help="with --disk and --kernel: the kernel's initramfs")
    add("--via", choices=("agent", "ssh", "serial"),
        help="with --disk: how to start COMMAND (default: by the QEMU guest "
             "agent, else ssh, else root's login on the serial console)")
    add("--ssh", metavar="USER", nargs="?", const="root",
        help="as --via ssh, with that user (default root; others need sudo); "
             "without COMMAND, an interactive ssh session")
    add("--ssh-key", metavar="FILE",
        help="the private key for ssh (default: ssh's own)")
    add("--boot-timeout", metavar="SECONDS", type=seconds,
        help="with --disk: time limit until COMMAND starts, 0: none; "
             "--timeout begins when it starts (default "
             f"{DEFAULT_BOOT_TIMEOUT})")


def join_values(parser, words):
    """Joins an option and its value, so that the value may begin with "-"."""
    takes_value = {name for action in parser._actions
                   for name in action.option_strings if action.nargs is None}
    words = list(words)
    joined = []
    while words:
        word = words.pop(0)
        if word in takes_value and words:
            word += "=" + words.pop(0)
        joined.append(word)
    return joined


def parse(words):
    """Parses and checks the options; .command is a list, empty for a shell."""
    command = []
    if "--" in words:
        position = words.index("--")
        words, command = words[:position], words[position + 1:]
        if not command:
            raise Failure('no COMMAND after "--"')
    parser = make_parser()
    options, unknown = parser.parse_known_args(join_values(parser, words))
    if unknown and not unknown[0].startswith("-"):
        raise Failure(f"unexpected argument: {unknown[0]} "
                      '(COMMAND goes after "--")')
    if unknown:
        raise Failure(f"unknown option: {unknown[0]} (see images/vm --help)")
    if any("\0" in word for word in command):
        raise Failure("a word of COMMAND has a NUL character")
    for variable in options.env:
        check_variable(variable)
    options.command = command
    check_machine(options.arch, options.accel)

    for spec in options.netdev:
        if ",id=" in spec:
            raise Failure(f"--netdev {spec}: the launcher sets the id "
                          "(net0, net1, ...)")
    count = max(len(options.nic), len(options.netdev), 1)
    options.nic += [DEFAULT_NIC] * (count - len(options.nic))
    options.netdev += [DEFAULT_NETDEV] * (count - len(options.netdev))
    options.captures = choose_captures(options.capture_dir, options.nic,
                                       options.no_capture)
    options.disk = choose_disk(options)
    if options.memory is None:
        options.memory = DISK_MEMORY if options.disk else DEFAULT_MEMORY
    if options.ssh_key is not None:
        check_key(options.ssh_key)
    if options.ssh:
        if options.via not in (None, "ssh"):
            raise Failure(f"--ssh and --via {options.via} exclude each other")
        options.via = "ssh"
    options.gdb = choose_server(options.gdb, options.gdb_wait)
    options.share = choose_shares(options.share)
    options.root = Root(options) if options.root is not None else None
    options.port = choose_ports(options.port)
    options.port_nic = check_network(options.port, options.nic,
                                     options.netdev)
    return options
