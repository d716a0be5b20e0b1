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
Without COMMAND: a root shell on the guest's console (Ctrl-A X ends QEMU). With
it: the driver is loaded, the interfaces eth0, eth1, ... are up (those on a
netdev "user" have a DHCP lease), IPv6 is off on them, and COMMAND runs as root
in /root. Its standard output and error are the launcher's, in their order when
both go to the same place; so is its standard input, unless that is a terminal,
the null device or closed. All of it is passed on as it comes.

Exit status: COMMAND's; 124 when the time was up; 125 when the launcher or the
guest failed, which a kernel panic, oops, warning or lock-up is, and a disk that
is full; 128 and the signal's number after SIGINT, SIGTERM, SIGHUP or SIGQUIT,
141 (SIGPIPE) when nobody reads the output any more.

The n-th NIC, from 0, has netdev netN, device nicN, capture device captureN.

The manual page has the rest: files out of the guest, shared folders, a folder
as the root, other kernels, disk images, environment, examples (man images/vm.1).
"""


class Parser(argparse.ArgumentParser):
    """argparse with the launcher's exit status for a bad option, and for help
    that cannot be written."""

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
    """A time limit; 0 is none."""
    value = float(text)
    if not 0 <= value < 1e6:
        raise ValueError
    return value


def time_scale():
    """By how much every limit of time is to be stretched: a debug kernel's
    checks take several times as long as what they check."""
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
    """A number of processors."""
    value = int(text)
    if not 1 <= value <= 255:
        raise ValueError
    return value


def check_variable(text):
    """Whether that is NAME=VALUE, with a name that every shell takes."""
    name, equals, value = text.partition("=")
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise Failure(f"--env {text}: the name {name!r} is not made of "
                      "letters, digits and _, with no digit at its start")
    if not equals:
        raise Failure(f"--env {text}: it has no value (--env {name}=VALUE)")
    if "\0" in value:
        raise Failure(f"--env {name}: the value has a NUL character")


def make_parser():
    """The parser of everything before "--"."""
    parser = Parser(
        prog="images/vm", usage="images/vm [options] [-- COMMAND [ARG...]]",
        description="Boot a guest whose NICs are captured, and run COMMAND.",
        epilog=EPILOG, allow_abbrev=False, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--nic", metavar="MODEL", action="append", default=[],
        help="NIC to emulate and tap, may have options (e1000,mac=...); "
             "repeatable, one capture device each; \"none\": a netdev and "
             f"its capture device with no NIC (default {DEFAULT_NIC})")
    add("--netdev", metavar="SPEC", action="append", default=[],
        help="backend of the NIC at the same position, without id= "
             f"(default {DEFAULT_NETDEV})")
    add("--no-capture", action="store_true",
        help="the NICs without capture devices, plug-in and driver")
    add("--capture-dir", metavar="DIR",
        help="write all frames of each NIC to DIR/ethN.pcapng, from the start "
             "to the end of QEMU")
    add("--console-log", metavar="FILE",
        help="write all that the guest's console says to FILE")
    add("--add", metavar="SRC[:DST]", action="append", default=[],
        help="put a host file or folder into the guest (default DST: /root)")
    add("--get", metavar="SRC[:DST]", action="append", default=[],
        help="bring a guest file or folder out after COMMAND "
             "however that ends (default DST: here)")
    add("--share", metavar="DIR[:TAG][:rw]", action="append", default=[],
        help="have a host folder in the guest, as /mnt/TAG, read-only "
             "without :rw; repeatable (default TAG: the folder's name)")
    add("--root", metavar="DIR[:rw]",
        help="run COMMAND in a host folder as its root file system, as of a "
             "Debian or a container; without :rw what the guest writes is "
             "lost")
    add("--env", metavar="NAME=VALUE", action="append", default=[],
        help="a variable in COMMAND's environment, or the shell's; "
             "repeatable")
    add("--port", metavar="[ADDRESS:]HOST:GUEST", action="append", default=[],
        help="the host's TCP port HOST leads to the guest's GUEST, on the "
             "first NIC with a netdev \"user\"; 0: a free one, which is told; "
             "repeatable (default ADDRESS: 127.0.0.1)")
    add("--timeout", metavar="SECONDS", type=seconds,
        help="end the guest after that long, 0: never "
             f"(default {DEFAULT_TIMEOUT}; never for a shell or with --gdb)")
    add("--accel", choices=("tcg", "kvm", "auto"), default="auto",
        help="auto: kvm where the processor has it, else tcg (default)")
    add("--smp", metavar="N", type=processors, default=1,
        help="number of processors (default 1)")
    add("--memory", metavar="SIZE",
        help=f"of the guest (default {DEFAULT_MEMORY}, with --disk "
             f"{DISK_MEMORY})")
    add("--arch", metavar="ARCH", default=DEFAULT_ARCH,
        help=f"processor of the guest: {', '.join(MACHINES)} (default "
             "GUEST_ARCH in the environment, or x86_64)")
    add("--qemu", metavar="PATH",
        help="QEMU to run (default qemu-system-ARCH)")
    add("--kernel", metavar="FILE",
        help="kernel to boot, of the image's release; of another one with "
             "--modules; or the build tree of a kernel, a folder (default "
             "build/images/kernel)")
    add("--modules", metavar="DIR",
        help="its modules, a folder as /lib/modules/RELEASE is")
    add("--driver", metavar="FILE",
        help="its virtio_capture.ko (default: the one in DIR, else it is "
             "built against DIR/build or the build tree)")
    add("--append", metavar="ARGS", action="append", default=[],
        help="more kernel parameters; repeatable")
    add_disk_options(add)
    add("--qmp", metavar="SOCKET",
        help="have QEMU listen for QMP on that Unix socket")
    add("--gdb", metavar="PORT|SOCKET", nargs="?", const=DEFAULT_PORT,
        help="have QEMU listen for gdb on that port of the loopback (default "
             f"{DEFAULT_PORT}), or on that Unix socket")
    add("--gdb-wait", action="store_true",
        help="the same, and nothing runs in the guest before gdb has it "
             "continue")
    add("--qemu-arg", metavar="ARG", action="append", default=[],
        help="pass ARG on to QEMU; repeatable")
    add("--help", action="help", help="show this")
    return parser


def add_disk_options(add):
    """Those for --disk."""
    add("--disk", metavar="IMAGE[,format=FORMAT]",
        help="boot that disk image, and run COMMAND in its system, whose "
             "network, driver and modules are its own (default FORMAT: by the "
             "name, else raw)")
    add("--snapshot", action="store_true",
        help="with --disk: nothing is written to IMAGE (default)")
    add("--keep", action="store_true",
        help="with --disk: what the guest writes stays in IMAGE")
    add("--firmware", choices=("bios", "uefi"),
        help="what boots IMAGE (default bios); with --kernel FILE and --append "
             "root=DEVICE that kernel does")
    add("--initrd", metavar="FILE",
        help="with --disk and --kernel: the kernel's initial file system")
    add("--via", choices=("agent", "ssh", "serial"),
        help="with --disk: how COMMAND gets into the guest (default: by the "
             "QEMU guest agent, else ssh, else root's login on the serial "
             "console)")
    add("--ssh", metavar="USER", nargs="?", const="root",
        help="the same as --via ssh, as that user (default root; another one "
             "needs sudo); without COMMAND the shell is ssh's")
    add("--ssh-key", metavar="FILE",
        help="the private key for ssh (default: those that ssh finds)")
    add("--boot-timeout", metavar="SECONDS", type=seconds,
        help="with --disk: end the guest when COMMAND has not started by "
             "then, 0: never; --timeout begins with COMMAND (default "
             f"{DEFAULT_BOOT_TIMEOUT})")


def join_values(parser, words):
    """Makes "--option value" one word, so that a value may start with "-"."""
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
    """The options; .command is a list, empty for a shell."""
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
            raise Failure(f"--netdev {spec}: the launcher gives the id "
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
            raise Failure(f"--ssh and --via {options.via}: one or the other")
        options.via = "ssh"
    options.gdb = choose_server(options.gdb, options.gdb_wait)
    options.share = choose_shares(options.share)
    options.root = Root(options) if options.root is not None else None
    options.port = choose_ports(options.port)
    options.port_nic = check_network(options.port, options.nic,
                                     options.netdev)
    return options
