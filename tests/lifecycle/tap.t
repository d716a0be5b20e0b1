#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A TAP netdev with vnet_hdr=on, in a network namespace of the test's own: segments
longer than the MTU, and frames whose checksum is not filled in yet."""
import fcntl
import os
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from folders import scratch  # noqa: E402
from lifecycle import Descriptor, Guest  # noqa: E402
from tap import Tap, skip_all  # noqa: E402
from waiting import PATIENCE, wait_for  # noqa: E402

HOST, GUEST = "192.0.2.1", "192.0.2.2"
DATA = bytes(i * i >> 8 & 0xff for i in range(300000))
ETHERTYPE = 0x88b5
LONGEST = 1514


def enter_namespace():
    """Runs this program again in a network namespace."""
    if "CAPTURE_NAMESPACE" in os.environ:
        return
    if not os.path.exists("/dev/net/tun"):
        skip_all("there is no /dev/net/tun")
    inside = ["unshare", "--net", "--"]
    check = subprocess.run([*inside, "ip", "tuntap", "add", "probe", "mode",
                            "tap"], stderr=subprocess.PIPE, text=True)
    if check.returncode:
        skip_all("no network namespace with a tap: " + check.stderr.strip())
    os.environ["CAPTURE_NAMESPACE"] = "1"
    os.execvp("unshare", [*inside, sys.executable, os.path.abspath(__file__)])


def frames(one):
    """Returns the frames of a descriptor: length on the wire, bytes."""
    pairs = [word.split(":") for word in one.call("frames").split()]
    return [(int(size), bytes.fromhex(data)) for size, data in pairs]


def payload(found, source, port):
    """Returns the TCP payload that a host sent, reassembled, and the lengths of the
    frames that carried it."""
    first, parts, lengths = None, {}, []
    for _, data in found:
        total, address = struct.unpack_from(">H8x4s", data, 16)
        header = (data[46] >> 4) * 4
        ports = struct.unpack_from(">HH", data, 34)
        if data[23] != 6 or address != socket.inet_aton(source) or \
                port not in ports:
            continue
        number = struct.unpack_from(">I", data, 38)[0]
        if data[47] & 2:
            first = number + 1
        content = data[34 + header:14 + total]
        if content:
            parts[number - first & 0xffffffff] = content
            lengths.append(len(data))
    stream = b""
    for position in sorted(parts):
        stream = stream[:position] + parts[position]
    return stream, lengths


def checksum_is_right(data):
    """Returns whether a TCP segment over IPv4 has a valid checksum."""
    total = struct.unpack_from(">H", data, 16)[0] - 20
    text = data[26:34] + struct.pack(">HH", 6, total) + data[34:34 + total]
    text += bytes(len(text) % 2)
    value = sum(struct.unpack(f">{len(text) // 2}H", text))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value == 0xffff


def wait_until_full(connection):
    """Waits until a connection that is not read gets no more data. The data that the
    other side has queued by then is sent in long segments, even if its program is
    slow."""
    waiting, since = bytes(4), time.monotonic()

    def settled():
        nonlocal waiting, since
        now = fcntl.ioctl(connection, termios.FIONREAD, bytes(4))
        if now != waiting or not any(now):
            waiting, since = now, time.monotonic()
        return time.monotonic() - since > PATIENCE / 40
    wait_for(settled, "data to fill the host's buffer")


def transfer(guest, upload):
    """Sends data over a TCP connection to the host; returns the host's port and
    the data that arrived at the host."""
    server = socket.socket()
    # Less than there is to send. The accepted connection inherits it.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, len(DATA) // 8)
    server.bind((HOST, 0))
    server.listen()
    server.settimeout(PATIENCE)
    port, got = server.getsockname()[1], []

    def serve():
        connection = server.accept()[0]
        with connection:
            if upload:
                wait_until_full(connection)
                while data := connection.recv(65536):
                    got.append(data)
            else:
                connection.sendall(DATA)
    thread = threading.Thread(target=serve)
    thread.start()
    guest.shell(f"nc {HOST} {port} < data" if upload else
                f"nc {HOST} {port} < /dev/null > got")
    thread.join()
    server.close()
    return port, b"".join(got)


def segments(tap, guest):
    """Segmentation and checksums are offloaded to the NIC."""
    for upload, source in ((True, GUEST), (False, HOST)):
        what = "sent" if upload else "received"
        one = Descriptor(guest, "eth0", ethertype="0800", size=1 << 20)
        port, got = transfer(guest, upload)
        if upload:
            tap.ok(got == DATA, "frames of the guest: the host gets the data",
                   len(got))
        else:
            guest.shell("cmp data got")
        one.call("option", "immediate", 1)
        found = frames(one)
        tap.ok(all(size == len(data) and data[12:15] == b"\x08\x00\x45"
                   for size, data in found),
               f"{what}: frames are captured whole, without the virtio-net header")
        stream, lengths = payload(found, source, port)
        tap.ok(stream == DATA,
               f"{what}: the captured frames have all of the data",
               len(stream))
        tap.ok(max(lengths) > LONGEST,
               f"{what}: some captured segments are longer than the MTU",
               lengths)
        tap.ok(not all(checksum_is_right(data) for _, data in found
                       if data[23] == 6),
               f"{what}: some captured checksums are not filled in")
        one.close()


def plain(tap, guest):
    """Frames without offloads, written ones included."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, ETHERTYPE)
    end.settimeout(PATIENCE)
    end.bind(("tap0", ETHERTYPE))
    one = Descriptor(guest, "eth0", immediate=True)
    sent = [frame(1), frame(2, LONGEST)]
    for data in sent:
        end.send(data)
    one.wait_captured(2)
    tap.equal([data for _, data in frames(one)], sent,
              "frames of the host are captured as they were sent")
    guest.call("send eth0 3 1 60")
    one.call("write", 4, 1, LONGEST)
    one.wait_captured(4)
    tap.ok([data for _, data in frames(one)] ==
           [end.recv(65536) for _ in range(2)],
           "frames of the guest are captured as the host gets them")
    one.close()


def main(tap):
    """Tests one guest on a TAP netdev."""
    data = scratch() / "data"
    data.write_bytes(DATA)
    with Guest("--netdev", "tap,ifname=tap0,script=no,downscript=no,"
               "vnet_hdr=on", "--add", data) as guest:
        subprocess.run(["ip", "address", "add", f"{HOST}/24", "dev", "tap0"],
                       check=True)
        subprocess.run(["ip", "link", "set", "tap0", "up"], check=True)
        guest.ready()
        guest.shell(f"ip address add {GUEST}/24 dev eth0 && "
                    "sysctl -w net.bpf.maxbufsize=1048576")
        wait_for(lambda: guest.call(f"sh ping -c 1 -W 1 {HOST} > /dev/null")
                 .endswith("0"), "ping")
        segments(tap, guest)
        plain(tap, guest)
        guest.end(tap)


enter_namespace()
TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
