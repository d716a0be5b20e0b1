#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture on the host: the property pcapng, a file with all frames."""
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import emulator  # noqa: E402
import folders  # noqa: E402
import nics  # noqa: E402
import pcapng  # noqa: E402
import qtest  # noqa: E402
import waiting  # noqa: E402
from capture import frame, inject, spec  # noqa: E402
from launches import small_disk  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

SIZES = (14, 60, 61, 62, 63, 1514)


def recorded(path, name=None, **keywords):
    """Returns a Stage whose device writes to that file."""
    more = f",pcapng-name={name}" if name else ""
    return Stage(capture_args=f",pcapng={path}{more}", **keywords)


def told(file):
    """Returns (direction, frame) of each packet."""
    return [(one.direction, one.data) for one in file.packets]


def tcpdump(path):
    """Returns the lengths of the frames that tcpdump reads from the file."""
    done = subprocess.run(["tcpdump", "-n", "-e", "-r", path], text=True,
                          check=False, capture_output=True)
    return [int(one) for one in re.findall(r"length (\d+)", done.stdout)] \
        if not done.returncode else done.stderr


def frames_in_file(tap):
    """The file has all frames that have passed QEMU, in order."""
    path = folders.scratch() / "file"
    path.write_bytes(bytes(100000))
    before = time.time_ns()
    with recorded(path, "eth7") as stage:
        tap.equal(pcapng.read(path)[:4], ("eth7", [], 0, 0),
                  "an old file is emptied, the new one has the name")
        expected = []
        for number, size in enumerate(SIZES):
            data = frame(number, max(size, 18))[:size]
            if size >= 60:      # QEMU's NICs pad shorter ones
                stage.receive(data)
                expected.append(("in", data))
            stage.send(data)
            expected.append(("out", data))
        file = pcapng.read(path)
        tap.equal(told(file), expected,
                  "both directions in order, before anybody listens")
        tap.equal(tcpdump(path), [len(data) for _, data in expected],
                  "tcpdump reads it")
        tap.equal((file.received, file.dropped), (len(expected), 0),
                  "the counts are there all the time")
        times = [before, file.start, *(one.time for one in file.packets),
                 file.end, time.time_ns()]
        tap.equal(times, sorted(times), "times of the host's clock")
        tap.equal([one.length for one in file.packets],
                  [len(one.data) for one in file.packets], "whole frames")
        tap.ok(not stage.cap.tap_exists(), "the tap is not there for that")
        time.sleep(0.01)
    last = pcapng.read(path)
    tap.ok(last.end > file.end + 10_000_000 and last[:4] == file[:4],
           "at QEMU's end the time of the counts is that")


def beside_listeners(tap):
    """The driver captures and injects meanwhile; the switch has no effect."""
    path = folders.scratch() / "file"
    with recorded(path) as stage:
        stage.cap.listen()
        stage.receive(frame(1))
        tap.equal([one.data for one in stage.cap.wait_records(1)], [frame(1)],
                  "a listener captures as well")
        tap.equal(inject(stage.cap, frame(2)), 0, "a frame of the driver's")
        stage.link.receive()
        inject(stage.cap, frame(3), spec.I_FEEDBACK)
        stage.link.receive()
        stage.machine.qmp("qom-set", path="/machine/peripheral/cap",
                          property="capture", value=False)
        stage.send(frame(4))
        stage.machine.qmp("set_link", name="nic", up=False)
        stage.link.send(frame(5))
        stage.link.wait_taken()
        file = pcapng.read(path)
        tap.equal(told(file), [("in", frame(1)), ("out", frame(2)),
                               ("out", frame(3)), ("out", frame(4))],
                  "injected frames once; the switch is not about the file; no "
                  "frame for a NIC whose link is down")
        tap.equal(file.name, "n0", "without a name that of the netdev")


def killed(tap):
    """After SIGKILL the file has all frames that have passed QEMU."""
    path = folders.scratch() / "file"
    with recorded(path) as stage:
        for number in range(20):
            stage.send(frame(number, 1000))
        stage.machine.process.kill()
        stage.machine.process.wait()
    file = pcapng.read(path)
    tap.equal((told(file), file.received),
              ([("out", frame(number, 1000)) for number in range(20)], 20),
              "a QEMU that is killed: all frames are there, and their number")


