# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of images/build."""
import argparse
import os
import re

from launcher.errors import Failure

RELEASES = ("bookworm", "trixie")
FORMATS = ("raw", "qcow2")
DEFAULT_HOSTNAME = "capture"
MIB = 1 << 20
DEFAULT_SIZE = 2048 * MIB
# A smaller disk has no room for the system.
LEAST_SIZE = 256 * MIB
MOST_SIZE = 8 << 40
UNITS = {"M": MIB, "G": MIB << 10, "T": MIB << 20}

PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
KEY_TYPE = re.compile(r"(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+$")

EPILOG = """\
The image boots by BIOS and by UEFI, in QEMU. It has systemd, OpenSSH, the QEMU
guest agent, the driver, and tcpdump, which captures through /dev/bpf. Root can
log in on the console without a password, and over SSH only with a key of
--ssh-key.

Root is not needed if the user has a range of IDs in /etc/subuid. The packages of
virtio-capture are those of "make deb".

Exit status: 0; 1 if the image could not be made; 2 if an option is wrong; 77 if
Debian's server lacks a package that its index lists; 128 and the signal's number
after SIGINT, SIGTERM, SIGHUP or SIGQUIT.

See the manual page (man images/build.1), and images/other-images.md for adding the
driver to images made by other tools.
"""


class BadOption(Failure):
    """An option or its value is wrong."""


class Parser(argparse.ArgumentParser):
    """argparse that raises BadOption."""

    def error(self, message):
        raise BadOption(f"{message} (see images/build --help)")


def size(text):
    """Return the number of bytes of a --size."""
    found = re.fullmatch(r"([0-9]{1,9})([MGT])", text)
    if not found:
        raise BadOption(f"--size {text}: not a size such as 3000M, 4G or 1T")
    value = int(found[1]) * UNITS[found[2]]
    if not LEAST_SIZE <= value <= MOST_SIZE:
        raise BadOption(f"--size {text}: not from {LEAST_SIZE // MIB}M to "
                        f"{MOST_SIZE // UNITS['T']}T")
    return value


def check_hostname(text):
    """Raise BadOption unless it is a valid host name."""
    label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    if len(text) > 64 or not re.fullmatch(rf"{label}([.]{label})*", text):
        raise BadOption(f"--hostname {text}: a host name is made of letters, "
                        "digits and hyphens, with dots between its parts, "
                        "64 characters at most")


def check_file(option, name):
    """Raise BadOption unless it is a readable file."""
    if not os.path.exists(name):
        raise BadOption(f"{option} {name}: no such file")
    if not os.path.isfile(name):
        raise BadOption(f"{option} {name}: not a file")
    if not os.access(name, os.R_OK):
        raise BadOption(f"{option} {name}: cannot be read")


def is_file_name(package):
    """Return true if --package names a file, false if a package of Debian."""
    return package.endswith(".deb") or "/" in package


def check_package(package):
    """Raise BadOption unless it can name a package, or is a package's file."""
    if not is_file_name(package):
        if not PACKAGE_NAME.fullmatch(package):
            raise BadOption(f"--package {package}: neither a package name, NAME or "
                            "NAME=VERSION, nor a file, FILE.deb")
        return
    check_file("--package", package)
    with open(package, "rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise BadOption(f"--package {package}: not a Debian package")


def read_keys(name):
    """Return the public keys in a file, a line for each."""
    check_file("--ssh-key", name)
    with open(name, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if "PRIVATE KEY-----" in text:
        raise BadOption(f"--ssh-key {name}: this is a private key; give the "
                        f"public one, {name}.pub")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    for line in lines or [""]:
        # Options may precede the type.
        if not any(KEY_TYPE.match(word) for word in line.split()[:-1]):
            raise BadOption(f"--ssh-key {name}: not a public key for SSH: "
                            f"{line[:40]!r}")
    return lines


def make_parser():
    """Return the parser of the command line."""
    parser = Parser(
        prog="images/build", usage="images/build [options] OUTPUT",
        description="Make a disk image of Debian with the driver of virtio "
                    "capture devices.", epilog=EPILOG, allow_abbrev=False,
        add_help=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("output", metavar="OUTPUT", help="the file to make")
    add("--release", metavar="NAME", choices=RELEASES, default=RELEASES[0],
        help=f"release of Debian: {' or '.join(RELEASES)} (default "
             f"{RELEASES[0]})")
    add("--package", metavar="NAME|FILE.deb", action="append", default=[],
        help="install a package with its dependencies; NAME may be NAME=VERSION; "
             "repeatable")
    add("--script", metavar="FILE", action="append", default=[],
        help="run a program in the image's system, as root, after all packages "
             "are installed; repeatable")
    add("--ssh-key", metavar="FILE", action="append", default=[],
        help="public keys that may log in as root; repeatable")
    add("--hostname", metavar="NAME", default=DEFAULT_HOSTNAME,
        help=f"host name of the system (default {DEFAULT_HOSTNAME})")
    add("--size", metavar="SIZE", default=f"{DEFAULT_SIZE // MIB}M",
        help="size of the disk, such as 3000M or 4G (default 2G); unused space "
             "takes no room in the file")
    add("--format", choices=FORMATS,
        help="format of the file (default: qcow2 if OUTPUT ends in .qcow2, else "
             "raw)")
    add("--dkms", action="store_true",
        help="let DKMS build the driver in the image, also for kernels that are "
             "installed later (default: the driver is built for the image's "
             "kernel only)")
    add("--force", action="store_true", help="replace OUTPUT if it exists")
    add("--verbose", action="store_true",
        help="show the output of the programs that make the image")
    add("--help", action="help", help="show this help")
    return parser


def parse(words):
    """Parse and check the command line. In the result, .size is in bytes, and
    .keys is a list of public keys."""
    options = make_parser().parse_args(words)
    options.size = size(options.size)
    check_hostname(options.hostname)
    for package in options.package:
        check_package(package)
    for script in options.script:
        check_file("--script", script)
    options.keys = [key for name in options.ssh_key for key in read_keys(name)]
    if options.format is None:
        options.format = "qcow2" if options.output.endswith(".qcow2") \
            else "raw"
    check_output(options.output, options.force)
    return options


def check_output(output, is_forced):
    """Raise BadOption unless the image can be written there."""
    folder = os.path.dirname(os.path.abspath(output))
    if not output or os.path.isdir(output):
        raise BadOption(f"OUTPUT {output or repr(output)}: not a file name")
    if not os.path.isdir(folder):
        raise BadOption(f"OUTPUT {output}: there is no folder {folder}")
    if os.path.lexists(output) and not os.path.isfile(output):
        raise BadOption(f"OUTPUT {output}: exists and is not a file")
    if os.path.lexists(output) and not is_forced:
        raise BadOption(f"OUTPUT {output}: exists (--force replaces it)")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadOption(f"OUTPUT {output}: {folder} cannot be written to")
