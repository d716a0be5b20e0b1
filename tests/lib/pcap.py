# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture files in the pcap format, as tcpdump reads and writes them."""
import struct
from typing import NamedTuple

MICRO, NANO = 0xa1b2c3d4, 0xa1b23c4d    # magic numbers for the unit of times
ETHERNET = 1

HEADER, RECORD = "IHHiIII", "IIII"
MAGICS = {struct.pack(order + "I", magic): (order, magic)
          for order in "<>" for magic in (MICRO, NANO)}


class Packet(NamedTuple):
    """A packet: its time, its length on the wire, and its captured bytes."""

    seconds: int
    fraction: int
    length: int
    data: bytes


class Capture(NamedTuple):
    """A file: its byte order, MICRO or NANO, and its packets."""

    order: str
    magic: int
    packets: list

    def frames(self):
        """Returns the captured bytes of each packet."""
        return [packet.data for packet in self.packets]


def parse(data):
    """Returns the Capture in a file's contents."""
    if data[:4] not in MAGICS or len(data) < struct.calcsize(HEADER):
        raise ValueError("not a pcap file")
    order, magic = MAGICS[data[:4]]
    record = struct.Struct(order + RECORD)
    packets, at = [], struct.calcsize(HEADER)
    while at < len(data):
        if len(data) - at < record.size:
            raise ValueError("the file ends inside a packet's header")
        seconds, fraction, captured, length = record.unpack_from(data, at)
        at += record.size
        if captured > len(data) - at:
            raise ValueError(f"the file ends inside packet {len(packets)}")
        packets.append(Packet(seconds, fraction, length,
                              data[at:at + captured]))
        at += captured
    return Capture(order, magic, packets)


def read(path):
    """Returns the Capture in a file."""
    with open(path, "rb") as file:
        return parse(file.read())


def contents(frames):
    """Returns the contents of a file with complete Ethernet frames."""
    data = [struct.pack("<" + HEADER, MICRO, 2, 4, 0, 0, 262144, ETHERNET)]
    for frame in map(bytes, frames):
        data += [struct.pack("<" + RECORD, 0, 0, len(frame), len(frame)), frame]
    return b"".join(data)


def write(path, frames):
    """Writes complete Ethernet frames to a file."""
    with open(path, "wb") as file:
        file.write(contents(frames))