def goes(tap):
    """The device or its netdev is removed while QEMU runs."""
    folder = folders.scratch()
    for what, command, arguments in (
            ("netdev", "netdev_del", {"id": "n0"}),
            ("device", "device_del", {"id": "cap"})):
        path = folder / what
        with recorded(path) as stage:
            stage.receive(frame(1))
            time.sleep(0.01)
            stage.machine.qmp(command, **arguments)
            if what == "device":
                stage.machine.qmp("system_reset")   # no guest ejects it
                stage.machine.qmp.event("DEVICE_DELETED")
                stage.machine.qmp.event("DEVICE_DELETED")
            file = pcapng.read(path)
            tap.equal(told(file), [("in", frame(1))], f"the {what} goes")
            tap.ok(file.end > file.packets[0].time + 10_000_000,
                   f"the {what} goes: the file has ended")
            if what == "device":
                stage.machine.qmp("device_add", driver="virtio-capture-pci",
                                  netdev="n0", pcapng=str(path))
                tap.equal(pcapng.read(path).packets, [],
                          "another device may write to it")


def full(tap):
    """A file system that is full for a while."""
    folder = folders.scratch()
    wrapper = folder / "qemu"
    words = small_disk(folder, 8 * 4096)
    wrapper.write_text("#!/bin/sh\nexec " + " ".join(
        f"'{word}'" for word in [*words, shutil.which(emulator.QEMU)])
        .replace(f"'{words[-2]}'", "'" + words[-2].replace("'", "'\\''") + "'")
        + ' "$@"\n')
    wrapper.chmod(0o755)
    path, old = folder / "file", emulator.QEMU
    emulator.QEMU = str(wrapper)
    try:
        stage = recorded(path)
    finally:
        emulator.QEMU = old
    with stage:
        there = Path(f"/proc/{stage.machine.process.pid}/root")
        inside = Path(f"{there}{path}")
        filler = Path(f"{there}{folder}/filler")
        filler.write_bytes(bytes(5 * 4096))
        for number in range(12):
            stage.send(frame(number, 1500))
        before = pcapng.read(inside)
        kept = len(before.packets)
        tap.ok(2 < kept < 12 and before.dropped == 12 - kept
               and before.received == 12,
               "a full disk: whole frames, and the number of the others",
               before[2:4], kept)
        filler.unlink()
        stage.send(frame(12), frame(13))
        after = pcapng.read(inside)
        tap.equal([(one.data, one.lost) for one in after.packets[kept:]],
                  [(frame(12), 12 - kept), (frame(13), 0)],
                  "room again: the next frame has the number of missing frames")
        said = stage.machine.output()
        tap.equal(said.count("cannot write"), 1, "QEMU reports the error once")
        tap.contains(said, "virtio-capture: cannot write all frames of netdev "
                     f"'n0' to '{path}': No space left on device",
                     "it names netdev and file")


def virtio_header(tap):
    """A netdev that has a header before each frame."""
    if os.geteuid() or not os.path.exists("/dev/net/tun"):
        tap.skip("a netdev with headers", "needs root and /dev/net/tun")
        return
    path = folders.scratch() / "file"
    with qtest.Machine("-netdev", f"tap,id=n0,ifname=cap{os.getpid()},"
                       "script=no,downscript=no,vhost=off", *nics.options(nics.MODEL), "-device",
                       f"virtio-capture-pci,netdev=n0,id=cap,pcapng={path}"
                       ) as machine:
        nic = nics.VirtioNet(machine)
        nic.send(frame(1))
        waiting.wait_for(lambda: pcapng.read(path).packets, "frame")
        data = [one.data for one in pcapng.read(path).packets
                if one.direction == "out"]
        tap.equal(data, [frame(1)], "a tap: the frame without the header")


def refused(tap):
    """Files that cannot be written."""
    folder = folders.scratch()
    os.mkfifo(folder / "fifo")
    long = "x" * 65536
    netdevs = ["-netdev", "hubport,hubid=0,id=n0",
               "-netdev", "hubport,hubid=1,id=n1"]
    for paths, more, error in (
            ([folder / "no/file"], "",
             f"Could not create '{folder}/no/file': No such file"),
            ([folder], "", f"Could not create '{folder}': Is a directory"),
            ([folder / "fifo"], "", "No such device or address"),
            (["/dev/null"], "",
             "'pcapng' names '/dev/null', which is not a regular file"),
            ([folder / "one", folder / "one"], "",
             f"'pcapng' names '{folder}/one', which is in use"),
            ([folder / "one"], f",pcapng-name={long}",
             "'pcapng-name' is longer than 65535 bytes")):
        devices = [word for number, path in enumerate(paths) for word in (
            "-device", f"virtio-capture-pci,netdev=n{number},pcapng={path}"
                       f"{more}")]
        status, errors = emulator.run_qemu(*netdevs, *devices)
        tap.equal(status, 1, f"{error}: QEMU does not start")
        tap.contains(errors, error, f"{error}: QEMU reports it")


main = Tap()
main.run(frames_in_file, beside_listeners, killed, goes, full, virtio_header,
         refused)
sys.exit(main.done())
