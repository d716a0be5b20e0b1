# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of this folder share: seeds, numbers, real frames, and the
running of libFuzzer."""
import os
import re
import subprocess
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


def seconds():
    """For how long to try what is not told in pairs."""
    return float(os.environ.get("FUZZ_SECONDS", "60"))


def kept(name):
    """Inputs that earlier runs found worth keeping, an input a line."""
    with open(os.path.join(TOP, "tests", "fuzz", "corpus", name),
              encoding="ascii") as file:
        return [bytes.fromhex(line) for line in file
                if not line.startswith("#")]


def libfuzzer(tap, name, inputs, longest, thing):
    """
    Results of a program of libFuzzer's, which begins with some inputs and
    keeps what it finds among them under build/.
    """
    corpus, failure = built(f"{name}-corpus"), built(f"{name}-failure")
    os.makedirs(corpus, exist_ok=True)
    for number, data in enumerate(inputs):
        with open(os.path.join(corpus, f"seed{number}"), "wb") as file:
            file.write(data)
    done = subprocess.run(
        [built(name), f"-seed={seed()}", f"-max_len={longest}",
         f"-max_total_time={max(1, round(seconds()))}",
         f"-exact_artifact_path={failure}", corpus],
        text=True, capture_output=True, check=False, errors="replace")
    runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    print(f"# seed {seed()}, {runs[1] if runs else 'no'} executions")
    tap.ok(done.returncode == 0, f"no {thing} goes wrong",
           f"the one that does: {failure}", done.stderr[-6000:])
    tap.ok(runs and int(runs[1]) > 10000, f"many {thing}s were tried",
           done.stderr[-2000:])


def write_frames():
    """Makes the file of real frames; tests may do that at the same time."""
    with tempfile.NamedTemporaryFile(dir=OUT, delete=False) as file:
        wrpcap(file.name, frames.varied(500, 1), linktype=1)
    os.replace(file.name, FRAMES)
