# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that unmodified tcpdump in a guest captures known frames unchanged, in both
directions: from a netdev through the NIC's tap, the device and the driver.

Needs scapy, so the tests that use it run with /usr/bin/python3."""
import os
import random
import re
import socket
import subprocess
import tempfile
import threading

from scapy.all import (ARP, Dot1Q, Ether, ICMP, IP, IPv6, Raw, TCP, UDP)

import pcap
from guest import PROGRAMS, VM

HOST_MAC = "52:54:00:aa:aa:aa"
REPLAY = os.path.join(PROGRAMS, "tools", "replay")

# Captures $3 frames in each direction on NIC number $1 with the address $2. Filters
# select the test's frames by their source address.
NIC_SCRIPT = f"""
set -e
date +%s > before$1
timeout 60 tcpdump -i eth$1 -w in$1.pcap -c $3 'ether src {HOST_MAC}'
timeout 60 tcpdump -i eth$1 -w out$1.pcap -c $3 \\
    "ether src $2 and not ip6 and not arp" 2> log$1 &
while ! grep -q listening log$1; do sleep 0.1; done
./replay eth$1 sent$1.pcap
wait $!
cat log$1 >&2
date +%s > after$1
"""
SCRIPT = """
count=$1; script=$2; number=0; shift 2
for address; do
    echo "@@ $number" >&2
    sh -c "$script" sh $number $address $count ||
        echo "status $? for eth$number" >&2
    number=$((number + 1))
done
tar -cf results.tar in* out* before* after*
"""


def make_frames(source, target, seed, count):
    """Makes frames of various kinds and lengths."""
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
    """Returns [(time in us, frame)] of a pcap file."""
    return [(packet.seconds * 1000000 + packet.fraction, packet.data)
            for packet in pcap.read(path).packets]


def same(tap, got, expected, name):
    """Checks that two lists of frames are equal; reports the first difference."""
    wrong = next((i for i, pair in enumerate(zip(got, expected))
                  if pair[0] != pair[1]), None)
    tap.ok(got == expected, name,
           f"{len(got)} frames, {len(expected)} expected, first wrong: {wrong}")


class Nic:
    """A NIC of a guest, and the backend of its netdev."""

    def __init__(self, folder, number, model, count):
        self.number, self.model = number, model
        self.mac = f"52:54:00:12:34:{0x56 + number:02x}"
        self.to_guest = make_frames(HOST_MAC, self.mac, 1, count)
        self.from_guest = make_frames(self.mac, HOST_MAC, 2, count)
        self.qemu, host = f"{folder}/qemu{number}", f"{folder}/host{number}"
        self.spec = (f"dgram,local.type=unix,local.path={self.qemu},"
                     f"remote.type=unix,remote.path={host}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(host)
        self.received = []
        threading.Thread(target=self.receive, daemon=True).start()
        self.file = f"{folder}/sent{number}.pcap"
        pcap.write(self.file, self.from_guest)

    def options(self):
        """Returns the launcher's options for the NIC."""
        return ["--nic", self.model, "--netdev", self.spec, "--add", self.file]

    def receive(self):
        """Records the frames that the guest sends."""
        while True:
            self.received.append(self.socket.recv(65536))

    def send(self):
        """Sends the frames to the guest; blocks while QEMU accepts no more."""
        for frame in self.to_guest:
            self.socket.sendto(frame, self.qemu)


def run_guest(folder, nics, count):
    """Runs the guest; returns the launcher's status, its errors, and tcpdump's
    messages for each NIC."""
    vm = subprocess.Popen(
        [VM, "--timeout", str(100 + 20 * len(nics)), "--add", REPLAY,
         "--get", f"results.tar:{folder}/results.tar",
         *[word for nic in nics for word in nic.options()],
         "--", "sh", "-c", SCRIPT, "sh", str(count), NIC_SCRIPT,
         *[nic.mac for nic in nics]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    logs, sent = [""], set()
    for line in vm.stderr:
        if line.startswith("@@ "):
            logs.append("")
            continue
        logs[-1] += line
        listening = re.search(r"listening on eth(\d+)", line)
        if listening and listening[1] not in sent:
            sent.add(listening[1])
            nics[int(listening[1])].send()
    logs += [""] * (len(nics) + 1 - len(logs))
    return vm.wait(), logs[0], logs[1:]


def test_nics(tap, models, count=400):
    """Tests a guest with a NIC of each model, one NIC after another, with count
    frames in each direction."""
    with tempfile.TemporaryDirectory() as folder:
        nics = [Nic(folder, number, model, count)
                for number, model in enumerate(models)]
        status, complaints, logs = run_guest(folder, nics, count)
        tap.ok(status == 0, "the guest's kernel reports no error", status,
               complaints, *logs)
        if os.path.exists(f"{folder}/results.tar"):
            subprocess.run(["tar", "-xf", f"{folder}/results.tar", "-C",
                            folder], check=True)
        for nic, log in zip(nics, logs):
            judge(tap, nic, folder, log)


def judge(tap, nic, folder, log):
    """Checks the frames of a NIC."""
    model = nic.model
    if not tap.ok(os.path.exists(f"{folder}/after{nic.number}"),
                  f"{model}: the script in the guest runs to its end", log):
        return
    received = read_pcap(f"{folder}/in{nic.number}.pcap")
    sent = read_pcap(f"{folder}/out{nic.number}.pcap")
    with open(f"{folder}/before{nic.number}") as f:
        before = int(f.read())
    with open(f"{folder}/after{nic.number}") as f:
        after = int(f.read()) + 1

    same(tap, [frame for _, frame in received], nic.to_guest,
         f"{model}: received frames are captured completely and in order")
    same(tap, [frame for _, frame in sent], nic.from_guest,
         f"{model}: sent frames are captured completely and in order")
    ours = [frame for frame in nic.received if frame in set(nic.from_guest)]
    same(tap, ours, nic.from_guest,
         f"{model}: the netdev receives sent frames unchanged and in order")
    times = [time for time, _ in received + sent]
    tap.ok(times == sorted(times), f"{model}: time stamps do not decrease")
    tap.ok(times and before * 1000000 <= times[0]
           and times[-1] <= after * 1000000,
           f"{model}: time stamps are of the guest's clock", before, times[:1],
           times[-1:], after)
    tap.equal(log.count("\n0 packets dropped by kernel"), 2,
              f"{model}: no frame is dropped in either direction")
