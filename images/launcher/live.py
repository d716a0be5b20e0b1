# SPDX-License-Identifier: GPL-2.0-or-later
"""Viewers of the running guest's frames. They connect to the socket "live" in the
launcher's folder; the guest has a port of that name.

A viewer sends one record "s" with tcpdump's arguments, and gets the records "d",
"t" and "x" of images/guest/init/live.c, with 0 for the number of the viewer. When it
disconnects, its tcpdump is terminated. The file "live.json" in the folder describes the
guest. The folder is accessible only to the user who runs the launcher.
"""
import json
import os
import selectors
import socket
import time

HEADER_SIZE = 15

# As in images/guest/init/live.c: the most viewers at a time, the longest request, the most
# arguments in it, the most data of a record, and the window, in bytes.
MOST_VIEWERS = 8
MOST_REQUEST = 8192
MOST_WORDS = 32
MOST_DATA = 1 << 15
WINDOW = 1 << 18

# Credit is sent in portions of at least this size, unless nothing is pending.
CREDIT = WINDOW // 4

# Open connections. Some clients connect only to see whether the guest runs.
MOST_CONNECTIONS = 32
# Time limit for viewers to read the last frames after the guest has ended.
LAST_SECONDS = 2


def record(kind, number, value, data=b""):
    """Makes a record for the port or for a viewer."""
    return b"%s %2d %9d\n" % (kind, number, value) + data


def parse_header(data):
    """Returns a header's kind, viewer's number, and value."""
    kind, number, value = data.split()
    return kind, int(number), int(value)


class Viewer:
    """A viewer's connection. number: the viewer's in the guest; None before the
    request and after tcpdump has ended."""

    def __init__(self, connection):
        self.connection = connection
        self.number = None
        self.pending = b""      # not yet written to the connection
        self.in_flight = 0      # bytes from the guest without credit so far
        self.written = 0        # those of them that were written to the viewer
        self.is_last = False    # the last record is pending or written
        self.request = b""

    def push(self):
        """Writes as much as does not block; returns false if the viewer has
        disconnected."""
        try:
            while self.pending:
                sent = self.connection.send(self.pending)
                self.pending = self.pending[sent:]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


