# SPDX-License-Identifier: GPL-2.0-or-later
"""Netdevs whose other end is the test's."""
import fcntl
import select
import socket
import termios

import waiting
from folders import scratch


def link(folder=None):
    """
    A netdev whose other end is a socket of the test, one datagram a frame.

    Gives the option for -netdev, without the ID, and the socket.
    """
    folder = folder or scratch()
    ours, theirs = folder / "test", folder / "qemu"
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.bind(str(ours))
    end.settimeout(waiting.PATIENCE)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    option = (f"dgram,local.type=unix,local.path={theirs},"
              f"remote.type=unix,remote.path={ours}")
    return option, Link(end, theirs)


class Link:
    """The test's end of a netdev."""

    def __init__(self, end, peer):
        self.socket = end
        self.peer = str(peer)

    def send(self, *frames):
        """Frames on their way to the NIC."""
        for frame in frames:
            self.socket.sendto(frame, self.peer)

    def wait_taken(self):
        """Waits until QEMU has taken all that was sent."""
        waiting.wait_for(lambda: not any(fcntl.ioctl(
            self.socket, termios.TIOCOUTQ, bytes(4))), "room in the socket")

    def receive(self):
        """The next frame that the NIC sent."""
        return self.socket.recv(1 << 17)

    def empty(self):
        """Whether no frame waits."""
        return not select.select([self.socket], [], [], 0)[0]
