# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads pcapng files; any violation of the format is an error."""
import struct
from collections import namedtuple
from pathlib import Path

SECTION = 0x0a0d0d0a
INTERFACE, STATISTICS, PACKET = 1, 5, 6
DIRECTIONS = {1: "in", 2: "out"}

# A packet's time is in nanoseconds; lost is the number of packets dropped before it.
Packet = namedtuple("Packet", "time direction lost data length")
File = namedtuple("File", "name packets received dropped start end")


def check(condition, what):
    """Raises ValueError unless the condition is true."""
    if not condition:
        raise ValueError(what)


def blocks(data):
    """Returns the type and the body of each block."""
    position = 0
    while position < len(data):
        kind, length = struct.unpack_from("=II", data, position)
        end = position + length
        check(length % 4 == 0 and 12 <= length and end <= len(data),
              f"a block of {length} bytes at {position} of {len(data)}")
        check(struct.unpack_from("=I", data, end - 4)[0] == length,
              "the lengths at the block's start and end differ")
        yield kind, data[position + 8:end - 4]
        position = end


def options(data):
    """Returns the options by code."""
    found = {}
    while True:
        code, length = struct.unpack_from("=HH", data)
        padded = -(-length // 4) * 4
        value, data = data[4:4 + length], data[4 + padded:]
        if not code:
            check(not length and not data, "data after the last option")
            return found
        check(code not in found, f"option {code} occurs twice")
        found[code] = value


def time(data):
    """Returns a time, whose upper half comes first."""
    high, low = struct.unpack("=II", data)
    return high << 32 | low


def packet(body):
    """Returns the packet in a block."""
    check(body[:4] == bytes(4), "a packet of an unknown interface")
    caplen, length = struct.unpack_from("=II", body, 12)
    found = options(body[20 + -(-caplen // 4) * 4:])
    flags, = struct.unpack("=I", found.pop(2))
    lost, = struct.unpack("=Q", found.pop(4, bytes(8)))
    check(not found, "unknown options of a packet")
    return Packet(time(body[4:12]), DIRECTIONS[flags], lost,
                  body[20:20 + caplen], length)


def read(path):
    """Reads a file with the packets of one interface; raises an exception for any
    other file."""
    (kind, section), (second, interface), (third, counts), *rest = blocks(
        Path(path).read_bytes())
    check((kind, second, third) == (SECTION, INTERFACE, STATISTICS),
          "the first blocks have other types")
    check(struct.unpack_from("=IHHq", section) == (0x1a2b3c4d, 1, 0, -1),
          "the section has another byte order, version or length")
    options(section[16:])
    check(struct.unpack_from("=HHI", interface) == (1, 0, 262144),
          "the interface has another link type or snapshot length")
    described = options(interface[8:])
    check(described[9] == b"\x09", "times are not in nanoseconds")
    told = options(counts[12:])
    check({one for one, _ in rest} <= {PACKET}, "blocks of another type")
    return File(described[2].decode(), [packet(body) for _, body in rest],
                *struct.unpack("=QQ", told[4] + told[5]), time(told[2]),
                time(told[3]))
