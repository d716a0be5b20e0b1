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
The image boots by BIOS and by UEFI, in QEMU. It has systemd, OpenSSH, QEMU's
guest agent, tcpdump, the driver, and the libpcap for /dev/bpf: in it, tcpdump
captures through /dev/bpf. Root logs in on the console without a password, over
SSH with a key of --ssh-key only.

Root is not needed, where the user has a range of IDs in /etc/subuid. Packages of
virtio-capture are those of "make deb".

Exit status: 0; 1 when there is no image; 2 for a bad option; 77 when Debian's
server lacks a package that its list has; 128 and the signal's number after
SIGINT, SIGTERM, SIGHUP or SIGQUIT.

The manual page has the rest (man images/build.1), images/other-images.md how the
driver gets into images that are made otherwise.
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
        raise BadOption(f"--size {text}: no size, as 3000M, 4G or 1T")
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
        raise BadOption(f"{option} {name}: it cannot be read")


def is_file_name(package):
    """Return true if --package names a file, false if a package of Debian."""
    return package.endswith(".deb") or "/" in package


def check_package(package):
    """Raise BadOption unless it can name a package, or is a package's file."""
    if not is_file_name(package):
        if not PACKAGE_NAME.fullmatch(package):
            raise BadOption(f"--package {package}: no name of a package, as "
                            "NAME or NAME=VERSION, and no file, as FILE.deb")
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
            raise BadOption(f"--ssh-key {name}: no public key for SSH: "
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
    add("output", metavar="OUTPUT", help="the image's file")
    add("--release", metavar="NAME", choices=RELEASES, default=RELEASES[0],
        help=f"of Debian: {' or '.join(RELEASES)} (default {RELEASES[0]})")
    add("--package", metavar="NAME|FILE.deb", action="append", default=[],
        help="install it, with what it depends on; NAME may be NAME=VERSION; "
             "repeatable")
    add("--script", metavar="FILE", action="append", default=[],
        help="run it in the image's system, as root, when all is installed; "
             "repeatable")
    add("--ssh-key", metavar="FILE", action="append", default=[],
        help="public key that may log in as root; repeatable")
    add("--hostname", metavar="NAME", default=DEFAULT_HOSTNAME,
        help=f"of the system (default {DEFAULT_HOSTNAME})")
    add("--size", metavar="SIZE", default=f"{DEFAULT_SIZE // MIB}M",
        help="of the disk, as 3000M or 4G (default 2G); what is not used of it "
             "takes no room in the file")
    add("--format", choices=FORMATS,
        help="of the file (default: qcow2 if OUTPUT ends in .qcow2, else raw)")
    add("--dkms", action="store_true",
        help="have DKMS build the driver, in the image now and for each kernel "
             "that is installed later; else it is for the kernel that there is")
    add("--force", action="store_true", help="replace OUTPUT if it is there")
    add("--verbose", action="store_true",
        help="show what the programs print that do the work")
    add("--help", action="help", help="show this")
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
        raise BadOption(f"OUTPUT {output or repr(output)}: not the name of a "
                        "file")
    if not os.path.isdir(folder):
        raise BadOption(f"OUTPUT {output}: there is no folder {folder}")
    if os.path.lexists(output) and not os.path.isfile(output):
        raise BadOption(f"OUTPUT {output}: it is there, and is no file")
    if os.path.lexists(output) and not is_forced:
        raise BadOption(f"OUTPUT {output}: it is there (--force replaces it)")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadOption(f"OUTPUT {output}: {folder} cannot be written to")
