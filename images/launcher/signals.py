# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals that end the launcher."""
import contextlib
import os
import signal

from .errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Signals:
    """The signals that came. They unwind the stack from wherever it is, but
    the first one does not while there is a guest or a file to be saved."""

    def __init__(self):
        self.number = None
        self.wakeup = None          # readable after a signal
        self._is_deferred = False

    def catch(self):
        """From now on. What nohup(1) has turned off stays off."""
        self.wakeup, end = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(end, False)
        signal.set_wakeup_fd(end, warn_on_full_buffer=False)
        for number in SIGNALS:
            if number == signal.SIGINT \
                    or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number, _frame):
        if self._is_deferred and self.number is None:
            self.number = number
        else:
            raise Interrupted(number)

    @contextlib.contextmanager
    def deferred(self):
        """In this context the first signal is only noted."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False


@contextlib.contextmanager
def blocked():
    """In this context signals wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore():
    """From now on, to clean up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
