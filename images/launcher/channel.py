# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to the guest agent or to the serial console. The main thread feeds
received data to it; another thread waits for that data and sends."""
import select
import threading
import time

from .errors import Failure


class Ended(Failure):
    """The guest has ended, and the connection with it."""

    def __init__(self):
        super().__init__("the guest has ended")


class Channel:
    """Both directions of a socket. Only the last `most` received bytes are kept, so
    that a guest cannot use up the launcher's memory."""

    def __init__(self, most):
        self._most = most
        self._data = b""
        self._socket = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._other = None

    def also(self, sink):
        """Passes received data to that sink, too."""
        self._other = sink

    def attach(self, end):
        """Sets the socket to write to."""
        self._socket = end

    def feed(self, data):
        """Takes received data; empty data means the end."""
        if self._other:
            self._other.feed(data)
        with self._changed:
            self._is_closed |= not data
            self._data = (self._data + data)[-self._most:]
            self._changed.notify_all()

    def data(self):
        """Returns the received data."""
        with self._changed:
            return self._data

    def clear(self):
        """Drops the received data."""
        with self._changed:
            self._data = b""

    def send(self, data):
        """Sends all of the data; blocks until the guest has taken it."""
        try:
            while data:
                try:
                    data = data[self._socket.send(data):]
                except BlockingIOError:
                    select.select([], [self._socket], [], 1)
        except OSError:
            raise Ended from None

    def expect(self, find, seconds):
        """Waits until find(data) returns something, drops the data and returns
        that; returns None when the time is up."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                found = find(self._data)
                if found is not None:
                    self._data = b""
                    return found
                left = end - time.monotonic()
                if self._is_closed:
                    raise Ended
                if left <= 0:
                    return None
                self._changed.wait(left)

    def line(self, seconds):
        """Waits for a line and returns it without its newline; returns None when
        the time is up."""
        end = time.monotonic() + seconds
        with self._changed:
            while b"\n" not in self._data:
                left = end - time.monotonic()
                if self._is_closed:
                    raise Ended
                if left <= 0:
                    return None
                self._changed.wait(left)
            line, self._data = self._data.split(b"\n", 1)
            return line
