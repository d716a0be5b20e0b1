# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks the guest's data before Wireshark gets it: it must be a pcap file of
Ethernet frames, of which only complete packets are forwarded."""
import struct

from .errors import Failure

HEADER_SIZE = 24
RECORD_SIZE = 16
ETHERNET = 1
# tcpdump's largest snapshot length; Wireshark accepts no longer packet.
MOST_LENGTH = 262144

# The magic numbers, each with the byte order and the units of time in a second.
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 10 ** 6), b"\xa1\xb2\xc3\xd4": (">", 10 ** 6),
    b"\x4d\x3c\xb2\xa1": ("<", 10 ** 9), b"\xa1\xb2\x3c\x4d": (">", 10 ** 9)}


class Stream:
    """The parser of a pcap file that arrives in pieces."""

    def __init__(self):
        self.has_begun = False
        self.packets = 0
        self._order = None
        self._units = None
        self._snaplen = None
        self._rest = b""

    def feed(self, data):
        """Add data and return the bytes that can be forwarded."""
        self._rest += data
        good = 0
        if not self.has_begun:
            if len(self._rest) < HEADER_SIZE:
                return b""
            self._header()
            good = HEADER_SIZE
        while len(self._rest) >= good + RECORD_SIZE:
            length = self._length(good)
            if len(self._rest) < good + RECORD_SIZE + length:
                break
            good += RECORD_SIZE + length
            self.packets += 1
        result, self._rest = self._rest[:good], self._rest[good:]
        return result

    def _header(self):
        """Check the file's header."""
        magic = self._rest[:4]
        if magic not in MAGICS:
            raise Failure("the guest's data is not a pcap file: it begins with "
                          f"{magic!r}")
        self._order, self._units = MAGICS[magic]
        self._snaplen, linktype = struct.unpack_from(f"{self._order}II",
                                                     self._rest, 16)
        if linktype != ETHERNET:
            raise Failure(f"the guest's pcap file has the link type {linktype}, "
                          f"not {ETHERNET} (Ethernet)")
        if not 0 < self._snaplen <= MOST_LENGTH:
            raise Failure("the guest's pcap file has the snapshot length "
                          f"{self._snaplen}")
        self.has_begun = True

    def _length(self, start):
        """Check the header of a packet and return the length of its data."""
        _, fraction, length, original = struct.unpack_from(
            f"{self._order}IIII", self._rest, start)
        if length > self._snaplen or length > original:
            raise Failure(f"packet {self.packets + 1} of the guest has {length} "
                          f"bytes of {original}, with a snapshot length of "
                          f"{self._snaplen}")
        if fraction >= self._units:
            raise Failure(f"packet {self.packets + 1} of the guest has the time "
                          f"{fraction}/{self._units} s")
        return length