class Live:
    """Receives the port "live", whose data is untrusted. The main loop registers the
    sockets with register() and passes events to handle()."""

    def __init__(self, folder, description):
        self.error = None
        self.unsent = b""       # for the port
        self._port = None
        self._rest = b""
        self._connections = []
        self._numbers = {}      # viewers by number; None: disconnected
        self._listener = self._listen(folder)
        with open(f"{folder}/live.new", "w", encoding="ascii") as file:
            json.dump(description, file)
        os.rename(f"{folder}/live.new", f"{folder}/live.json")

    @staticmethod
    def _listen(folder):
        """Listens in the folder, whose path may be too long for a socket address."""
        listener = socket.socket(socket.AF_UNIX)
        descriptor = os.open(folder, os.O_PATH)
        try:
            listener.bind(f"/proc/self/fd/{descriptor}/live")
            listener.listen()
        finally:
            os.close(descriptor)
        listener.setblocking(False)
        return listener

    def attach(self, port):
        """Sets the launcher's end of the port, which is non-blocking."""
        self._port = port

    def register(self, selector):
        """Registers the sockets."""
        read, write = selectors.EVENT_READ, selectors.EVENT_WRITE
        if len(self._connections) < MOST_CONNECTIONS:
            selector.register(self._listener, read, self)
        for viewer in self._connections:
            selector.register(viewer.connection,
                              read | (write if viewer.pending else 0), viewer)

    def handle(self, events):
        """Handles events, without blocking."""
        for key, mask in events:
            if key.data is self:
                self._accept()
            elif isinstance(key.data, Viewer) \
                    and key.data in self._connections:
                self._serve(key.data, mask)
        self._flush()

    def _accept(self):
        try:
            connection = self._listener.accept()[0]
        except OSError:
            return
        connection.setblocking(False)
        self._connections.append(Viewer(connection))

    def _serve(self, viewer, mask):
        """Handles a viewer's events."""
        if mask & selectors.EVENT_READ and not self._read(viewer):
            self._drop(viewer)
            return
        self._push(viewer)

    def _read(self, viewer):
        """Reads the viewer's request; returns false if the viewer has disconnected
        or the request is malformed."""
        try:
            data = viewer.connection.recv(MOST_REQUEST)
        except BlockingIOError:
            return True
        except OSError:
            return False
        # A viewer sends nothing after its request.
        if not data or viewer.number is not None or viewer.is_last:
            return False
        viewer.request += data
        if len(viewer.request) < HEADER_SIZE:
            return True
        words = viewer.request[HEADER_SIZE:]
        try:
            kind, _, length = parse_header(viewer.request[:HEADER_SIZE])
            if kind != b"s" or not 0 < length <= MOST_REQUEST:
                raise ValueError
        except ValueError:
            return False
        if len(words) < length:
            return True
        if len(words) > length or words[-1:] != b"\0" \
                or words.count(b"\0") > MOST_WORDS:
            return False
        self._start(viewer, words)
        return True

    def _start(self, viewer, words):
        """Starts a tcpdump for the viewer."""
        free = set(range(MOST_VIEWERS)) - set(self._numbers)
        if not free or self.error:
            text = b"the guest sent a malformed record\n" if self.error \
                else b"there are %d viewers already\n" % MOST_VIEWERS
            viewer.pending += record(b"t", 0, len(text), text) \
                + record(b"x", 0, 1)
            viewer.is_last = True
            return
        viewer.number = min(free)
        self._numbers[viewer.number] = viewer
        self.unsent += record(b"s", viewer.number, len(words), words)

    def _push(self, viewer):
        """Writes pending data to the viewer and sends the guest credit for it.
        Drops a viewer that has disconnected or has received its last record."""
        before = len(viewer.pending)
        is_there = viewer.push()
        viewer.written += before - len(viewer.pending)
        if not is_there or (viewer.is_last and not viewer.pending):
            self._drop(viewer)
        elif viewer.number is not None and viewer.written >= (
                CREDIT if viewer.pending else 1):
            self.unsent += record(b"c", viewer.number, viewer.written)
            viewer.in_flight -= viewer.written
            viewer.written = 0

    def _drop(self, viewer):
        """Closes the connection, and has the guest terminate its tcpdump."""
        viewer.connection.close()
        self._connections.remove(viewer)
        if viewer.number is not None and not viewer.is_last:
            self._numbers[viewer.number] = None
            self.unsent += record(b"e", viewer.number, 0)

    def _flush(self):
        """Writes unsent requests to the port."""
        try:
            while self.unsent:
                self.unsent = self.unsent[
                    self._port.send(self.unsent):]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent = b""

    def feed(self, data):
        """Takes received data."""
        if self.error:
            return
        self._rest += data
        try:
            while self._record():
                pass
        except (ValueError, KeyError):
            self.error = "malformed record on the port live"
            self._rest = b""
            for viewer in list(self._connections):
                self._drop(viewer)
        self._flush()

    def _record(self):
        """Takes the next record; returns false if it is incomplete."""
        if len(self._rest) < HEADER_SIZE:
            return False
        kind, number, value = parse_header(self._rest[:HEADER_SIZE])
        if kind not in (b"d", b"t", b"x") or value < 0:
            raise ValueError
        length = 0 if kind == b"x" else value
        if length > MOST_DATA:
            raise ValueError
        if len(self._rest) < HEADER_SIZE + length:
            return False
        data = self._rest[HEADER_SIZE:HEADER_SIZE + length]
        self._rest = self._rest[HEADER_SIZE + length:]
        viewer = self._numbers[number]
        if kind == b"x":
            del self._numbers[number]
        if not viewer:
            return True
        if kind != b"x":
            viewer.in_flight += HEADER_SIZE + length
        if viewer.in_flight > WINDOW:
            raise ValueError
        viewer.pending += record(kind, 0, value, data)
        if kind == b"x":
            viewer.is_last = True
            viewer.number = None
        self._push(viewer)
        return True

    def close(self):
        """Writes pending data to viewers, with a time limit, when the guest has ended."""
        self._listener.close()
        end = time.monotonic() + LAST_SECONDS
        for viewer in list(self._connections):
            viewer.connection.settimeout(max(end - time.monotonic(), 0.01))
            try:
                viewer.connection.sendall(viewer.pending)
            except OSError:
                pass
            viewer.connection.close()
        self._connections = []
