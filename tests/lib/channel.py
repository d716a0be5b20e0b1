# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to QEMU, or to another program, that carries lines of text."""
import socket
import subprocess

import waiting


class Channel:
    """Lines over a connected socket."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(waiting.PATIENCE)
        self.file = connection.makefile("rb")

    @classmethod
    def start(cls, command, **keywords):
        """Starts a program; returns its process, and the channel that is its
        standard input and output."""
        ours, theirs = socket.socketpair()
        with theirs:
            return subprocess.Popen(command, stdin=theirs, stdout=theirs,
                                    **keywords), cls(ours)

    def send(self, text):
        """Sends one or several lines."""
        self.socket.sendall(text.encode())

    def line(self):
        """Receives one line."""
        try:
            line = self.file.readline()
        except TimeoutError:
            raise TimeoutError(
                f"no line after {self.socket.gettimeout()} s") from None
        if not line:
            raise EOFError("the other end has closed the connection")
        return line.decode().rstrip("\n")
