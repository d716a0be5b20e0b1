#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture in both directions on every kind of netdev."""
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from folders import scratch  # noqa: E402
from lifecycle import Descriptor, Guest  # noqa: E402
from links import link  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import PATIENCE  # noqa: E402

BPF_D_OUT = 2
SIZES = (60, 61, 1000, 1513, 1514)


class Connection:
    """The host's end of a netdev that prefixes each frame with its length."""

    def __init__(self):
        self.path = f"{scratch()}/socket"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.settimeout(PATIENCE)
        self.socket = None

    def send(self, *frames):
        """Sends frames to the NIC."""
        if not self.socket:
            self.socket = self.listener.accept()[0]
        for data in frames:
            self.socket.sendall(struct.pack(">I", len(data)) + data)

    def receive(self):
        """Returns the next frame that the NIC sent."""
        size = self.socket.recv(4, socket.MSG_WAITALL)
        return self.socket.recv(struct.unpack(">I", size)[0],
                                socket.MSG_WAITALL)


class Tcp(Connection):
    """The same, for a netdev that can only use TCP."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.path = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.socket = None


class Multicast:
    """The host's end of a multicast group, which a netdev joins."""

    GROUP = "239.192.0.1"

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((self.GROUP, 0))
        local = socket.inet_aton("127.0.0.1")
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                               socket.inet_aton(self.GROUP) + local)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                               local)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        self.port = self.socket.getsockname()[1]

    def send(self, *frames):
        """Sends frames to the NIC."""
        for data in frames:
            self.socket.sendto(data, (self.GROUP, self.port))

    def receive(self):
        """Returns the next frame that the NIC sent."""
        return self.socket.recv(65536)


def both_ways(tap, guest, name, what, end):
    """Checks frames from the host and from the guest."""
    one = Descriptor(guest, name, immediate=True)
    # A multicast group returns the guest's own frames to it.
    out = Descriptor(guest, name, immediate=True, direction=BPF_D_OUT)
    sent = [frame(i, size) for i, size in enumerate(SIZES)]
    end.send(*sent)
    one.wait_captured(len(sent))
    tap.equal(frames(one), sent, f"{what}: received frames are captured whole")
    for number, size in enumerate(SIZES):
        guest.call(f"send {name} {100 + number} 1 {size}")
    out.wait_captured(len(sent))
    captured = frames(out)
    arrived = []
    while len(arrived) < len(SIZES):
        got = end.receive()
        if got[12:14] == b"\x88\xb5" and got not in sent:
            arrived.append(got)
    tap.equal([len(data) for data in captured], list(SIZES),
              f"{what}: sent frames are captured whole")
    tap.ok(captured == arrived,
           f"{what}: sent frames arrive as they were captured")
    one.close()
    out.close()


def frames(one):
    """Returns the frames that a descriptor has captured."""
    return [bytes.fromhex(word.split(":")[1])
            for word in one.call("frames").split()]


def user(tap, guest, name):
    """The user-mode network answers a ping."""
    one = Descriptor(guest, name, ethertype="0800", immediate=True)
    guest.shell(f"ping -c 1 -s 1400 -I {name} 10.0.2.2")
    got = [data for data in frames(one) if data[23] == 1]
    tap.equal([len(data) for data in got], [1442] * 2,
              "user: request and answer are captured")
    tap.ok(got[0][34] == 8 and got[1][34] == 0 and
           got[0][42:] == got[1][42:],
           "user: request and answer are captured whole")
    one.close()


def main(tap):
    """Tests a NIC on each kind of netdev, in one guest."""
    option, dgram = link()
    hub_option, hub = link()
    stream, tcp, group = Connection(), Tcp(), Multicast()
    ends = {
        "dgram": (option, dgram),
        "stream": (f"stream,server=off,addr.type=unix,addr.path={stream.path}",
                   stream),
        "socket,connect": (f"socket,connect={tcp.path}", tcp),
        "socket,mcast": (f"socket,mcast={group.GROUP}:{group.port},"
                         "localaddr=127.0.0.1", group),
        "hubport": ("hubport,hubid=0", hub),
    }
    words = [word for option, _ in ends.values()
             for word in ("--netdev", option)]
    with Guest(*words, "--netdev", "user",
               "--qemu-arg", "-netdev", "--qemu-arg", f"{hub_option},id=far",
               "--qemu-arg", "-netdev", "--qemu-arg",
               "hubport,hubid=0,id=port,netdev=far") as guest:
        guest.ready()
        for number, (what, (_, end)) in enumerate(ends.items()):
            both_ways(tap, guest, f"eth{number}", what, end)
        user(tap, guest, f"eth{len(ends)}")
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
