# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals that end the launcher."""
import contextlib
import os
import signal

from .errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Signals:
    """Received signals. They raise Interrupted, except the first one while signals
    are deferred, so that the guest can end and files can be saved."""

    def __init__(self):
        self.number = None
        self.wakeup = None          # descriptor, readable after a signal
        self._is_deferred = False

    def catch(self):
        """Installs the handlers. A signal that nohup(1) ignores stays ignored."""
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
        """In this context the first signal is only recorded."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False


@contextlib.contextmanager
def blocked():
    """In this context signals are blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore():
    """Ignores the signals, for the cleanup."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
