#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""write(2) when the backend accepts no more frames: the writer waits or gets an error,
and every written frame arrives once the backend accepts frames again."""
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from folders import scratch  # noqa: E402
from lifecycle import Descriptor, Guest, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import PATIENCE, wait_for  # noqa: E402

LENGTH = 1000
TYPE = b"\x88\xb5"
NEW = 1 << 20           # a number that no other frame has


def asleep(guest, one):
    """Waits until the agent sleeps in write(2) on a descriptor."""
    wait_for(lambda: "vcap_inject" in guest.shell(
        "cat /proc/$(pidof agent)/task/*/stack"), "blocked writer")


class Stream:
    """The host's end of a stream netdev, which reads only on request."""

    def __init__(self):
        path = f"{scratch()}/stream"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.settimeout(PATIENCE)
        self.option = f"stream,server=off,addr.type=unix,addr.path={path}"
        self.file = None

    def receive(self):
        """Returns the next frame."""
        if not self.file:
            self.file = self.listener.accept()[0].makefile("rb")
        size = struct.unpack(">I", self.file.read(4))[0]
        return self.file.read(size)


def numbers(end, last):
    """Returns the numbers of test frames that arrive, up to the last."""
    seen = []
    while not seen or seen[-1] != last:
        got = end.receive()
        if got[12:14] == TYPE:
            seen.append(struct.unpack_from(">I", got, 14)[0])
    return seen


def pushes_back(tap, guest, end, what):
    """Tests a writer that waits and one that does not."""
    eager = Descriptor(guest, "eth0", nonblock=True)
    error, count = guest.both(eager.command("write", 0, 100000, LENGTH))
    count = int(count)
    tap.ok(error == "EAGAIN" and 0 < count < 100000,
           f"{what}: a non-blocking write to the full queue is EAGAIN",
           error, count)
    patient = Descriptor(guest, "eth0")
    writing = patient.begin("write", count, 1000, LENGTH)
    asleep(guest, patient)
    tap.equal(eager.error("write", 9, 1, LENGTH), "EAGAIN",
              f"{what}: it is EAGAIN while a blocking write waits")
    seen = numbers(end, count + 999)
    tap.equal(seen, list(range(count + 1000)),
              f"{what}: every frame arrives, once and in order")
    tap.equal(guest.result(writing), ("0", "1000"),
              f"{what}: the blocking write ends")
    for one in (eager, patient):
        one.close()
    return count


def full_again(guest, count):
    """Has a writer wait for a backend that accepts no more frames."""
    one = Descriptor(guest, "eth0")
    writing = one.begin("write", 0, count + 2000, LENGTH)
    asleep(guest, one)
    return one, writing


def dgram(tap):
    """A datagram netdev whose other end does not read."""
    guest, end = dgram_guest(acpi=True)
    with guest:
        guest.ready()
        count = pushes_back(tap, guest, end, "dgram")

        one, writing = full_again(guest, count)
        guest.unplug("capture0")
        tap.equal(guest.result(writing)[0], "ENXIO",
                  "device unplugged: a blocking write is ENXIO")
        one.close()
        guest.plug_capture()
        other = Descriptor(guest, "eth0")
        writing = other.begin("write", NEW, 1, LENGTH)
        # After the frames that were queued before.
        tap.equal(numbers(end, NEW).count(NEW), 1,
                  "device plugged in again: a written frame arrives once")
        tap.equal(guest.result(writing), ("0", "1"),
                  "device plugged in again: the write ends")
        other.close()

        one, writing = full_again(guest, count)
        guest.qmp("netdev_del", id="net0")
        error = guest.result(writing)[0]
        tap.ok(error in ("0", "EINVAL", "ENXIO"),
               "netdev removed: a blocking write ends", error)
        # ENXIO from the device, EINVAL once the driver is unbound from it.
        answers = []
        wait_for(lambda: answers.append(one.error("write", 1, 1, LENGTH)) or
                 answers[-1] != "ENXIO", "detached descriptor")
        tap.equal(answers[-1], "EINVAL",
                  "netdev removed: a further write is EINVAL")
        one.close()
        guest.end(tap)


def stream(tap):
    """A stream netdev whose other end does not read."""
    end = Stream()
    with Guest("--netdev", end.option) as guest:
        guest.ready()
        pushes_back(tap, guest, end, "stream")
        guest.end(tap)


TAP = Tap()
TAP.run(dgram, stream)
sys.exit(TAP.done())
