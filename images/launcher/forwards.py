# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP ports of the host that lead into the guest: --port."""
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
            raise Failure(f"--port {self.spec}: {text!r} is no port "
                          f"({least} to 65535)")
        return int(text)

    def _address(self, text):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise Failure(f"--port {self.spec}: {text!r} is no IPv4 address"
                          ) from None

    def reserve(self, tells=True):
        """Takes the port, or a free one for 0, which it tells; returns the
        socket.

        QEMU listens on the port while the launcher has it: with SO_REUSEADDR,
        which it sets too, only a second listener is refused."""
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
            if tells:
                say(f"{self.address}:{self.host} leads to the guest's port "
                    f"{self.guest}")
        return holder


def choose_ports(specs):
    """What the options --port name."""
    ports = [Port(spec) for spec in specs]
    seen = {}
    for port in ports:
        key = (port.address, port.host)
        if port.host and key in seen:
            raise Failure(f"--port {port.spec}: --port {seen[key]} has the "
                          "same port of the host")
        seen[key] = port.spec
    return ports


def check_network(ports, nics, netdevs):
    """Whether there is a NIC by which the ports can lead into the guest:
    its number."""
    for number, (nic, netdev) in enumerate(zip(nics, netdevs)):
        if netdev.split(",")[0] == "user" and nic.split(",")[0] != "none":
            return number
    if ports:
        raise Failure(f"--port {ports[0].spec}: no NIC has a netdev \"user\", "
                      "which leads into the guest")
    return None


@contextlib.contextmanager
def reserved(ports, own=None):
    """In this context the ports, and the launcher's own one, are nobody
    else's."""
    with contextlib.ExitStack() as holders:
        for port in ports:
            holders.enter_context(port.reserve())
        if own:
            holders.enter_context(own.reserve(tells=False))
        yield


def netdev_options(ports):
    """What a netdev "user" is told."""
    return "".join(f",hostfwd=tcp:{port.address}:{port.host}-:{port.guest}"
                   for port in ports)
