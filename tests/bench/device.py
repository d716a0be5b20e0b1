# SPDX-License-Identifier: GPL-2.0-or-later
"""
QEMU's own instructions for each frame, as callgrind counts them.

This includes a listener with the filter program "tcp port 80", for frames that
it accepts and that it rejects. A device without FILTER captures both.

Runs the stock QEMU with the plug-in and without a guest: the capture device is
driven over qtest, as in tests/device. Frames arrive through a hub, so that they
pass whether or not the NIC has room for them. The difference of two runs with a
different number of frames excludes work that is done once.

Also counts the instructions from the tap to the driver's interrupt.
"""
import re
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from machine import OUT, Failure

import capture
import emulator
import folders
import links
import nics
import qtest
import virtio_pci
import waiting

SIZES = (64, 512, 1514)
FEW, MANY = 500, 2500
BUFFERS, BUFFER_SIZE = 8, 1 << 20       # room for MANY of the longest frames

CALLGRIND = ("valgrind --tool=callgrind --collect-atstart=no "
             "--toggle-collect={} --callgrind-out-file={}")

# The same, but writes a file at each entry of two functions.
PACED = 9
PARTS = ("valgrind --tool=callgrind --dump-before={} --dump-before={} "
         "--callgrind-out-file={}")

# The function that is measured: the tap, or all network filters.
TAP, FILTERS = "capture_tap_receive_iov", "qemu_netfilter_receive"

# The tap calls this only for few frames, so its cost is excluded.
ASK = "nic_accepts"

# The listener's filter program.
PROGRAM = "tcp port 80"

# Headers of IPv4 without options and of TCP; the destination ports.
IPV4 = struct.Struct(">BBHHHBBH4s4s")
TCP = struct.Struct(">HHIIBBHHH")
PORTS = {"accepted": 80, "rejected": 81}

# FILTER, for specification headers that lack it.
F_FILTER = getattr(capture.spec, "F_FILTER", 1)
C_FILTER = getattr(capture.spec, "C_FILTER", 4)
FILTER = struct.Struct("<IIII")
INSTRUCTION = struct.Struct("<HBBI")
COUNTERS = struct.Struct("<QQQQQ")

# The function that sends a used buffer notification.
RAISE = "virtio_notify"


def options(variant, link):
    """Returns QEMU's options: a hub between the link and the NIC."""
    words = ["-netdev", f"{link},id=feed",
             "-netdev", "hubport,id=in,hubid=0,netdev=feed",
             "-netdev", "hubport,id=n0,hubid=0",
             "-netdev", "hubport,id=sink,hubid=0", *nics.options()]
    if variant == "filter-dump":
        return words + ["-object",
                        "filter-dump,id=dump,netdev=n0,file=/dev/null"]
    return words + capture.options()


def totals(path):
    """Returns the number of instructions in callgrind's file."""
    match = re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE)
    if not match:
        raise Failure("callgrind's file has no totals")
    return int(match[1])


def calls(path, function):
    """Returns a function's number of calls in callgrind's file, and its
    instructions including those of its callees."""
    text = path.read_text()
    name = re.search(rf"^c?fn=(\(\d+\)) {function}$", text, re.MULTILINE)
    found = re.findall(rf"^cfn={re.escape(name[1])}.*\ncalls=(\d+) .*\n\S+ (\d+)",
                       text, re.MULTILINE) if name else []
    return [sum(int(one[part]) for one in found) for part in (0, 1)]


def start(variant, valgrind):
    """Starts a machine under valgrind; returns it and the link to its NIC."""
    wrapper = folders.scratch() / "qemu"
    wrapper.write_text(f'#!/bin/sh\nexec {valgrind} {emulator.QEMU} "$@"\n')
    wrapper.chmod(0o755)
    stock, emulator.QEMU = emulator.QEMU, str(wrapper)
    try:
        option, link = links.link()
        return qtest.Machine(*options(variant, option)), link
    finally:
        emulator.QEMU = stock


def packet(variant, size):
    """Returns a frame for the NIC, which carries TCP if a program filters it."""
    if variant not in PORTS:
        return capture.frame(1, size, nics.MAC_BYTES)
    length = size - 14
    head = nics.MAC_BYTES + bytes(6) + b"\x08\0"
    ip = IPV4.pack(0x45, 0, length, 1, 0, 64, 6, 0, b"\x0a\0\0\1",
                   b"\x0a\0\0\2")
    tcp = TCP.pack(40000, PORTS[variant], 0, 0, 0x50, 0, 0, 0, 0)
    return (head + ip + tcp).ljust(size, b"\x5a")


def program():
    """Returns PROGRAM as tcpdump compiles it, and its number of instructions."""
    words = subprocess.run(["tcpdump", "-y", "EN10MB", "-ddd", PROGRAM],
                           check=True, capture_output=True).stdout.split()
    numbers = [int(word) for word in words]
    return b"".join(INSTRUCTION.pack(*numbers[at:at + 4])
                    for at in range(1, len(numbers), 4)), numbers[0]


def has_filter():
    """Whether the device offers FILTER."""
    with qtest.Machine(*options("tap", links.link()[0])) as machine:
        return bool(capture.Capture(machine).offered() >> F_FILTER & 1)


