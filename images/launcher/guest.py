# SPDX-License-Identifier: GPL-2.0-or-later
"""The running guest: its QEMU process, its ports, its verdict."""
import os
import selectors
import socket
import subprocess
import sys
import threading

from .errors import Failure

CHUNK = 1 << 16


class Verdict:
    """What the guest says on the port "result"; see images/init/main.c."""

    def __init__(self):
        self.errors = []
        self.counts = {}
        self.taint = 0
        self.status = None
        self._rest = b""

    def feed(self, data):
        """Takes in more of the port's text."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))

    def _line(self, line):
        key, _, value = line.partition(" ")
        try:
            if key == "error":
                self.errors.append(value)
            elif key == "count":
                name, count = value.split()
                self.counts[name] = int(count)
            elif key == "taint":
                self.taint = int(value)
            elif key == "exit":
                self.status = int(value)
            else:
                raise ValueError
        except ValueError:
            self.errors.append(f"unexpected on the port result: {line!r}")

    def complete(self, received):
        """Whether the verdict is in, and all the bytes that it counts."""
        return self.status is not None and all(
            received.get(name, 0) >= count
            for name, count in self.counts.items())


class Guest:
    """A context: the process lives inside it and is gone after it."""

    def __init__(self, ports):
        """ports: for each port of the guest a file descriptor for what comes
        out of it, or None for a port of the launcher's own."""
        self.verdict = Verdict()
        self.process = None
        self._outputs = ports
        self._sockets = {}
        self._received = {}
        self._theirs = {}
        for name in ports:
            ours, theirs = socket.socketpair()
            self._sockets[name] = ours
            self._theirs[name] = theirs

    def descriptors(self):
        """QEMU's ends of the ports."""
        return {name: end.fileno() for name, end in self._theirs.items()}

    def start(self, words, console_is_terminal, errors, inherit):
        """Starts QEMU, which dies with the launcher whatever kills that."""
        try:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *words],
                stdin=None if console_is_terminal else subprocess.DEVNULL,
                stdout=None if console_is_terminal else errors,
                stderr=errors, start_new_session=not console_is_terminal,
                pass_fds=[*self.descriptors().values(), *inherit])
        except OSError as error:
            raise Failure(f"cannot start QEMU: {error}") from None
        for end in self._theirs.values():
            end.close()

    def feed_stdin(self):
        """Passes the launcher's input on, in the background."""
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self):
        port = self._sockets["stdin"]
        try:
            while data := os.read(0, CHUNK):
                port.sendall(data)
            # The guest sees the end of its input; QEMU still may write.
            port.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def run(self):
        """Passes output on until QEMU has ended; returns QEMU's status."""
        answered = False
        with selectors.DefaultSelector() as selector:
            for name, port in self._sockets.items():
                selector.register(port, selectors.EVENT_READ, name)
            while selector.get_map():
                for key, _ in selector.select():
                    if not self._receive(key.data):
                        selector.unregister(key.fileobj)
                if not answered and self.verdict.complete(self._received):
                    answered = True
                    self._answer()
        return self.process.wait()

    def _receive(self, name):
        """Takes what a port has; False at its end."""
        try:
            data = self._sockets[name].recv(CHUNK)
        except ConnectionError:
            data = b""
        if name == "result":
            self.verdict.feed(data)
        elif self._outputs[name] is not None:
            write_all(self._outputs[name], data)
        self._received[name] = self._received.get(name, 0) + len(data)
        return bool(data)

    def _answer(self):
        """Lets the guest go."""
        try:
            self._sockets["result"].send(b"\n")
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for end in (*self._sockets.values(), *self._theirs.values()):
            end.close()


def write_all(descriptor, data):
    """Writes all of it, however little the other end takes at a time."""
    while data:
        data = data[os.write(descriptor, data):]


def stdin_is_worth_passing():
    """Whether COMMAND should read the launcher's input: not a terminal, which
    two programs would share, nor closed, nor /dev/null."""
    try:
        if os.isatty(0):
            return False
        null = os.stat(os.devnull)
        return os.fstat(0).st_rdev != null.st_rdev
    except OSError:
        return False


def say(text):
    """A message of the launcher's own."""
    sys.stdout.flush()
    print(f"images/vm: {text}", file=sys.stderr, flush=True)
