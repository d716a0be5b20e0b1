# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher's own standard input, output and error.

Data is written with write(2), without Python's buffering, so that errors are seen
at once. Output of the guest is written in pieces that do not block if the reader is
slow, because the launcher must also serve the guest.
"""
import errno
import os
import re
import select
import stat

NAMES = {0: "standard input", 1: "standard output", 2: "standard error"}

# The null device's number; its name may be another file.
NULL = os.makedev(1, 3)

# A pipe that is writable according to poll(2) takes this much without blocking.
PIECE = 4096
FILE_PIECE = 1 << 16


def reserve():
    """Opens each closed standard descriptor, as the wrong end of a pipe, so that no
    other file gets its number and its use still fails."""
    for number in NAMES:
        try:
            os.fstat(number)
        except OSError:
            ends = os.pipe()
            wrong = ends[1] if number == 0 else ends[0]
            if wrong != number:
                os.dup2(wrong, number)
            for end in ends:
                if end != number:
                    os.close(end)


def are_one_file():
    """Whether standard output and error are the same file."""
    first, second = os.fstat(1), os.fstat(2)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def stdin_is_worth_passing():
    """Whether COMMAND gets the launcher's standard input: not if it is a terminal,
    which two programs would share, the null device or closed."""
    try:
        if os.isatty(0):
            return False
        os.read(0, 0)
    except OSError as error:
        # Other errors occur again, and are reported, when the input is read.
        return error.errno != errno.EBADF
    state = os.fstat(0)
    return not (stat.S_ISCHR(state.st_mode) and state.st_rdev == NULL)


def is_ready(descriptor, timeout):
    """Whether a write would not block; timeout in ms, None: no limit."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(timeout))


def wait_readable(descriptor):
    """Waits until a read returns something."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()


def write_all(descriptor, data):
    """Writes all of the data, also to a non-blocking descriptor."""
    while data:
        try:
            data = data[os.write(descriptor, data):]
        except BlockingIOError:
            is_ready(descriptor, None)


def say(text):
    """Prints a message of the launcher as one line."""
    show("images/vm: " + re.sub(r"[\0-\x1f\x7f]", "?", str(text)))


def show(text):
    """Writes lines to standard error. If that fails, only the exit status shows an
    error."""
    try:
        write_all(2, f"{text}\n".encode(errors="surrogateescape"))
    except OSError:
        pass


class Output:
    """A standard descriptor that gets output of the guest."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.name = NAMES[descriptor]
        self.pending = b""
        self.error = None
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._piece = FILE_PIECE if is_file else PIECE

    def feed(self, data):
        """Writes data, and keeps what would block."""
        if not self.error:
            self.pending += data
            self.push()

    def push(self):
        """Writes as much as does not block."""
        try:
            while self.pending and is_ready(self.descriptor, 0):
                written = os.write(self.descriptor,
                                   self.pending[:self._piece])
                self.pending = self.pending[written:]
        except BlockingIOError:
            pass
        except OSError as error:
            self.error = error
            self.pending = b""

    def give_up(self):
        """Drops the data that is not written yet."""
        if self.pending:
            self.error = OSError(
                errno.ETIMEDOUT,
                f"timed out with {len(self.pending)} bytes not written")
            self.pending = b""