def counters(device):
    """Returns the clock, and the numbers of frames that were captured, dropped
    and, with a program, seen."""
    status, rest = device.control(
        capture.spec.C_CLOCK, capture.CLOCK.pack(0, 0, 0), 8 + COUNTERS.size)
    if status:
        raise Failure(f"the device answers {status} to CLOCK")
    return struct.unpack(f"<{len(rest) // 8}Q", rest)


def listener(machine, variant, filters):
    """Starts a driver with the listener and the program of the variant."""
    wanted = filters and variant in PORTS
    features = (virtio_pci.F_VERSION_1,) + ((F_FILTER,) if wanted else ())
    device = capture.Capture(machine, BUFFERS, BUFFER_SIZE, features=features)
    if wanted:
        code, count = program()
        device.request = machine.allocate(1024)
        status, _ = device.control(C_FILTER, FILTER.pack(0, 0, count, 0) + code,
                                   8 + COUNTERS.size)
        if status:
            raise Failure(f"the device answers {status} to FILTER")
    if variant != "idle":
        device.listen(delay=capture.spec.DELAY_NONE)
    return device


def await_frames(device, variant, count, filters):
    """Waits until the device has seen that many frames; fails if it dropped one."""
    rejects = filters and variant == "rejected"

    def enough():
        now = counters(device)
        return (now[3] if rejects else now[1] + now[2]) >= count and now
    now = waiting.wait_for(enough, f"{count} frames in the counters")
    if now[2] or rejects and now[1]:
        raise Failure(f"{variant}: {now[1]} frames captured, {now[2]} dropped")


def run(variant, size, count, filters=False):
    """Returns the instructions for that many frames, except for asking the NIC."""
    counts = folders.scratch() / "callgrind"
    function = TAP if variant == "tap" else FILTERS
    machine, link = start(variant, CALLGRIND.format(function, counts))
    with machine:
        device = None
        if variant != "filter-dump":
            device = listener(machine, variant, filters)
        frame = packet(variant, size)
        for _ in range(count):
            link.send(frame)
        if variant in ("idle", "filter-dump"):
            time.sleep(2)   # nothing counts these frames
        else:
            await_frames(device, variant, count, filters)
    # Exclude asking the NIC, which the device does once a second: a run takes
    # more seconds under valgrind.
    times, cost = calls(counts, ASK)
    if times > count / 100:
        raise Failure("the device asks the NIC for its filter too often")
    return totals(counts) - cost


def latency(size):
    """
    Returns the main loop iterations and the instructions from the tap to the
    driver's interrupt, with a listener in immediate mode.

    callgrind writes its counts since the last file when the tap is entered and
    when the interrupt is raised; each iteration calls qemu_poll_ns() once. The
    frames are paced, and QEMU gets no other commands meanwhile; the NIC has no
    driver to notify. The figures are medians because the device asks the NIC for
    its receive filter at the first frame.
    """
    folder = folders.scratch()

    def parts(trigger):
        return [path for path in folder.glob("callgrind.*")
                if f"--dump-before={trigger}\n" in path.read_text()]

    machine, link = start("tap", PARTS.format(TAP, RAISE, folder / "callgrind"))
    with machine:
        device = capture.Capture(machine, PACED + 1)
        device.listen(delay=0)
        for number in range(PACED):
            before = len(parts(RAISE))
            link.send(capture.frame(number, size, nics.MAC_BYTES))
            waiting.wait_for(lambda count=before: len(parts(RAISE)) > count,
                             "notification")
        device.wait_records(PACED)
    if len(parts(TAP)) != PACED:
        raise Failure("the tap has not seen every frame once")
    found = [folder / f"callgrind.{int(path.suffix[1:]) + 1}"
             for path in parts(TAP)]
    return {"turns": median(calls(path, "qemu_poll_ns")[0]
                            for path in found),
            "notified": median(map(totals, found))}


def copies(size, count):
    """Returns the instructions of a program that copies frames with memcpy()."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder, "callgrind")
        subprocess.run([*CALLGRIND.format("main", path).split(),
                        OUT / "copy", str(size), str(count)], check=True,
                       stderr=subprocess.DEVNULL)
        return totals(path)


def each(measure):
    """Returns the instructions for one more frame."""
    return (measure(MANY) - measure(FEW)) / (MANY - FEW)


def measure(say):
    """Measures the tap and memcpy, all filters and filter-dump, and the latency."""
    loop = each(lambda count: copies(0, count))
    filters = has_filter()
    found = []
    for size in SIZES:
        row = {"size": size,
               "memcpy": each(lambda count: copies(size, count)) - loop}
        for variant in ("tap", "captured", "idle", "filter-dump", *PORTS):
            row[variant] = each(lambda count: run(variant, size, count,
                                                  filters))
        row.update(latency(size))
        found.append({key: round(value, 1) for key, value in row.items()})
        found[-1]["filter"] = filters
        say({"kind": "device", "method": "tap", "size": size, "receivers": 1,
             "accept": "all", "frame": row["tap"]})
    return found
