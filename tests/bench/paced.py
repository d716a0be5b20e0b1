# SPDX-License-Identifier: GPL-2.0-or-later
"""Low rates: all that a guest does for a frame, with its idle receiver."""
from guest import Guest

KIND = "virtio-net"
METHODS = ("none", "v3", "recvfrom", "bpf", "zbuf", "stock", "ours")
RATES = (100, 1000, 10000)
SECONDS = 3                     # of sending
SIZE = 64
TIMEOUT = 1000                  # as tcpdump's, ms
SETTLE = 2.4                    # until the last frame was read

SAME = {"receivers": 1, "accept": "all", "size": SIZE, "kind": KIND}


def one(guest, method, rate, idle):
    """
    A run at a rate. Only what a guest without any receiver does meanwhile is
    left out: looking now and then whether there is something counts here.
    """
    count = rate * SECONDS
    row = guest.run(method, SIZE, count, rate=rate, settle=SETTLE,
                    timeout=TIMEOUT)
    total = row["kernel"] + row["user"] - idle * row["us"]
    found = {"method": method, "rate": rate, "frame": round(total / count, 1),
             "events_per_1000": round(1000 * (row["notifications"]
                                              + row["interrupts"]) / count, 2)}
    if method != "none" and row["frames0"] != count:
        found["invalid"] = f"{row['frames0']} frames of {count}"
    return SAME | found


def measure(say):
    """All methods at all rates."""
    found = []
    with Guest(KIND) as guest:
        nobody = guest.run("none", SIZE, 0, settle=SECONDS)
        idle = (nobody["kernel"] + nobody["user"]) / nobody["us"]
        for method in METHODS:
            if method == "zbuf" and not guest.has_zbuf():
                found += [SAME | {"method": method, "rate": rate,
                                  "unsupported": True} for rate in RATES]
                continue
            guest.run(method, SIZE, 1000, rate=RATES[-1], settle=SETTLE,
                      timeout=TIMEOUT)
            for rate in RATES:
                found.append(one(guest, method, rate, idle))
                say(found[-1])
    return found
