# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to QEMU that carries lines of text."""
import waiting


class Channel:
    """Lines over a connected socket."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(waiting.PATIENCE)
        self.file = connection.makefile("rb")

    def send(self, text):
        """Sends one or several lines."""
        self.socket.sendall(text.encode())

    def line(self):
        """Receives one line."""
        line = self.file.readline()
        if not line:
            raise EOFError("QEMU has closed the connection")
        return line.decode().rstrip("\n")
