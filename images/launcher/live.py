# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames of the running guest for those who watch it: the socket "live" in the
launcher's folder, and the guest's port of that name.

A viewer connects, sends one record "s" with tcpdump's arguments, and gets the
records "d", "t" and "x" that images/init/live.c tells of, with 0 for the number
of the viewer. When it leaves, its tcpdump ends. The file "live.json" in the
folder says who can be watched; both are for the user whose guest it is.
"""
import json
import os
import selectors
import socket
import time

HEADER_SIZE = 15

# As in images/init: how many can watch, what they can ask for, the largest
# record's data, and how many bytes can be under way to one of them.
MOST_VIEWERS = 8
MOST_REQUEST = 8192
MOST_WORDS = 32
MOST_DATA = 1 << 15
WINDOW = 1 << 18

# The guest is told of what a viewer has taken when it is so much.
CREDIT = WINDOW // 4

# Connections that are open at a time; some only look whether the guest is there.
MOST_CONNECTIONS = 32
# What somebody who does not read his last frames has for that.
LAST_SECONDS = 2


def record(kind, number, value, data=b""):
    """A record for the port or for a viewer."""
    return b"%s %2d %9d\n" % (kind, number, value) + data


def parse_header(data):
    """A header's kind, number of the viewer, and value."""
    kind, number, value = data.split()
    return kind, int(number), int(value)


class Viewer:
    """A connection. number: that of its tcpdump in the guest, None before it is
    started."""

    def __init__(self, connection):
        self.connection = connection
        self.number = None
        self.pending = b""      # for it
        self.under_way = 0      # bytes that the guest has no credit for yet
        self.taken = 0          # of them, by the viewer
        self.is_last = False    # nothing more comes
        self.request = b""

    def push(self):
        """Writes as much as does not block; false when it has gone."""
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
    """Takes in the port "live"; nothing of what comes is trusted. selectors call
    handle() for what register() asked for."""

    def __init__(self, folder, description):
        self.error = None
        self.unsent = b""       # for the port
        self._port = None
        self._rest = b""
        self._connections = []
        self._numbers = {}      # the viewers by their tcpdumps; None: it has gone
        self._listener = self._listen(folder)
        with open(f"{folder}/live.new", "w", encoding="ascii") as file:
            json.dump(description, file)
        os.rename(f"{folder}/live.new", f"{folder}/live.json")

    @staticmethod
    def _listen(folder):
        """Listens in the folder, whose name may be too long for a socket's."""
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
        """The port's end that does not block."""
        self._port = port

    def register(self, selector):
        """Tells what there is to wait for."""
        read, write = selectors.EVENT_READ, selectors.EVENT_WRITE
        if len(self._connections) < MOST_CONNECTIONS:
            selector.register(self._listener, read, self)
        for viewer in self._connections:
            selector.register(viewer.connection,
                              read | (write if viewer.pending else 0), viewer)

    def handle(self, events):
        """Does what can be done without waiting."""
        for key, mask in events:
            if key.data is self:
                self._accept()
            elif isinstance(key.data, Viewer) \
                    and key.data in self._connections:
                self._serve(key.data, mask)
        self._tell()

    def _accept(self):
        try:
            connection = self._listener.accept()[0]
        except OSError:
            return
        connection.setblocking(False)
        self._connections.append(Viewer(connection))

    def _serve(self, viewer, mask):
        """One of those who watch can be read from or written to."""
        if mask & selectors.EVENT_READ and not self._read(viewer):
            self._drop(viewer)
            return
        self._push(viewer)

    def _read(self, viewer):
        """Takes the viewer's request; false when it leaves."""
        try:
            data = viewer.connection.recv(MOST_REQUEST)
        except BlockingIOError:
            return True
        except OSError:
            return False
        # After its request a viewer has nothing to say.
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
            text = b"this guest cannot be watched any more\n" if self.error \
                else b"there are %d viewers already\n" % MOST_VIEWERS
            viewer.pending += record(b"t", 0, len(text), text) \
                + record(b"x", 0, 1)
            viewer.is_last = True
            return
        viewer.number = min(free)
        self._numbers[viewer.number] = viewer
        self.unsent += record(b"s", viewer.number, len(words), words)

    def _push(self, viewer):
        """Passes on what there is for the viewer; it has gone if that fails, and
        is to go after the last record."""
        before = len(viewer.pending)
        is_there = viewer.push()
        viewer.taken += before - len(viewer.pending)
        if not is_there or (viewer.is_last and not viewer.pending):
            self._drop(viewer)
        elif viewer.number is not None and viewer.taken >= (
                CREDIT if viewer.pending else 1):
            self.unsent += record(b"c", viewer.number, viewer.taken)
            viewer.under_way -= viewer.taken
            viewer.taken = 0

    def _drop(self, viewer):
        """The viewer has gone; its tcpdump may still have to end."""
        viewer.connection.close()
        self._connections.remove(viewer)
        if viewer.number is not None and not viewer.is_last:
            self._numbers[viewer.number] = None
            self.unsent += record(b"e", viewer.number, 0)

    def _tell(self):
        """Passes on what there is for the guest."""
        try:
            while self.unsent:
                self.unsent = self.unsent[
                    self._port.send(self.unsent):]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent = b""

    def feed(self, data):
        """Takes in more of the port."""
        if self.error:
            return
        self._rest += data
        try:
            while self._record():
                pass
        except (ValueError, KeyError):
            self.error = "unexpected on the port live"
            self._rest = b""
            for viewer in list(self._connections):
                self._drop(viewer)
        self._tell()

    def _record(self):
        """Takes the next record; false when it is not all there."""
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
            viewer.under_way += HEADER_SIZE + length
        if viewer.under_way > WINDOW:
            raise ValueError
        viewer.pending += record(kind, 0, value, data)
        if kind == b"x":
            viewer.is_last = True
            viewer.number = None
        self._push(viewer)
        return True

    def close(self):
        """The guest has ended; those who read get the rest."""
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
