#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The capture options of unmodified tcpdump work through /dev/bpf."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numbered  # noqa: E402
from guest import PROGRAMS, TWO_NICS, vm  # noqa: E402
from pcap import MICRO, NANO, read, write  # noqa: E402
from tap import Tap  # noqa: E402

REPLAY = os.path.join(PROGRAMS, "tools", "replay")
COUNT, SIZE = 20, 200
OURS = "ether proto 0x88b5"

# Captures on eth0: the frames that it sends, and those of eth1 on the same hub. The
# list of descriptors shows how each tcpdump has configured its own.
SCRIPT = f"""
set -e
ip link set eth1 up
start() {{
    name=$1
    shift
    "$@" 2> $name.log &
    tries=0
    until grep -q listening $name.log; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || {{ cat $name.log >&2; exit 1; }}
        sleep 0.1
    done
}}
peer() {{
    echo "peer $1 $(tail -n 1 /proc/net/bpf)"
}}
once() {{
    name=$1
    shift
    start $name tcpdump -n -i eth0 "$@"
    peer $name
    ./replay eth0 one.pcap > /dev/null
    wait $!
}}

start in tcpdump -Q in -i eth0 -c {COUNT} -w in.pcap '{OURS}'
in=$!
start out tcpdump -Q out -i eth0 -c {2 * COUNT} -w out.pcap '{OURS}'
out=$!
start inout tcpdump -Q inout -i eth0 -c {3 * COUNT} -w inout.pcap '{OURS}'
inout=$!
./replay eth0 first.pcap > /dev/null
./replay eth1 second.pcap > /dev/null
wait $in
./replay eth0 third.pcap > /dev/null
wait $out
wait $inout

once micro -c 1 -w micro.pcap '{OURS}'
once nano --nano -c {COUNT} -w nano.pcap '{OURS}' &
once=$!
until grep -q listening nano.log 2> /dev/null; do sleep 0.1; done
./replay eth0 first.pcap > /dev/null
wait $once
once precision --time-stamp-precision=nano -c 1 '{OURS}' > precision.text
once short -s 50 -c 1 -w short.pcap '{OURS}'
once plain -p --immediate-mode -c 1 -w plain.pcap '{OURS}'
once buffer -B 64 -c 1 -w buffer.pcap '{OURS}'
echo 262144 > /proc/sys/net/bpf/maxbufsize
once large -B 4096 -c 1 -w large.pcap '{OURS}'
echo 4194304 > /proc/sys/net/bpf/maxbufsize
once larger -B 4096 -c 1 -w larger.pcap '{OURS}'
tcpdump -i eth0 -L > links 2>&1
tcpdump -D > interfaces 2>&1

echo 'user:x:1000:1000::/:/bin/sh' >> /etc/passwd
echo 'user:x:1000:' >> /etc/group
chmod 777 . /root
su user -c 'tcpdump -i eth0 -c 1' > refused 2>&1 || echo "refused $?"
chgrp bpf /dev/bpf /dev/bpf0
sed -i 's/^bpf:.*/&user/' /etc/group
start member su user -c "tcpdump -i eth0 -c 1 -w member.pcap '{OURS}'"
./replay eth0 one.pcap > /dev/null
wait $!
"""


class Written:
    """Returns the output of a tcpdump."""

    def __init__(self, path):
        file = read(path)
        self.magic = file.magic
        self.numbers = [numbered.number(data) for data in file.frames()]
        self.fractions = [packet.fraction for packet in file.packets]
        self.lengths = [(len(packet.data), packet.length)
                        for packet in file.packets]


def numbers(*firsts):
    """Returns the frame numbers of several files."""
    return [n for first in firsts for n in range(first, first + COUNT)]


def check_direction(tap, got):
    """tcpdump -Q."""
    tap.equal(got("in").numbers, numbers(100),
              "-Q in: what the interface received, and nothing it sent")
    tap.equal(got("out").numbers, numbers(0, 200),
              "-Q out: what the interface sent, and nothing it received")
    tap.equal(sorted(got("inout").numbers), numbers(0, 100, 200),
              "-Q inout: both")


