# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's server for gdb: --gdb."""
import os
import re

from .errors import Failure
from .streams import say

DEFAULT_PORT = "1234"

# Symbols are of no use for a kernel that has moved to a random address.
KERNEL_PARAMETERS = ("nokaslr",)


class Server:
    """What --gdb names: a port of the loopback, or a Unix socket."""

    def __init__(self, place, waits):
        self.waits = waits
        self.socket = None
        self.target = place
        if re.fullmatch("[0-9]+", place):
            if not 1 <= int(place) <= 65535:
                raise Failure(f"--gdb {place}: no port (1 to 65535)")
            self.target = f"127.0.0.1:{int(place)}"
        elif not place:
            raise Failure("--gdb: neither a port nor a socket's name")
        else:
            self.socket = os.path.abspath(place)

    def options(self, quote):
        """What QEMU is told."""
        place = f"unix:{quote(self.socket)},server=on,wait=off" if self.socket \
            else f"tcp:{self.target}"
        return ["-gdb", place] + (["-S"] if self.waits else [])

    def tell(self):
        """Tells that the guest waits, and how to go on."""
        if self.waits:
            say(f"the guest waits for gdb: target remote {self.target}")


def choose_server(place, waits):
    """The server that --gdb and --gdb-wait ask for, or None."""
    if place is None and not waits:
        return None
    return Server(DEFAULT_PORT if place is None else place, waits)
