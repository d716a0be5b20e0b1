#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A netdev with virtio-net headers: records have frames without them, and flags."""
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import nics  # noqa: E402
from capture import Capture, frame, spec  # noqa: E402
from qtest import Machine  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

ETHERTYPE, RARP = 0x88b5, 0x8035
OTHER = bytes.fromhex("525400999999")
NEEDS_CSUM = 1                          # in the virtio-net header


class Interface:
    """The host's end of a tap netdev."""

    def __init__(self, name):
        quiet = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        if quiet.exists():
            quiet.write_text("1")
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                    socket.htons(ETHERTYPE))
        request = struct.pack("16sH", name.encode(), 0x41)      # up, running
        fcntl.ioctl(self.socket, 0x8914, request)               # SIOCSIFFLAGS
        self.socket.bind((name, ETHERTYPE))
        self.socket.settimeout(20)

    def send(self, data):
        """Sends a frame to the NIC."""
        self.socket.send(data)

    def receive(self):
        """Receives a frame of the NIC's; skips those sent here."""
        while True:
            data, address = self.socket.recvfrom(1 << 16)
            if address[2] != socket.PACKET_OUTGOING:
                return data


def captured(cap):
    """Returns flags and content of the captured frames of the test."""
    cap.flush()
    found = [(r.flags, r.data) for r in cap.take_records()
             if r.data[12:14] == ETHERTYPE.to_bytes(2, "big")]
    cap.post(65536)
    return found


def announced(machine, cap):
    """Has QEMU announce the NIC by frames without a header; returns their records."""
    machine.qmp("announce-self", initial=1, max=1, rounds=1, step=1)

    def arrived():
        cap.flush()
        found.extend(r for r in cap.take_records()
                     if r.data[12:14] == RARP.to_bytes(2, "big"))
        return found
    found = []
    wait_for(arrived, "announcement")
    cap.post(65536)
    return [(r.flags, r.datalen, r.data[6:12]) for r in found]


def both_ways(tap, name, model, driver, header):
    """Frames of a NIC that uses the header, and of one that does not."""
    interface = f"cap{os.getpid()}"
    with Machine("-netdev", f"tap,id=n0,ifname={interface},script=no,"
                 "downscript=no,vhost=off", *nics.options(model),
                 "-device", "virtio-capture-pci,netdev=n0,id=cap") as machine:
        host = Interface(interface)
        nic = driver(machine)
        cap = Capture(machine)
        cap.listen(delay=spec.DELAY_NONE)

        host.send(frame(1))
        tap.equal(nic.receive(), frame(1),
                  f"{name}: the NIC receives the frame without change")
        tap.equal(captured(cap), [(0, frame(1))],
                  f"{name}: a received frame is captured without the header")
        nic.send(frame(2))
        tap.equal(host.receive(), frame(2),
                  f"{name}: the host receives the frame without change")
        tap.equal(captured(cap), [(spec.R_SENT, frame(2))],
                  f"{name}: a sent frame is captured without the header")
        tap.equal(announced(machine, cap),
                  [(spec.R_SENT, 60, nics.MAC_BYTES)],
                  f"{name}: QEMU's announcement is captured as sent")
        if header:
            nic.send(frame(3), flags=NEEDS_CSUM)
            tap.equal(captured(cap), [(spec.R_SENT | spec.R_NEEDS_CSUM,
                                       frame(3))],
                      f"{name}: a sent frame without checksum is flagged"
                      " [CAP-DEV-REC-6]")
            nic.send(b"")
            cap.flush()
            tap.ok(all(r.datalen for r in cap.take_records()),
                   f"{name}: a header without a frame is not captured")
            cap.post(65536)
            for step in (5, 12, 20):
                nic.send(frame(5, 99), step=step)
                tap.equal(captured(cap), [(spec.R_SENT, frame(5, 99))],
                          f"{name}: a frame sent in parts of {step} bytes is captured whole"
                          " [CAP-DEV-TAP-2]")
                nic.send(frame(6, 99), step=step, flags=NEEDS_CSUM)
                tap.equal(captured(cap), [(spec.R_SENT | spec.R_NEEDS_CSUM,
                                           frame(6, 99))],
                          f"{name}: a frame without checksum in parts of {step} bytes is flagged")
            nic.promiscuous(False)
        nic.drain()
        cap.listen(flags=spec.L_RECEIVED, delay=spec.DELAY_NONE)
        host.send(frame(7, 60, OTHER))
        host.send(frame(8, 60, nics.MAC_BYTES))
        nic.receive()
        tap.equal(captured(cap), [(0, frame(8, 60, nics.MAC_BYTES))],
                  f"{name}: the address behind the header decides")
        cap.listen(20, delay=spec.DELAY_NONE)
        nic.send(frame(4))
        tap.equal(captured(cap), [(spec.R_SENT, frame(4)[:20])],
                  f"{name}: the snapshot length does not count the header")


def check(tap):
    """With and without the header."""
    if not os.access("/dev/net/tun", os.W_OK) or os.geteuid():
        tap.skip("a netdev with headers", "needs root and /dev/net/tun")
        return
    both_ways(tap, "virtio-net", nics.MODEL, nics.VirtioNet, True)
    both_ways(tap, "e1000", "e1000", nics.E1000, False)


main = Tap()
main.run(check)
sys.exit(main.done())
