# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in parallel, and the signals that end them."""
import os
import selectors
import signal

# The interval at which the progress is shown, in seconds.
TICK = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Loop:
    """Executes the runs, at most `jobs` at a time, and passes each outcome to the
    report. number: that of the signal that ended the loop, or None."""

    def __init__(self, runs, jobs, report):
        self.number = None
        self._waiting = list(runs)
        self._running = {}      # by pidfd
        self._jobs = jobs
        self._report = report
        self._wakeup = None

    def run(self):
        """Executes the runs; returns when no guest is running."""
        self._wakeup, end = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(end, False)
        signal.set_wakeup_fd(end, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._handle)
        try:
            while self._running or (self._waiting and self.number is None):
                self._begin()
                self._wait()
        finally:
            for run in self._running.values():
                run.end(signal.SIGKILL)
                run.process.wait()

    def _handle(self, number, _frame):
        """Passes the first signal on, so that guests can save their files; a second
        one kills them."""
        for run in self._running.values():
            run.end(number if self.number is None else signal.SIGKILL)
        self.number = self.number or number

    def _begin(self):
        while self._waiting and self.number is None \
                and len(self._running) < self._jobs:
            run = self._waiting.pop(0)
            run.start()
            self._running[os.pidfd_open(run.process.pid)] = run

    def _wait(self):
        self._report.show(list(self._running.values()))
        with selectors.PollSelector() as selector:
            for descriptor in self._running:
                selector.register(descriptor, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            ready = [key.fd for key, _ in selector.select(
                TICK if self._report.is_shown else None)]
        for descriptor in ready:
            if descriptor == self._wakeup:
                os.read(self._wakeup, 1 << 12)
                continue
            run = self._running[descriptor]
            if self.number is None:
                run.finish()
                self._report.ended(run)
            else:
                # The signal ended this run, so it has no outcome.
                run.process.wait()
                run.discard()
            del self._running[descriptor]
            os.close(descriptor)