def check_precision(tap, got, text):
    """tcpdump --nano."""
    micro, nano = got("micro"), got("nano")
    tap.equal(micro.magic, MICRO, "without --nano: a file of microseconds")
    tap.ok(micro.fractions[0] < 10**6,
           "without --nano: fractions are below a million", micro.fractions)
    tap.equal(nano.magic, NANO, "--nano: a file of nanoseconds")
    fine = [part for part in nano.fractions if part % 1000]
    tap.ok(len(fine) > COUNT / 2 and 10**6 < max(nano.fractions) < 10**9,
           "--nano: times have that precision", nano.fractions)
    tap.ok(re.match(r"\d\d:\d\d:\d\d\.\d{9} ", text),
           "--time-stamp-precision=nano: nine digits", text)


def check_set_up(tap, got, peers):
    """Options that change the descriptor."""
    tap.equal(got("short").lengths, [(50, SIZE)], "-s 50: cut to 50 bytes")
    tap.equal(got("micro").lengths, [(SIZE, SIZE)], "without -s: whole")
    columns = {name: [peers[name][i] for i in (2, 6, 7)] for name in peers}
    tap.equal(columns["micro"][1:], ["1", "0"],
              "without -p: the descriptor is promiscuous, not in immediate mode")
    tap.equal(columns["plain"][1:], ["0", "1"],
              "-p --immediate-mode: the descriptor is in immediate mode, not promiscuous")
    tap.equal([columns[name][0] for name in ("buffer", "large", "larger")],
              ["65536", "262144", "4194304"],
              "-B: the buffer's size, up to net.bpf.maxbufsize")


def check(tap, folder):
    """Tests all options in one guest."""
    for name, first, count in (("first", 0, COUNT), ("second", 100, COUNT),
                               ("third", 200, COUNT), ("one", 900, 1)):
        write(f"{folder}/{name}.pcap",
              numbered.frames(range(first, first + count), SIZE))
    files = ["in.pcap", "out.pcap", "inout.pcap", "micro.pcap", "nano.pcap",
             "short.pcap", "member.pcap", "precision.text", "links",
             "interfaces", "refused"]
    done = vm([*TWO_NICS, "--timeout", "200", "--add", REPLAY]
              + [word for name in ("first", "second", "third", "one")
                 for word in ("--add", f"{folder}/{name}.pcap")]
              + [word for name in files
                 for word in ("--get", f"{name}:{folder}/{name}")],
              ["sh", "-c", SCRIPT])
    if not tap.ok(done.returncode == 0, "the guest's script succeeds",
                  done.returncode, done.stdout, done.stderr):
        return

    def got(name):
        return Written(f"{folder}/{name}.pcap")

    def text(name):
        with open(f"{folder}/{name}") as file:
            return file.read()

    peers = {words[1]: words[2:] for words in
             (line.split() for line in done.stdout.splitlines())
             if words[0] == "peer"}
    check_direction(tap, got)
    check_precision(tap, got, text("precision.text").split("\n", 1)[-1])
    check_set_up(tap, got, peers)
    tap.contains(text("links"), "EN10MB (Ethernet)",
                 "-L: the link types have EN10MB")
    tap.ok(re.search(r"^\d+\.eth0 ", text("interfaces"), re.M),
           "-D: the interfaces have eth0", text("interfaces"))
    tap.contains(done.stdout, "refused 1",
                 "tcpdump of a user outside the group fails")
    tap.contains(text("refused"), "ermission",
                 "tcpdump of a user outside the group says that permission is missing")
    tap.equal(got("member").numbers, [900],
              "a user in the node's group captures")


TAP = Tap()
with tempfile.TemporaryDirectory() as scratch:
    check(TAP, scratch)
sys.exit(TAP.done())
