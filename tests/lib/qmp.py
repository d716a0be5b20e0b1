# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of QEMU's monitor."""
import json
import socket

from qtest import Channel, wait_for


class Qmp:
    """A connection to a QEMU that listens for QMP on a Unix socket."""

    def __init__(self, path):
        self.events = []
        self.channel = Channel(wait_for(lambda: self._connect(path),
                                        f"QMP on {path}"))
        self._message()         # the greeting
        self("qmp_capabilities")

    @staticmethod
    def _connect(path):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            return None
        return connection

    def _message(self):
        return json.loads(self.channel.line())

    def __call__(self, command, **arguments):
        """A command that must succeed; gives what it returns."""
        self.channel.send(json.dumps({
            "execute": command,
            "arguments": {name.replace("_", "-"): value
                          for name, value in arguments.items()}}) + "\n")
        while True:
            message = self._message()
            if "error" in message:
                raise RuntimeError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            self.events.append(message)

    def hmp(self, command):
        """A command of the human monitor; gives its output."""
        return self("human-monitor-command", command_line=command)

    def event(self, name, **data):
        """Waits for an event that has this data, and takes it."""
        while True:
            for message in self.events:
                if message["event"] == name and \
                        data.items() <= message.get("data", {}).items():
                    self.events.remove(message)
                    return
            self.events.append(self._message())
