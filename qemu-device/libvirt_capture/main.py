# SPDX-License-Identifier: GPL-2.0-or-later
"""From the command line to the exit status."""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from . import Failure
from .domain import PLUGIN, Domain

# Of this program, where it really is.
HERE = Path(__file__).resolve().parents[1]

# Beside an installed program, and in the tree that has the sources.
PLUGINS = (HERE.parent / "qemu" / PLUGIN,
           HERE.parent / "build" / "qemu-device" / PLUGIN)

APPARMOR = Path("/etc/apparmor.d")
PROFILE = "abstractions/libvirt-qemu"
# What that lets QEMU map as Debian has it.
ALLOWED = re.compile(r"/usr/(lib|lib64|lib/[a-z0-9_]+-linux-gnu)/qemu/[^/]+\.so")


def say(text):
    """A message for the user."""
    print(f"libvirt-capture: {text}", file=sys.stderr)


def virsh(uri, *words):
    """Runs virsh; gives its output as bytes."""
    connect = ["--connect", uri] if uri else []
    try:
        done = subprocess.run(["virsh", "--quiet", *connect, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
    except OSError as error:
        raise Failure(f"cannot run virsh: {error.strerror} (Debian has it in "
                      "libvirt-clients)") from None
    if done.returncode:
        raise Failure(f"virsh {words[0]}: "
                      + done.stderr.decode(errors="replace").strip())
    return done.stdout


def read_xml(options):
    """The domain's XML, from where the user wants it."""
    if options.domain:
        # A domain that is defined without its passwords loses them.
        secrets = ["--security-info"] if options.define else []
        return virsh(options.connect, "dumpxml", "--inactive", *secrets,
                     "--domain", options.domain)
    try:
        if options.xml == "-":
            return sys.stdin.buffer.read()
        return Path(options.xml).read_bytes()
    except OSError as error:
        raise Failure(f"--xml {options.xml}: {error.strerror}") from None


def find_plugin(options, loaded):
    """The path of the plug-in: what the user wants, what the domain loads
    already, or one that is beside this program."""
    if loaded and not options.plugin:
        return loaded
    if options.connect and urlsplit(options.connect).hostname:
        if not options.plugin:
            raise Failure("--plugin is missing: its path on the other host")
        return options.plugin
    places = [options.plugin] if options.plugin else PLUGINS
    for path in map(os.path.abspath, places):
        if os.path.basename(path) != PLUGIN:
            raise Failure(f"--plugin {path}: its name must be {PLUGIN}")
        if os.path.isfile(path):
            return path
    raise Failure(f"there is no plug-in {' or '.join(map(str, places))}: build "
                  "it with make device, and name it with --plugin")


def tell_access(plugin, uri):
    """Tells what may keep a system's QEMU from the plug-in."""
    parts = urlsplit(uri or "")
    if parts.hostname or parts.path == "/session":
        return
    for path in (Path(plugin), *Path(plugin).parents):
        wanted = 0o1 if path.is_dir() else 0o4
        if path.exists() and not path.stat().st_mode & wanted:
            say(f"{path} is not open to all users; libvirt's QEMU usually runs "
                "as another one")
            break
    local = APPARMOR / "local" / PROFILE
    if (APPARMOR / PROFILE).exists() and not ALLOWED.fullmatch(plugin) and not (
            local.exists() and plugin in local.read_text()):
        say("with AppArmor, QEMU may load the plug-in once there is this line in "
            f"{local}:\n  {plugin} mr,")


def parse(words):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="libvirt-capture", description="Adds capture devices to a libvirt "
        "domain, or removes them, and prints its XML; see libvirt-capture(8).")
    parser.add_argument("domain", nargs="?", metavar="DOMAIN",
                        help="the domain's name, UUID or ID")
    parser.add_argument("--xml", metavar="FILE",
                        help="take its XML from a file; -: the standard input")
    parser.add_argument("--nic", action="append", default=[], metavar="NIC",
                        help="an interface: its number from 0, its MAC address "
                        "or its alias (default: all)")
    parser.add_argument("--remove", action="store_true",
                        help="remove what was added")
    parser.add_argument("--define", action="store_true",
                        help="give the XML to libvirt, and do not print it")
    parser.add_argument("--single-queue", action="store_true",
                        help="leave one queue to interfaces that have several")
    parser.add_argument("--plugin", metavar="PATH",
                        help=f"{PLUGIN}, built for libvirt's QEMU")
    parser.add_argument("-c", "--connect", metavar="URI",
                        help="the connection, as for virsh")
    options = parser.parse_args(words)
    if bool(options.domain) == bool(options.xml):
        parser.error("either DOMAIN or --xml must be given")
    return options


def change(options):
    """Reads the XML, and gives it as it is to be."""
    domain = Domain(read_xml(options))
    interfaces = domain.choose(options.nic)
    if options.remove:
        domain.remove(interfaces)
    else:
        plugin = find_plugin(options, domain.plugin())
        domain.add(interfaces, plugin, options.single_queue)
        tell_access(plugin, options.connect)
    return domain.document.text()


def main(words):
    """Runs the program; gives the exit status."""
    options = parse(words)
    try:
        xml = change(options)
        if options.define:
            with tempfile.NamedTemporaryFile(suffix=".xml") as file:
                file.write(xml)
                file.flush()
                virsh(options.connect, "define", file.name)
            say("it is defined, for the domain's next start")
        else:
            sys.stdout.buffer.write(xml)
            sys.stdout.flush()
    except Failure as error:
        say(error)
        return 1
    except OSError as error:
        say(f"{error.filename or 'output'}: {error.strerror}")
        return 1
    return 0
