# SPDX-License-Identifier: GPL-2.0-or-later
"""A line to the guest: the launcher's main thread feeds it with what comes, and
another thread waits for what it looks for, and answers."""
import select
import threading
import time

from .errors import Failure


class Channel:
    """Both directions of a socket. Of what comes and nobody takes only the last
    part is kept, so the guest can send what it likes."""

    def __init__(self, most):
        self._most = most
        self._data = b""
        self._socket = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._other = None

    def also(self, sink):
        """Something else that takes in what comes."""
        self._other = sink

    def attach(self, end):
        """The socket to write to."""
        self._socket = end

    def feed(self, data):
        """Takes in what has come; nothing is the end."""
        if self._other:
            self._other.feed(data)
        with self._changed:
            self._is_closed |= not data
            self._data = (self._data + data)[-self._most:]
            self._changed.notify_all()

    def data(self):
        """What has come and was not taken."""
        with self._changed:
            return self._data

    def clear(self):
        """Takes all of it."""
        with self._changed:
            self._data = b""

    def send(self, data):
        """Writes all of it, however little the guest takes at a time."""
        try:
            while data:
                try:
                    data = data[self._socket.send(data):]
                except BlockingIOError:
                    select.select([], [self._socket], [], 1)
        except OSError:
            raise Failure("the guest has ended") from None

    def expect(self, find, seconds):
        """Waits until find(data) gives something, and gives that with the data
        taken; None when the time is up."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                found = find(self._data)
                if found is not None:
                    self._data = b""
                    return found
                left = end - time.monotonic()
                if self._is_closed or left <= 0:
                    return None
                self._changed.wait(left)

    def line(self, seconds):
        """The next line, without what ends it; None when the time is up."""
        end = time.monotonic() + seconds
        with self._changed:
            while b"\n" not in self._data:
                left = end - time.monotonic()
                if self._is_closed or left <= 0:
                    return None
                self._changed.wait(left)
            line, self._data = self._data.split(b"\n", 1)
            return line
