# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of QEMU's monitor, QMP."""
import json
import socket

import channel
import waiting


class Qmp:
    """A QMP session over a connected socket."""

    def __init__(self, connection):
        self.events = []
        self.channel = channel.Channel(connection)
        self._message()         # the greeting
        self("qmp_capabilities")

    @classmethod
    def connect(cls, path):
        """Returns a session with QEMU; waits until it listens on that path."""
        def attempt():
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(path))
            except OSError:
                connection.close()
                return None
            return connection
        return cls(waiting.wait_for(attempt, f"QMP on {path}"))

    def _message(self):
        return json.loads(self.channel.line())

    def raw(self, command, **arguments):
        """Executes a command; returns the whole response, even an error."""
        self.channel.send(json.dumps({
            "execute": command,
            "arguments": {name.replace("_", "-"): value
                          for name, value in arguments.items()}}) + "\n")
        while True:
            message = self._message()
            if "event" not in message:
                return message
            self.events.append(message)

    def __call__(self, command, **arguments):
        """Executes a command that must succeed; returns its result."""
        response = self.raw(command, **arguments)
        if "error" in response:
            raise RuntimeError(f"{command}: {response['error']['desc']}")
        return response["return"]

    def hmp(self, command):
        """Executes a command of the human monitor; returns its output."""
        return self("human-monitor-command", command_line=command)

    def event(self, name, **data):
        """Waits for an event with this data; removes it and returns its data."""
        while True:
            for message in self.events:
                found = message.get("data", {})
                if message["event"] == name and data.items() <= found.items():
                    self.events.remove(message)
                    return found
            self.events.append(self._message())
