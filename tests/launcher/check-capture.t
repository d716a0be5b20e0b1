#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/demo/check-capture accepts a complete capture and refuses damaged ones.

The test makes the captures, with the system's Python, which has scapy.
"""
import logging
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.dhcp import BOOTP, DHCP  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.l2 import ARP, Ether  # noqa: E402
import pcap  # noqa: E402
from tap import Tap  # noqa: E402

CHECK = Path(__file__).resolve().parents[2] / "images" / "demo" / "check-capture"
GUEST, HOST = "52:54:00:12:34:56", "52:55:0a:00:02:02"
PORT = 4242
PAGE = b"".join(b"line %d of the page\n" % number for number in range(500))
ANSWER = b"HTTP/1.0 200 OK\r\nServer: test\r\n\r\n" + PAGE
STEP = 1000
LAST = f"data {(len(ANSWER) - 1) // STEP}"
# Near the end of the sequence numbers, so that they wrap.
START = 0xffffffff - 2500


def frames():
    """The frames of a complete capture, by name, in order."""
    sent, received = Ether(src=GUEST, dst=HOST), Ether(src=HOST, dst=GUEST)
    ours, theirs = IP(src="10.0.2.15", dst="10.0.2.2"), \
        IP(src="10.0.2.2", dst="10.0.2.15")
    lease = {"src": "0.0.0.0", "dst": "255.255.255.255"}
    made = {
        "dhcp sent": sent / IP(**lease) / UDP(sport=68, dport=67)
        / BOOTP() / DHCP(options=[("message-type", "discover"), "end"]),
        "dhcp received": received / theirs / UDP(sport=67, dport=68)
        / BOOTP(op=2) / DHCP(options=[("message-type", "offer"), "end"]),
        "arp sent": sent / ARP(op=1), "arp received": received / ARP(op=2),
        "icmp sent": sent / ours / ICMP(type=8),
        "icmp received": received / theirs / ICMP(type=0),
        "syn": sent / ours / TCP(sport=9, dport=PORT, flags="S", seq=1),
        "syn ack": received / theirs
        / TCP(sport=PORT, dport=9, flags="SA", seq=START),
        "request": sent / ours / TCP(sport=9, dport=PORT, flags="PA", seq=2)
        / b"GET / HTTP/1.0\r\n\r\n",
        # Padded to the shortest frame, as Ethernet does.
        "ack": received / theirs / TCP(sport=PORT, dport=9, flags="A",
                                       seq=START + 1) / b"",
    }
    made["ack"] = Ether(bytes(made["ack"]) + bytes(6))
    for offset in range(0, len(ANSWER), STEP):
        made[f"data {offset // STEP}"] = received / theirs / TCP(
            sport=PORT, dport=9, flags="A",
            seq=START + 1 + offset & 0xffffffff) / ANSWER[offset:offset + STEP]
    return made


def file(made):
    """A pcap file of the frames."""
    return pcap.contents(made.values())


def log(captured, dropped=0):
    """The messages of tcpdump at its end."""
    return (f"tcpdump: listening on eth0\n{captured} packets captured\n"
            f"{captured} packets received by filter\n"
            f"{dropped} packets dropped by kernel\n")


def check(data, messages, page=PAGE):
    """Runs check-capture on files with that content."""
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder, name) for name in ("capture", "log", "page")]
        for name, content in zip(names, (data, messages.encode(), page)):
            if content is not None:
                name.write_bytes(content)
        return subprocess.run([CHECK, *names, str(PORT)], text=True,
                              capture_output=True, check=False)


def refused(tap, what, message, data, messages, page=PAGE):
    """Checks that a capture is refused with that error."""
    done = check(data, messages, page)
    tap.ok(done.returncode != 0, f"{what}: check-capture fails", done.stdout)
    tap.contains(done.stderr, message, f"{what}: check-capture's error is {message!r}")


def test_whole(tap):
    made = frames()
    done = check(file(made), log(len(made)))
    tap.equal((done.returncode, done.stderr), (0, ""),
              "a whole capture: check-capture succeeds")
    rows = dict(line.split(None, 1) for line in done.stdout.splitlines()
                if len(line.split()) == 3)
    segments = -(-len(ANSWER) // STEP)
    tap.equal({name: rows[name].split() for name in
               ("DHCP", "ARP", "ICMP", "TCP", "other")},
              {"DHCP": ["1", "1"], "ARP": ["1", "1"], "ICMP": ["1", "1"],
               "TCP": ["2", str(segments + 2)], "other": ["0", "0"]},
              "check-capture counts frames by protocol and direction")


def test_order(tap):
    made = frames()
    again, moved = made["data 3"], made.pop("data 2")
    made.update({"again": again, "late": moved})
    done = check(file(made), log(len(made)))
    tap.equal((done.returncode, done.stderr), (0, ""),
              "segments out of order and twice: check-capture succeeds")


def test_missing(tap):
    for name, message in (
            ("dhcp sent", "no DHCP frame was sent"),
            ("dhcp received", "no DHCP frame was received"),
            ("arp sent", "no ARP frame was sent"),
            ("arp received", "no ARP frame was received"),
            ("icmp sent", "no ICMP frame was sent"),
            ("icmp received", "no ICMP frame was received"),
            ("syn ack", "start of the web server's connection is missing"),
            ("data 0", "lacks 1000 bytes at 0"),
            ("data 4", "lacks 1000 bytes at 4000"),
            (LAST, "is not the one that was served")):
        made = frames()
        del made[name]
        refused(tap, f"without {name}", message, file(made), log(len(made)))


def test_no_tcp(tap):
    for way, source in (("sent", GUEST), ("received", HOST)):
        made = {name: frame for name, frame in frames().items()
                if not (TCP in frame and frame.src == source)}
        refused(tap, f"no TCP {way}", f"no TCP frame was {way}", file(made),
                log(len(made)))


def test_damaged(tap):
    made = frames()
    data, messages = file(made), log(len(made))
    refused(tap, "no file", "No such file", None, messages)
    refused(tap, "an empty file", "0 bytes are too few for a pcap file", b"", messages)
    refused(tap, "another file", "not a pcap file", b"#" * 100, messages)
    refused(tap, "another link type", "not a capture of Ethernet",
            data[:20] + b"\x71\0\0\0" + data[24:], messages)
    refused(tap, "cut inside a frame", "ends inside frame", data[:-5], messages)
    refused(tap, "cut inside a header", "ends inside a frame's header",
            data + bytes(7), messages)
    where = data.index(b"line 400 of")
    refused(tap, "one wrong byte", "is not the one that was served",
            data[:where] + b"L" + data[where + 1:], messages)
    first = data.index(bytes(made["arp sent"])) - 4
    refused(tap, "a truncated frame", "frame 2 has 42 of 60 bytes",
            data[:first] + struct.pack("<I", 60) + data[first + 4:], messages)
    refused(tap, "another page", "is not the one that was served", data, messages,
            PAGE + b"more\n")


def test_log(tap):
    made = frames()
    data = file(made)
    refused(tap, "dropped frames", "3 frames were dropped", data,
            log(len(made), 3))
    refused(tap, "another count", f"captured {len(made) + 1} frames, the file "
            f"has {len(made)}", data, log(len(made) + 1))
    refused(tap, "no counts", "tcpdump does not say how many", data,
            "tcpdump: listening on eth0\n")


tap = Tap()
tap.run(test_whole, test_order, test_missing, test_no_tcp, test_damaged,
        test_log)
sys.exit(tap.done())
