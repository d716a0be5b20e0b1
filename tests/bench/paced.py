# SPDX-License-Identifier: GPL-2.0-or-later
"""Low rates: all instructions of a guest per frame."""
from statistics import median

from machine import Guest

KIND = "virtio-net"
METHODS = ("none", "v3", "recvfrom", "bpf", "zbuf", "stock", "ours")
RATES = (100, 1000, 10000)
REPS = {1000: 3}                # there is a goal for this rate
SECONDS = 3                     # of sending
SIZE = 64
TIMEOUT = 1000                  # as tcpdump's, ms
SETTLE = 3.0                    # until the last frame has been read

SAME = {"receivers": 1, "accept": "all", "size": SIZE, "kind": KIND}


def one(guest, method, rate, idle):
    """
    Measures a method at a rate. Subtracts only the instructions of a guest without
    a receiver: the receiver's own timeouts count here.
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


def medians(rows):
    """Returns an entry for each method and rate."""
    groups, alone, found = {}, {}, []
    for row in rows:
        groups.setdefault((row["method"], row["rate"]), []).append(row)
    for (method, rate), group in groups.items():
        entry = dict(group[0])
        bad = [row["invalid"] for row in group if "invalid" in row]
        if bad:
            entry["invalid"] = bad
        entry["frame"] = median(row["frame"] for row in group)
        entry["spread"] = [row["frame"] for row in group]
        if method == "none":
            alone[rate] = entry["frame"]
        else:
            entry["added"] = round(entry["frame"] - alone[rate], 1)
        found.append(entry)
    return found


def measure(say):
    """Measures all methods at all rates, the methods in turn so that other work
    of the host affects all of them alike."""
    rows = []
    with Guest(KIND) as guest:
        nobody = guest.run("none", SIZE, 0, settle=SECONDS)
        idle = (nobody["kernel"] + nobody["user"]) / nobody["us"]
        for method in METHODS:
            guest.run(method, SIZE, 1000, rate=RATES[-1], settle=SETTLE,
                      timeout=TIMEOUT)
        for rate in RATES:
            for method in METHODS * REPS.get(rate, 1):
                rows.append(one(guest, method, rate, idle))
                say(rows[-1])
    return medians(rows)
