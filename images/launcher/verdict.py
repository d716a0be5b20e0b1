# SPDX-License-Identifier: GPL-2.0-or-later
"""The results that the guest reports."""


class Verdict:
    """Receives the port "result"; see images/guest/init/verdict.c."""

    def __init__(self):
        self.errors = []
        self.counts = {}
        self.missing = {}       # by a file's number: why it is incomplete
        self.taint = 0
        self.has_started = False    # whether the runner has started COMMAND
        self.status = None
        self._rest = b""

    def feed(self, data):
        """Takes received data."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))

    def _line(self, line):
        key, _, value = line.partition(" ")
        try:
            if line == "start":
                self.has_started = True
            elif key == "error":
                self.errors.append(value)
            elif key == "count":
                name, count = value.split()
                self.counts[name] = int(count)
            elif key == "missing":
                number, why = value.split(" ", 1)
                self.missing[int(number)] = why
            elif key == "taint":
                self.taint = int(value)
            elif key == "exit":
                self.status = int(value)
            else:
                raise ValueError
        except ValueError:
            self.errors.append(f"malformed line on the port result: {line!r}")

    def complete(self, received):
        """Whether the exit status and all bytes of the counted ports were received."""
        return self.status is not None and all(
            received.get(name, 0) >= count
            for name, count in self.counts.items())
