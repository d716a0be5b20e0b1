# SPDX-License-Identifier: GPL-2.0-or-later
"""Exceptions that end a capture, and texts of errors."""
import re


class Failure(Exception):
    """An error; the text is its message."""


class Ended(Exception):
    """Wireshark has ended the capture."""


def describe(error):
    """Return the message of an OSError."""
    return error.strerror or str(error)


def plain(text, most=400):
    """Return untrusted text for a message: without control characters, and
    shortened."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    text = re.sub(r"[\0-\x1f\x7f-\x9f]", "?", text)
    return text if len(text) <= most else text[:most] + "..."
