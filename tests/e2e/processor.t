#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tcpdump in a guest with the processor GUEST_ARCH: what depends on the processor.
make check-archs starts with this test."""
import os
import re
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numbered  # noqa: E402
import pcap  # noqa: E402
from guest import ARCH, BIG_ENDIAN, PROGRAMS, TWO_NICS, vm  # noqa: E402
from tap import Tap  # noqa: E402
from terminal import shell  # noqa: E402

COUNT, SIZE = 20, 200

# Machine numbers in ELF files; class 1 means 32 bits.
PROGRAMS_32 = {"x86_64": 3, "aarch64": 40, "s390x": 22}

# The name eth0 exists only if the driver knows which NIC it captures on. Of the
# frames from the other NIC tcpdump accepts those with an even number.
SCRIPT = f"""
set -e
uname -m > machine
ip link set eth1 up
tcpdump -n -i eth0 -Q in --immediate-mode -U -w even.pcap \\
    'ether proto 0x88b5 and ether[17] & 1 = 0' 2> log &
tcpdump=$!
until grep -q listening log; do
    kill -0 $tcpdump || {{ cat log >&2; exit 1; }}
    sleep 0.1
done
./replay eth1 frames.pcap > /dev/null
while [ "$(wc -c < even.pcap)" -lt {24 + COUNT // 2 * (16 + SIZE)} ]; do
    sleep 0.1
done
bpfstat > counts
kill -INT $tcpdump
wait $tcpdump
"""


def capture(folder):
    """Runs the guest; returns the result and the texts that it wrote."""
    pcap.write(f"{folder}/frames.pcap", numbered.frames(range(COUNT), SIZE))
    files = ("machine", "log", "counts", "even.pcap")
    options = [*TWO_NICS, "--add", f"{folder}/frames.pcap",
               "--add", os.path.join(PROGRAMS, "tools", "replay")]
    for name in files:
        options += ["--get", f"{name}:{folder}/{name}"]
    done = vm(options, ["sh", "-c", SCRIPT])
    if done.returncode:
        return done, []
    texts = []
    for name in files[:3]:
        with open(f"{folder}/{name}", encoding="utf-8") as file:
            texts.append(file.read())
    return done, texts


def test_capture(tap):
    with tempfile.TemporaryDirectory() as folder:
        done, texts = capture(folder)
        if not tap.ok(done.returncode == 0,
                      "the guest's kernel reports no error [CAP-DEV-CFG-5]",
                      done.returncode, done.stdout, done.stderr):
            return
        even = pcap.read(f"{folder}/even.pcap")
    machine, log, counts = texts
    tap.equal(machine, f"{ARCH}\n", "the guest's processor")
    tap.equal(even.order, ">" if BIG_ENDIAN else "<", "its byte order")
    tap.equal(even.frames(), numbered.frames(range(0, COUNT, 2), SIZE),
              "tcpdump's filter takes every second frame")
    tap.ok(f"{COUNT // 2} packets captured" in log
           and f"\n{COUNT} packets received by filter" in log
           and "\n0 packets dropped by kernel" in log, "tcpdump's counts", log)
    filler = "kernel" if BIG_ENDIAN else "device"
    tap.ok(re.search(rf" {COUNT} +0 +{COUNT // 2} +\d+ {filler} ", counts),
           "the device fills the buffers of a little-endian guest only [CAP-DRV-LQ-4]",
           counts)


def test_program_32(tap):
    with open(os.path.join(PROGRAMS, "compat"), "rb") as file:
        head = file.read(20)
    order = ">" if head[5] == 2 else "<"
    tap.equal((head[:5], *struct.unpack_from(f"{order}H", head, 18)),
              (b"\x7fELF\x01", PROGRAMS_32[ARCH]),
              "what the guest's tests have for a 32-bit program is one")


def test_shell(tap):
    status, said = shell(["--no-capture", "--timeout", "120"],
                         b'tty; exit 3')
    tap.ok(status == 3 and b"\n/dev/tty" in said,
           "without COMMAND there is a shell on the console's terminal",
           status, said)


TAP = Tap()
TAP.run(test_capture, test_program_32, test_shell)
sys.exit(TAP.done())
