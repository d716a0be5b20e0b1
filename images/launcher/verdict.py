# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest says of itself."""


class Verdict:
    """What comes on the port "result"; see images/guest/init/verdict.c."""

    def __init__(self):
        self.errors = []
        self.counts = {}
        self.missing = {}       # the files' numbers: why they are not whole
        self.taint = 0
        self.has_started = False    # the command, by the runner
        self.status = None
        self._rest = b""

    def feed(self, data):
        """Takes in more of the port's text."""
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
            self.errors.append(f"unexpected on the port result: {line!r}")

    def complete(self, received):
        """Whether the verdict is in, and all the bytes that it counts."""
        return self.status is not None and all(
            received.get(name, 0) >= count
            for name, count in self.counts.items())
