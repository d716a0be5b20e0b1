# SPDX-License-Identifier: GPL-2.0-or-later
"""Broadcast frames that carry a number, by which a test tells them apart."""
import struct

HEAD = bytes.fromhex("ffffffffffff52540099999988b5")


def frames(numbers, size):
    """Frames of that size with these numbers."""
    return [(HEAD + struct.pack(">I", number)).ljust(size, b"\0")
            for number in numbers]


def number(frame):
    """The number of a frame."""
    return struct.unpack_from(">I", frame, len(HEAD))[0]
