# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with all frames of the NICs: --capture-dir.

QEMU writes them (property "pcapng" of the capture device), so they depend neither
on the guest nor on the launcher.
"""
import os
import struct

from .errors import Failure, describe

BLOCK = struct.Struct("=II")
OPTION = struct.Struct("=HH")
COUNT = struct.Struct("=Q")

# pcapng: the type of an Interface Statistics Block, and its options isb_ifrecv and
# isb_ifdrop.
STATISTICS = 5
RECEIVED = 4
DROPPED = 5

# The longest block that QEMU writes.
MOST_BLOCK = 1 << 17


class Capture:
    """The file of one NIC."""

    def __init__(self, folder, interface):
        self.interface = interface
        self.path = os.path.join(folder, f"{interface}.pcapng")

    def device_options(self, quote):
        """The capture device's options for this file."""
        return f",pcapng={quote(self.path)},pcapng-name={self.interface}"

    def problem(self):
        """Returns why frames are missing in the file, or None."""
        try:
            with open(self.path, "rb") as file:
                counts = statistics(file)
        except OSError as error:
            return describe(error)
        if counts is None:
            return f"{self.path}: not a capture file that QEMU has written"
        received, dropped = counts
        return dropped and (f"{self.path}: {dropped} of {received} frames are "
                            "missing")

    def trim(self):
        """Removes an incomplete block at the end: killing QEMU can cut a write of
        several pages short."""
        try:
            with open(self.path, "r+b") as file:
                end = 0
                for end, _ in blocks(file):
                    pass
                file.truncate(end)
        except OSError:
            pass


def interfaces(nics):
    """The name of each NIC's interface in the guest; for a NIC "none", that of its
    capture device."""
    number = 0
    for place, nic in enumerate(nics):
        if nic.split(",")[0] == "none":
            yield f"capture{place}"
        else:
            yield f"eth{number}"
            number += 1


def choose_captures(folder, nics, no_capture):
    """The capture file of each NIC, in the folder of --capture-dir."""
    if folder is None:
        return [None] * len(nics)
    if no_capture:
        raise Failure("--capture-dir: not with --no-capture, which leaves "
                      "the capture devices out")
    if not folder:
        raise Failure("--capture-dir: the name of the folder is empty")
    return [Capture(folder, name) for name in interfaces(nics)]


def make_folder(folder):
    """Makes the folder unless it exists; fails if it is not writable."""
    if folder is None:
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise Failure(f"--capture-dir {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Failure(f"--capture-dir {folder}: cannot write to it")


def blocks(file):
    """Yields the end offset and the type of each complete block."""
    end, size = 0, os.fstat(file.fileno()).st_size
    while True:
        file.seek(end)
        head = file.read(BLOCK.size)
        if len(head) < BLOCK.size:
            return
        kind, length = BLOCK.unpack(head)
        if not BLOCK.size < length <= MOST_BLOCK or end + length > size:
            return
        end += length
        yield end, kind


def statistics(file):
    """Returns the numbers of frames that crossed the netdev and of those that are
    missing in the file, or None. They are in one of the first blocks."""
    start = 0
    for number, (end, kind) in enumerate(blocks(file)):
        if kind == STATISTICS:
            file.seek(start)
            counts = dict(options(file.read(end - start)[20:-4]))
            try:
                return [COUNT.unpack(counts[code])[0]
                        for code in (RECEIVED, DROPPED)]
            except (KeyError, struct.error):
                return None
        if number > 2:
            break
        start = end
    return None


def options(data):
    """Yields the code and the value of each option in the data."""
    while len(data) >= OPTION.size:
        code, length = OPTION.unpack_from(data)
        yield code, data[OPTION.size:OPTION.size + length]
        data = data[OPTION.size + -(-length // 4) * 4:]
