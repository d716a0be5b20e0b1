# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP ports of the host that are forwarded to the guest: --port."""
import contextlib
import ipaddress
import re
import socket

from .errors import Failure, describe
from .streams import say

LOOPBACK = "127.0.0.1"


class Port:
    """One --port: the host's address and port, and the guest's port."""

    def __init__(self, spec):
        self.spec = spec
        host, _, guest = spec.rpartition(":")
        address, colon, host = host.rpartition(":")
        self.address = self._address(address) if colon else LOOPBACK
        self.host = self._number(host, 0)
        self.guest = self._number(guest, 1)

    def _number(self, text, least):
        if not re.fullmatch("[0-9]{1,5}", text) \
                or not least <= int(text) <= 65535:
            raise Failure(f"--port {self.spec}: {text!r} is not a port "
                          f"({least} to 65535)")
        return int(text)

    def _address(self, text):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise Failure(f"--port {self.spec}: {text!r} is not an IPv4 "
                          "address") from None

    def reserve(self, is_announced=True):
        """Binds the port, or for 0 a free one, and prints that; returns the
        socket.

        QEMU can listen on the port while it is bound here, because both set
        SO_REUSEADDR: then bind(2) fails only if a socket listens."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((self.address, self.host))
        except OSError as error:
            holder.close()
            raise Failure(f"--port {self.spec}: {self.address}:{self.host}: "
                          f"{describe(error)}") from None
        if not self.host:
            self.host = holder.getsockname()[1]
            if is_announced:
                say(f"{self.address}:{self.host} is forwarded to the guest's "
                    f"port {self.guest}")
        return holder


def choose_ports(specs):
    """The ports of the options --port."""
    ports = [Port(spec) for spec in specs]
    seen = {}
    for port in ports:
        key = (port.address, port.host)
        if port.host and key in seen:
            raise Failure(f"--port {port.spec}: --port {seen[key]} has the "
                          "same host port")
        seen[key] = port.spec
    return ports


def check_network(ports, nics, netdevs):
    """Returns the number of the NIC by which ports are forwarded, or None if no
    NIC can and there are no ports."""
    for number, (nic, netdev) in enumerate(zip(nics, netdevs)):
        if netdev.split(",")[0] == "user" and nic.split(",")[0] != "none":
            return number
    if ports:
        raise Failure(f"--port {ports[0].spec}: no NIC has a netdev \"user\", "
                      "which forwards a port to the guest")
    return None


@contextlib.contextmanager
def reserved(ports, own=None):
    """In this context the ports, and the launcher's own one for ssh, are bound."""
    with contextlib.ExitStack() as holders:
        for port in ports:
            holders.enter_context(port.reserve())
        if own:
            holders.enter_context(own.reserve(is_announced=False))
        yield


def netdev_options(ports):
    """The options of a netdev "user" that forward the ports."""
    return "".join(f",hostfwd=tcp:{port.address}:{port.host}-:{port.guest}"
                   for port in ports)
