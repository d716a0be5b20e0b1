# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of this folder share: seeds, numbers, and real frames."""
import os
import sys
import tempfile

from scapy.all import wrpcap

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
sys.path.insert(0, LIB)

import frames  # noqa: E402

TOP = os.path.abspath(os.path.join(LIB, "..", ".."))
OUT = os.path.join(TOP, "build", "tests", "fuzz")
FRAMES = os.path.join(OUT, "frames.pcap")


def built(name):
    """A file that the Makefile of this folder made."""
    return os.path.join(OUT, name)


def seed():
    """Where the random numbers start: always there, unless told otherwise."""
    return os.environ.get("FUZZ_SEED", "1")


def pairs(default):
    """How many pairs of a program and a frame to try."""
    return os.environ.get("FUZZ_PAIRS", str(default))


def write_frames():
    """Makes the file of real frames; tests may do that at the same time."""
    with tempfile.NamedTemporaryFile(dir=OUT, delete=False) as file:
        wrpcap(file.name, frames.varied(500, 1), linktype=1)
    os.replace(file.name, FRAMES)
