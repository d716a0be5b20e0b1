# SPDX-License-Identifier: GPL-2.0-or-later
"""Known frames in, the same frames out: from a netdev through the NIC's tap,
the device, the driver and unmodified tcpdump into a file; both directions.

Needs scapy, so the tests that use it run with /usr/bin/python3."""
import os
import random
import socket
import subprocess
import tempfile
import threading

from scapy.all import (ARP, Dot1Q, Ether, ICMP, IP, IPv6, Raw, TCP, UDP,
                       RawPcapReader, wrpcap)

from guest import TOP, VM

GUEST_MAC = "52:54:00:12:34:56"
HOST_MAC = "52:54:00:aa:aa:aa"
REPLAY = os.path.join(TOP, "build", "tests", "guest", "tools", "replay")

# The address of the source is that of the direction, so one filter tells the
# test's frames from the guest's own.
IN, OUT = f"ether src {HOST_MAC}", f"ether src {GUEST_MAC} and not ip6 and " \
    "not arp"
SCRIPT = f"""
set -e
date +%s > before
tcpdump -i eth0 -w in.pcap -c $1 '{IN}'
tcpdump -i eth0 -w out.pcap -c $1 '{OUT}' 2> log &
while ! grep -q listening log; do sleep 0.1; done
./replay eth0 sent.pcap
wait $!
cat log >&2
date +%s > after
"""


def make_frames(source, target, seed, count):
    """Frames of every kind and length."""
    rng = random.Random(seed)
    heads = [IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=9, dport=9),
             IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=80, dport=9),
             IP(src="192.0.2.1", dst="192.0.2.2") / ICMP(),
             Dot1Q(vlan=7) / IP(dst="192.0.2.3") / UDP(),
             Raw(b"")]
    if source == HOST_MAC:
        heads += [ARP(psrc="192.0.2.1", pdst="192.0.2.2"),
                  IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP()]
    frames = []
    for number in range(count):
        head = bytes(Ether(src=source, dst=target, type=0x88b5)
                     / heads[number % len(heads)])
        if number % len(heads) != 4:
            head = bytes(Ether(src=source, dst=target)
                         / heads[number % len(heads)])
        size = rng.choice((60, 61, 1513, 1514, rng.randint(60, 1514)))
        frames.append(head + rng.randbytes(max(0, size - len(head))))
    return frames


def read_pcap(path):
    """[(time in us, frame)] of a pcap file."""
    return [(meta.sec * 1000000 + meta.usec, frame)
            for frame, meta in RawPcapReader(path)]


def same(tap, got, expected, name):
    """Passes when two lists of frames are equal; tells the first that is not."""
    wrong = next((i for i, pair in enumerate(zip(got, expected))
                  if pair[0] != pair[1]), None)
    tap.ok(got == expected, name,
           f"{len(got)} frames, {len(expected)} expected, first wrong: {wrong}")


class Netdev:
    """The host's end of a datagram netdev."""

    def __init__(self, folder):
        self.qemu, self.host = f"{folder}/qemu", f"{folder}/host"
        self.spec = (f"dgram,local.type=unix,local.path={self.qemu},"
                     f"remote.type=unix,remote.path={self.host}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.host)
        self.received = []
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        """Keeps what the guest sends."""
        while True:
            self.received.append(self.socket.recv(65536))

    def send(self, frames):
        """Sends; blocks while QEMU does not take more."""
        for frame in frames:
            self.socket.sendto(frame, self.qemu)


def test_nic(tap, model, count=400):
    """One guest with a NIC of that model; so many frames each way."""
    to_guest = make_frames(HOST_MAC, GUEST_MAC, 1, count)
    from_guest = make_frames(GUEST_MAC, HOST_MAC, 2, count)
    with tempfile.TemporaryDirectory() as folder:
        netdev = Netdev(folder)
        wrpcap(f"{folder}/sent.pcap", from_guest, linktype=1)
        vm = subprocess.Popen(
            [VM, "--nic", model, "--netdev", netdev.spec, "--add", REPLAY,
             "--add", f"{folder}/sent.pcap"]
            + [word for name in ("in.pcap", "out.pcap", "before", "after")
               for word in ("--get", f"{name}:{folder}/{name}")]
            + ["--", "sh", "-c", SCRIPT, "sh", str(count)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        log = ""
        for line in vm.stderr:
            log += line
            if "listening on eth0" in line:
                netdev.send(to_guest)
                break
        log += vm.stderr.read()
        if not tap.ok(vm.wait() == 0, f"{model}: the guest did its part", log):
            return
        received = read_pcap(f"{folder}/in.pcap")
        sent = read_pcap(f"{folder}/out.pcap")
        with open(f"{folder}/before") as f:
            before = int(f.read())
        with open(f"{folder}/after") as f:
            after = int(f.read()) + 1

    same(tap, [frame for _, frame in received], to_guest,
         f"{model}: received frames are captured whole and in order")
    same(tap, [frame for _, frame in sent], from_guest,
         f"{model}: sent frames are captured whole and in order")
    ours = [frame for frame in netdev.received if frame in set(from_guest)]
    same(tap, ours, from_guest,
         f"{model}: and arrive outside, undisturbed")
    times = [time for time, _ in received + sent]
    tap.ok(times == sorted(times), f"{model}: times do not go backwards")
    tap.ok(before * 1000000 <= times[0] and times[-1] <= after * 1000000,
           f"{model}: they are of the guest's clock",
           before, times[0], times[-1], after)
    tap.contains(log, "0 packets dropped by kernel",
                 f"{model}: nothing was dropped")
