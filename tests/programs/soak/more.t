#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""More unmodified programs of Debian's packages capture through bpf-run: another
analyser, a curses program, a daemon, monitors, Python."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
from programs import Program, test_programs  # noqa: E402
from tap import Tap  # noqa: E402
from tree import DOWNLOADS  # noqa: E402

SCAPY = """
from scapy.all import conf, sniff
conf.use_pcap = True
for packet in sniff(iface="eth0", filter="tcp port 80", count=12):
    print(packet.summary(), bytes(packet.payload.payload.payload))
"""

PTY = "import pty, sys; pty.spawn(sys.argv[1:])"

PROGRAMS = (
    Program("tshark", "tshark -n -l -i eth0 -f 'tcp port 80' -Y http "
            "-T fields -e ip.src -e http.request.uri -e http.response.code",
            r"^10\.9\.0\.1\t/TOKEN\t$.*^10\.9\.0\.2\t\S*\t200$",
            until="grep -q 200 out"),
    Program("iftop", f"python3 -c '{PTY}' iftop -n -N -i eth0",
            r"10\.9\.0\.1.*=>.*10\.9\.0\.2",
            until="grep -q '=>.*10.9.0.2' out"),
    Program("darkstat", "darkstat -i eth0 --no-daemon --no-dns",
            r"^HTTP/1\.1 200 .*10\.9\.0\.2",
            until="fetch 127.0.0.1 667 /hosts/ >page 2>/dev/null; "
                  "grep -q 10.9.0.2 page"),
    Program("argus", "argus -X -S 1 -i eth0 -w flows",
            r"tcp +10\.9\.0\.1\.\d+ +-> +10\.9\.0\.2\.(80|http) ",
            until="ra -n -r flows >text 2>/dev/null; "
                  "grep -q '10.9.0.1.*->.*10.9.0.2' text"),
    Program("prads", "prads -i eth0 -l assets",
            r"^10\.9\.0\.2,.*SYNACK", until="grep -qs SYNACK assets"),
    Program("tcpflow", "tcpflow -c -i eth0 tcp port 80",
            r"10\.009\.000\.002\.00080: GET /TOKEN .*: HTTP/1\.1 200 ",
            until="grep -q 200 out"),
    Program("scapy", f"bash -c 'ldconfig; exec python3 -c \"$0\"' '{SCAPY}'",
            r"GET /TOKEN .*200 OK"),
)

# Programs that only one release of Debian has, see tests/programs/packages.
MISSING = [program for program in PROGRAMS if program.name == "prads"
           and not (DOWNLOADS / "programs/usr/bin/prads").exists()]

TAP = Tap()
test_programs(TAP, [one for one in PROGRAMS if one not in MISSING])
for program in MISSING:
    TAP.skip(program.name, "this release of Debian does not have it",
             is_lacking=False)
sys.exit(TAP.done())
