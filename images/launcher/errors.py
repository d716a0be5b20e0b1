# SPDX-License-Identifier: GPL-2.0-or-later
"""Exceptions that end a launch."""


class Failure(Exception):
    """The launcher or the guest failed; the text says what failed and why."""


class Interrupted(Exception):
    """A signal asked the launcher to end."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def describe(error):
    """Describes an OSError in one phrase, with the file's name if it has one."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return reason
    return f"{os_text(error.filename)}: {reason}"


def os_text(name):
    """A file's name as text for a message."""
    return name.decode(errors="replace") if isinstance(name, bytes) \
        else str(name)
