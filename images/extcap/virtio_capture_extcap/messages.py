# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of QMP and of the guest agent: JSON over a Unix socket. The peer is
untrusted: answers are limited in size and time."""
import json
import os
import random
import socket
import time

from .errors import Failure, describe, plain

CHUNK = 1 << 16


class Channel:
    """A connection, on which commands are answered in their order. name: for
    messages; most: the largest answer in bytes; patience: seconds to wait for
    an answer."""

    def __init__(self, name, path, most, patience):
        self.name = f"{name} {plain(path)}"
        self._most = most
        self._patience = patience
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            # By a descriptor, as the path may be too long for a socket address.
            folder, base = os.path.split(os.path.abspath(path))
            descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            try:
                self._socket.settimeout(patience)
                self._socket.connect(f"/proc/self/fd/{descriptor}/{base}")
            finally:
                os.close(descriptor)
        except OSError as error:
            self._socket.close()
            raise Failure(f"{self.name}: {describe(error)}") from None

    def close(self):
        """Close the connection."""
        self._socket.close()

    def line(self, separator=b"\n"):
        """Receive up to the separator."""
        end = time.monotonic() + self._patience
        while separator not in self._rest:
            if len(self._rest) > self._most:
                raise Failure(f"{self.name}: an answer has more than "
                              f"{self._most} bytes")
            try:
                self._socket.settimeout(max(end - time.monotonic(), 0.001))
                data = self._socket.recv(CHUNK)
            except TimeoutError:
                raise Failure(f"{self.name}: no answer in {self._patience} s: "
                              "another client is connected, or the server is "
                              "not running") from None
            except OSError as error:
                raise Failure(f"{self.name}: {describe(error)}") from None
            if not data:
                raise Failure(f"{self.name}: the connection was closed")
            self._rest += data
        line, self._rest = self._rest.split(separator, 1)
        return line

    def message(self):
        """Receive the next message."""
        try:
            message = json.loads(self.line())
        except (ValueError, RecursionError):
            raise Failure(f"{self.name}: the answer is not JSON") from None
        if not isinstance(message, dict):
            raise Failure(f"{self.name}: the answer is not a JSON object")
        return message

    def send(self, data):
        """Send bytes."""
        try:
            self._socket.settimeout(self._patience)
            self._socket.sendall(data)
        except OSError as error:
            raise Failure(f"{self.name}: {describe(error)}") from None

    def ask(self, command, **arguments):
        """Send a command and return the value of its answer. Events before the
        answer are ignored."""
        self.send(json.dumps({"execute": command, "arguments": arguments}
                             ).encode() + b"\n")
        message = self.message()
        while "event" in message:
            message = self.message()
        if "return" not in message:
            raise Refused(self.name, command, message.get("error"))
        return message["return"]


class Refused(Failure):
    """The peer answered a command with an error."""

    def __init__(self, name, command, error):
        text = error.get("desc") if isinstance(error, dict) else error
        super().__init__(f"{name}: {command}: {plain(str(text))}")


class Qmp(Channel):
    """A connection to QEMU."""

    def __init__(self, path):
        super().__init__("QMP socket", path, 1 << 22, 10)
        if "QMP" not in self.message():
            raise Failure(f"{self.name}: the server sends no QMP greeting")
        self.ask("qmp_capabilities")

    def properties(self, path):
        """Return an object's properties: their types by name."""
        found = {}
        for item in self.ask("qom-list", path=path):
            found[str(item["name"])] = str(item["type"])
        return found

    def devices(self):
        """Return the path and the properties of each device."""
        for parent in ("/machine/peripheral", "/machine/peripheral-anon"):
            for name, kind in self.properties(parent).items():
                if kind.startswith("child<"):
                    yield f"{parent}/{name}", self.properties(f"{parent}/{name}")

    def get(self, path, name):
        """Return the value of a property."""
        return self.ask("qom-get", path=path, property=name)


class Agent(Channel):
    """A connection to a guest agent. Its protocol has no sessions: the first
    messages may answer commands of an earlier client."""

    def __init__(self, path, most, patience):
        super().__init__("the guest agent's socket", path, most, patience)
        mark = random.randrange(1 << 30)
        # The byte 0xff ends an incomplete message of an earlier client.
        self.send(b"\xff" + json.dumps(
            {"execute": "guest-sync-delimited", "arguments": {"id": mark}}
        ).encode() + b"\n")
        while True:
            self.line(b"\xff")
            if self.message().get("return") == mark:
                return
