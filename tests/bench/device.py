# SPDX-License-Identifier: GPL-2.0-or-later
"""
QEMU's own instructions for each frame, as callgrind counts them.

The stock QEMU with the plug-in, and no guest: the capture device is driven over
qtest, as in tests/device. Frames come to a hub, so that they pass whether or
not the NIC has room for them. The difference of two runs with a different
number of frames leaves out what is done once.
"""
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from guest import OUT, Failure

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import capture  # noqa: E402
import nics  # noqa: E402
import qtest  # noqa: E402

SIZES = (64, 512, 1514)
FEW, MANY = 500, 2500
BUFFERS, BUFFER_SIZE = 8, 1 << 20       # more than MANY of the longest frames

CALLGRIND = ("valgrind --tool=callgrind --collect-atstart=no "
             "--toggle-collect={} --callgrind-out-file={}")

# What is counted: the tap with all that it calls, or all network filters.
TAP, FILTERS = "capture_tap_receive_iov", "qemu_netfilter_receive"


def options(variant, link):
    """QEMU's options: a hub from the link to the NIC."""
    words = ["-netdev", f"{link},id=feed",
             "-netdev", "hubport,id=in,hubid=0,netdev=feed",
             "-netdev", "hubport,id=n0,hubid=0",
             "-netdev", "hubport,id=sink,hubid=0", *nics.options()]
    if variant == "filter-dump":
        return words + ["-object",
                        "filter-dump,id=dump,netdev=n0,file=/dev/null"]
    return words + capture.options()


def totals(path):
    """The instructions in callgrind's file."""
    match = re.search(r"^totals: (\d+)$", path.read_text(), re.MULTILINE)
    if not match:
        raise Failure("callgrind has counted nothing")
    return int(match[1])


def run(variant, size, count):
    """Instructions for so many frames, and what is done once."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    counts, wrapper = folder / "callgrind", folder / "qemu"
    function = TAP if variant == "tap" else FILTERS
    wrapper.write_text("#!/bin/sh\nexec " + CALLGRIND.format(function, counts)
                       + f' {qtest.QEMU} "$@"\n')
    wrapper.chmod(0o755)
    stock, qtest.QEMU = qtest.QEMU, str(wrapper)
    qtest.PATIENCE = 120
    try:
        option, link = qtest.link()
        machine = qtest.Machine(*options(variant, option))
    finally:
        qtest.QEMU = stock
    with machine:
        device = None
        if variant != "filter-dump":
            device = capture.Capture(machine, BUFFERS, BUFFER_SIZE)
        if variant in ("tap", "captured"):
            device.listen(delay=capture.spec.DELAY_NONE)
        frame = capture.frame(1, size, nics.MAC_BYTES)
        for _ in range(count):
            link.send(frame)
        if variant in ("tap", "captured"):
            if device.wait_counted(count).dropped:
                raise Failure("the capture device dropped frames")
        else:
            time.sleep(2)   # the frames have no other end to ask
    return totals(counts)


def copies(size, count):
    """Instructions of a program that copies frames with memcpy()."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder, "callgrind")
        subprocess.run([*CALLGRIND.format("main", path).split(),
                        OUT / "copy", str(size), str(count)], check=True,
                       stderr=subprocess.DEVNULL)
        return totals(path)


def each(measure):
    """Instructions for one more frame."""
    return (measure(MANY) - measure(FEW)) / (MANY - FEW)


def measure(say):
    """The tap beside memcpy; all filters beside filter-dump."""
    loop = each(lambda count: copies(0, count))
    found = []
    for size in SIZES:
        row = {"size": size,
               "memcpy": each(lambda count: copies(size, count)) - loop}
        for variant in ("tap", "captured", "idle", "filter-dump"):
            row[variant] = each(lambda count: run(variant, size, count))
        found.append({key: round(value, 1) for key, value in row.items()})
        say({"kind": "device", "method": "tap", "size": size, "receivers": 1,
             "accept": "all", "frame": row["tap"]})
    return found
