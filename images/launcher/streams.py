# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher's own standard input, output and error.

Everything is written at once and with the system call, so that no error waits
for Python to end; and no piece is so large that a slow reader blocks the
launcher, which has a guest to look after.
"""
import errno
import os
import re
import select
import stat

NAMES = {0: "standard input", 1: "standard output", 2: "standard error"}

# The null device's number, whatever file bears its name.
NULL = os.makedev(1, 3)

# A pipe that poll() calls writable takes so much without blocking.
PIECE = 4096
FILE_PIECE = 1 << 16


def reserve():
    """Gives each standard descriptor that is closed something that can neither
    be read nor written, so that no other file gets its number."""
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
    """Whether standard output and error go to the same place."""
    first, second = os.fstat(1), os.fstat(2)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def stdin_is_worth_passing():
    """Whether COMMAND should read the launcher's input: not a terminal, which
    two programs would share, nor closed, nor the null device."""
    try:
        if os.isatty(0):
            return False
        os.read(0, 0)
    except OSError as error:
        # Other errors come again when there is somebody to be told.
        return error.errno != errno.EBADF
    state = os.fstat(0)
    return not (stat.S_ISCHR(state.st_mode) and state.st_rdev == NULL)


def is_ready(descriptor, timeout):
    """Whether a write would take something; timeout in ms, None: waits."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(timeout))


def wait_readable(descriptor):
    """Waits until a read returns something."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()


def write_all(descriptor, data):
    """Writes all of it, however little the other end takes at a time."""
    while data:
        try:
            data = data[os.write(descriptor, data):]
        except BlockingIOError:
            is_ready(descriptor, None)


def say(text):
    """A message of the launcher's own, which is one line."""
    show("images/vm: " + re.sub(r"[\0-\x1f\x7f]", "?", str(text)))


def show(text):
    """Lines for whoever called the launcher. Nobody can be told when that does
    not work; the exit status has to do then."""
    try:
        write_all(2, f"{text}\n".encode(errors="surrogateescape"))
    except OSError:
        pass


class Output:
    """A standard descriptor that output of the guest is passed on to."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.name = NAMES[descriptor]
        self.pending = b""
        self.error = None
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._piece = FILE_PIECE if is_file else PIECE

    def feed(self, data):
        """Takes in data; what cannot be written now is kept."""
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
        """Drops what nobody has read by now."""
        if self.pending:
            self.error = OSError(
                errno.ETIMEDOUT,
                f"its last {len(self.pending)} bytes were not taken")
            self.pending = b""
