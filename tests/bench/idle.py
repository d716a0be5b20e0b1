# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of receivers that get no frames."""
from machine import TIMEOUT, Guest

KIND = "virtio-net"
METHODS = ("sleep", "v3", "recvfrom", "bpf", "zbuf")
COUNTS = (1, 64)
SECONDS = 3
QUESTIONS = ("fionread", "stats", "packet-fionread", "packet-stats")
TIMES = 200


def one(guest, method, count, nobody):
    """
    Measures readers with a timeout. The cost of a second is computed from that of
    a timeout: a guest that is late has fewer timeouts in a second.
    """
    row = guest.run(method, 64, 0, count, how="timed", settle=SECONDS,
                    timeout=TIMEOUT)
    mine = row["kernel"] + row["user"] - nobody * row["us"]
    calls = sum(row[f"calls{number}"] for number in range(count))
    each = mine / max(calls, 1)
    return {"kind": KIND, "method": method, "receivers": count, "size": 0,
            "accept": "all", "timeouts": calls, "frame": round(each),
            "second": round(each * 1000 / TIMEOUT)}


def measure(say):
    """Measures readers that wait, and requests to an idle descriptor."""
    readers, asked = [], {}
    with Guest(KIND) as guest:
        row = guest.run("none", 64, 0, settle=SECONDS)
        nobody = (row["kernel"] + row["user"]) / row["us"]
        for method in METHODS:
            for count in COUNTS:
                readers.append(one(guest, method, count, nobody))
                say(readers[-1])
        for what in QUESTIONS:
            asked[what] = round(guest.ask(what, TIMES) / TIMES)
    return {"guest_second": round(nobody * 1e6), "readers": readers,
            "asked": asked}
