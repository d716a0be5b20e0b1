# SPDX-License-Identifier: GPL-2.0-or-later
"""Netdevs whose backend is the test."""
import fcntl
import select
import socket
import termios

import waiting
from folders import scratch


def link(folder=None):
    """
    Makes a netdev whose backend is a socket of the test, with a datagram for each
    frame. Returns the option for -netdev, without the ID, and the Link.
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
        """Sends frames to the NIC."""
        for frame in frames:
            self.socket.sendto(frame, self.peer)

    def wait_taken(self):
        """Waits until QEMU has received all frames."""
        waiting.wait_for(lambda: not any(fcntl.ioctl(
            self.socket, termios.TIOCOUTQ, bytes(4))), "room in the socket")

    def receive(self):
        """Receives the next frame that the NIC has sent."""
        return self.socket.recv(1 << 17)

    def empty(self):
        """Returns whether there is no frame to receive."""
        return not select.select([self.socket], [], [], 0)[0]
