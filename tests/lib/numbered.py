# SPDX-License-Identifier: GPL-2.0-or-later
"""Broadcast frames with a number, by which tests identify them."""
import struct

HEAD = bytes.fromhex("ffffffffffff52540099999988b5")


def frames(numbers, size):
    """Frames of that size with these numbers."""
    return [(HEAD + struct.pack(">I", number)).ljust(size, b"\0")
            for number in numbers]


def number(frame):
    """The number of a frame."""
    return struct.unpack_from(">I", frame, len(HEAD))[0]
