# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of libvirt-capture(8)."""
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

# The directory of this program, with symbolic links resolved.
HERE = Path(__file__).resolve().parents[1]

# Where the plug-in is: relative to an installed program, or in the source tree.
PLUGINS = (HERE.parent / "qemu" / PLUGIN,
           HERE.parent / "build" / "qemu-device" / PLUGIN)

APPARMOR = Path("/etc/apparmor.d")
PROFILE = "abstractions/libvirt-qemu"
# Paths that Debian's profile already allows QEMU to map.
ALLOWED = re.compile(r"/usr/(lib|lib64|lib/[a-z0-9_]+-linux-gnu)/qemu/[^/]+\.so")


def say(text):
    """Prints a message to the user."""
    print(f"libvirt-capture: {text}", file=sys.stderr)


def virsh(uri, *words):
    """Runs virsh; returns its output as bytes."""
    connect = ["--connect", uri] if uri else []
    try:
        done = subprocess.run(["virsh", "--quiet", *connect, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
    except OSError as error:
        raise Failure(f"cannot run virsh: {error.strerror} (install Debian's "
                      "package libvirt-clients)") from None
    if done.returncode:
        raise Failure(f"virsh {words[0]}: "
                      + done.stderr.decode(errors="replace").strip())
    return done.stdout


def read_xml(options):
    """The domain's XML, from libvirt, a file or standard input."""
    if options.domain:
        # Without passwords in the XML, "virsh define" would delete them.
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
    """The path of the plug-in: from the option, from the domain's XML, or the
    one that belongs to this program."""
    if loaded and not options.plugin:
        return loaded
    if options.connect and urlsplit(options.connect).hostname:
        if not options.plugin:
            raise Failure("--plugin is missing: the path on the other host")
        return options.plugin
    places = [options.plugin] if options.plugin else PLUGINS
    for path in map(os.path.abspath, places):
        if os.path.basename(path) != PLUGIN:
            raise Failure(f"--plugin {path}: its name must be {PLUGIN}")
        if os.path.isfile(path):
            return path
    raise Failure(f"there is no plug-in {' or '.join(map(str, places))}: build "
                  "it with make device, and give its path with --plugin")


def warn_access(plugin, uri):
    """Warns if QEMU may not be able to load the plug-in when libvirt's system
    daemon runs it."""
    parts = urlsplit(uri or "")
    if parts.hostname or parts.path == "/session":
        return
    for path in (Path(plugin), *Path(plugin).parents):
        wanted = 0o1 if path.is_dir() else 0o4
        if path.exists() and not path.stat().st_mode & wanted:
            say(f"{path} is not accessible to all users; libvirt usually runs "
                "QEMU as another user")
            break
    local = APPARMOR / "local" / PROFILE
    if (APPARMOR / PROFILE).exists() and not ALLOWED.fullmatch(plugin) and not (
            local.exists() and plugin in local.read_text()):
        say("AppArmor does not let QEMU load the plug-in unless this line is in "
            f"{local}:\n  {plugin} mr,")


def parse(words):
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        prog="libvirt-capture", description="Adds capture devices to a libvirt "
        "domain, or removes them, and prints its XML; see libvirt-capture(8).")
    parser.add_argument("domain", nargs="?", metavar="DOMAIN",
                        help="the domain's name, UUID or ID")
    parser.add_argument("--xml", metavar="FILE",
                        help="read its XML from FILE; -: standard input")
    parser.add_argument("--nic", action="append", default=[], metavar="NIC",
                        help="an interface: its number from 0, its MAC address "
                        "or its alias (default: all)")
    parser.add_argument("--remove", action="store_true",
                        help="remove the capture devices, and undo all changes")
    parser.add_argument("--define", action="store_true",
                        help="define the domain with the XML instead of printing "
                        "it")
    parser.add_argument("--single-queue", action="store_true",
                        help="reduce interfaces with several queues to one")
    parser.add_argument("--plugin", metavar="PATH",
                        help=f"path of {PLUGIN}, built for libvirt's QEMU")
    parser.add_argument("-c", "--connect", metavar="URI",
                        help="the connection, as for virsh")
    options = parser.parse_args(words)
    if bool(options.domain) == bool(options.xml):
        parser.error("either DOMAIN or --xml must be given")
    return options


def change(options):
    """Reads the XML, and returns the changed XML."""
    domain = Domain(read_xml(options))
    interfaces = domain.choose(options.nic)
    if options.remove:
        domain.remove(interfaces)
    else:
        plugin = find_plugin(options, domain.plugin())
        domain.add(interfaces, plugin, options.single_queue)
        warn_access(plugin, options.connect)
    return domain.document.text()


def main(words):
    """Runs the program; returns the exit status."""
    options = parse(words)
    try:
        xml = change(options)
        if options.define:
            with tempfile.NamedTemporaryFile(suffix=".xml") as file:
                file.write(xml)
                file.flush()
                virsh(options.connect, "define", file.name)
            say("the domain is defined; changes take effect at its next start")
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
