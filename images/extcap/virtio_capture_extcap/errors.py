# SPDX-License-Identifier: GPL-2.0-or-later
"""What ends a capture."""
import re


class Failure(Exception):
    """It cannot go on; the text says what and why."""


class Ended(Exception):
    """Wireshark wants no more."""


def describe(error):
    """An OSError in one phrase."""
    return error.strerror or str(error)


def plain(text, most=400):
    """Text of somebody else's in one line of a message: nothing that a terminal
    would take for a command, and not too much."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    text = re.sub(r"[\0-\x1f\x7f-\x9f]", "?", text)
    return text if len(text) <= most else text[:most] + "..."
