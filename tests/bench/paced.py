# SPDX-License-Identifier: GPL-2.0-or-later
"""Low rates: all that a guest does for a frame, with its idle receiver."""
from statistics import median

from machine import Guest

KIND = "virtio-net"
METHODS = ("none", "v3", "recvfrom", "bpf", "zbuf", "stock", "ours")
RATES = (100, 1000, 10000)
REPS = {1000: 3}                # of which there is a goal
SECONDS = 3                     # of sending
SIZE = 64
TIMEOUT = 1000                  # as tcpdump's, ms
SETTLE = 3.0                    # until the last frame was read

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


def medians(rows):
    """One entry for each method and rate; added: to the NIC alone."""
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
    """All methods at all rates, in turn, as other work of the host tells."""
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
