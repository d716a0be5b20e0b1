#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Unmodified programs of Debian's packages capture through bpf-run."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from programs import Program, test_programs  # noqa: E402
from tap import Tap  # noqa: E402

PROGRAMS = (
    Program("tcpdump", "tcpdump -n -i eth0 -c 20 -A tcp port 80",
            r"10\.9\.0\.1\.\d+ > 10\.9\.0\.2\.80: .*GET /TOKEN .*"
            r"10\.9\.0\.2\.80 > 10\.9\.0\.1\.\d+: .*200 OK"),
    Program("dumpcap", "dumpcap -q -P -i eth0 -f 'tcp port 80' -c 20 "
            "-w capture.pcap", r"GET /TOKEN .*200 OK"),
    Program("ngrep", "ngrep -d eth0 -q -n 1 -W byline $token tcp port 80",
            r"10\.9\.0\.1:\d+ -> 10\.9\.0\.2:80 .*GET /TOKEN "),
    Program("nmap", "nmap -n -Pn -sS -p 80,81 --reason $peer",
            r"^80/tcp open   http +syn-ack .*^81/tcp closed hosts2-ns reset ",
            traffic=":", sends=True),
    # It waits for the address without a host, so /proc/net/bpf lists it meanwhile.
    Program("arp-scan", "arp-scan -q -r 3 -I eth0 $peer 10.9.0.99",
            r"^10\.9\.0\.2\t52:54:00:12:34:57$", traffic=":"),
    Program("p0f", "p0f -i eth0 -f /etc/p0f/p0f.fp",
            r"-\[ 10\.9\.0\.1/\d+ -> 10\.9\.0\.2/80 \(syn\) \]-.*"
            r"os += Linux", until="grep -q 'os.*Linux' out"),
)

TAP = Tap()
test_programs(TAP, PROGRAMS)
sys.exit(TAP.done())
