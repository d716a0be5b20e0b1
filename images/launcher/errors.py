# SPDX-License-Identifier: GPL-2.0-or-later
"""What ends a launch early."""


class Failure(Exception):
    """The launcher or the guest failed; the text says what and why."""


class TimedOut(Exception):
    """The guest's time is up."""


class Interrupted(Exception):
    """A signal asked the launcher to end."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number
