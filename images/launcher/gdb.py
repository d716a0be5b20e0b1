# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's gdb server: --gdb."""
import os
import re

from .errors import Failure
from .streams import say

DEFAULT_PORT = "1234"

# gdb finds the kernel's symbols only at the address that it was linked for.
KERNEL_PARAMETERS = ("nokaslr",)


class Server:
    """Where --gdb listens: a port of the loopback, or a Unix socket."""

    def __init__(self, place, waits):
        self.waits = waits
        self.socket = None
        self.target = place
        if re.fullmatch("[0-9]+", place):
            if not 1 <= int(place) <= 65535:
                raise Failure(f"--gdb {place}: not a port (1 to 65535)")
            self.target = f"127.0.0.1:{int(place)}"
        elif not place:
            raise Failure("--gdb: the port or socket is empty")
        else:
            self.socket = os.path.abspath(place)

    def options(self, quote):
        """QEMU's options."""
        place = f"unix:{quote(self.socket)},server=on,wait=off" if self.socket \
            else f"tcp:{self.target}"
        return ["-gdb", place] + (["-S"] if self.waits else [])

    def announce(self):
        """Prints the gdb command that connects, if the guest waits for it."""
        if self.waits:
            say(f"the guest waits for gdb: target remote {self.target}")


def choose_server(place, waits):
    """The server that --gdb and --gdb-wait ask for, or None."""
    if place is None and not waits:
        return None
    return Server(DEFAULT_PORT if place is None else place, waits)
