# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest instructions per frame: which cases there are, and their measuring."""
import statistics
import sys

from guest import Failure, Guest

SIZES = (64, 512, 1514)
PEERS = ("v3", "recvfrom", "stock")
OURS = ("bpf", "ours")
PROGRAMS = ("stock", "ours")    # tcpdump: one listener, no filter

FRAMES = 20000
WARM_UP = 3000
SHARE = {"all": 1, "some": 0.01, "none": 0}     # what a filter accepts

# tcpdump's buffer, 4 MiB, is touched for the first time before the count: that is
# the cost of a start and not of a frame.
PROGRAM_WARM_UP = 3000

# tcpdump's reads time out after a second; the last frames wait for that.
PROGRAM_SETTLE = 1.7
SETTLE = 0.3

# Without flow control: a rate that every receiver stands.
FREE_RATE = 50000

LATENCY_FRAMES = 200
LATENCY_RATE = 200


def cases(kind, full):
    """(method, receivers, [(accept, size)]) for a kind of guest."""
    everything = [("all", size) for size in SIZES]
    if "no device" in kind:
        return [("none", 1, everything)]
    free = kind == "no driver"
    methods = OURS if free else ("none", *PEERS, *OURS)
    filters = [(accept, size) for accept in ("some", "none")
               for size in (SIZES if full else SIZES[:1])]
    found = [(method, 1, everything if method in (*PROGRAMS, "none")
              else everything + filters) for method in methods]
    if kind == "e1000" and not full:
        return found
    several = [(accept, size) for accept in SHARE
               for size in (SIZES if full else SIZES[:1])
               if full or accept != "some"]
    found += [(method, count, several) for count in (4, 16)
              for method in methods if method in ("v3", "recvfrom", "bpf")
              and (full or method != "recvfrom")]
    return found


def check(row):
    """A count is worth nothing if frames were lost, or came too late."""
    if row["received"] != row["count"] and row["kind"] != "no driver":
        row["invalid"] = f"the NIC received {row['received']} frames"
        return
    if row["method"] == "none":
        return
    expected = round(row["count"] * SHARE[row["accept"]])
    for number in range(row["receivers"]):
        got = row[f"frames{number}"], row[f"dropped{number}"]
        if got != (expected, 0):
            row["invalid"] = f"{got[0]} frames of {expected}, {got[1]} dropped"


def measure_one(guest, kind, method, receivers, todo, reps, say):
    """All sizes and filters of one method, with what it costs to be idle."""
    settle, warm_up = (PROGRAM_SETTLE, PROGRAM_WARM_UP) \
        if method in PROGRAMS else (SETTLE, 0)
    rate = FREE_RATE if kind == "no driver" else 0
    guest.run(method, todo[0][1], WARM_UP, receivers, todo[0][0], rate=rate,
              settle=settle)
    idle = guest.run(method, 64, 0, receivers, todo[0][0], settle=settle + 0.3)
    rows = []
    for accept, size in todo:
        for _ in range(reps):
            row = guest.run(method, size, FRAMES, receivers, accept,
                            rate=rate, settle=settle, warm_up=warm_up)
            row["kind"] = kind
            for mode in ("kernel", "user"):
                row[f"{mode}_frame"] = (row[mode] - idle[mode] / idle["us"]
                                        * row["us"]) / FRAMES
            row["frame"] = row["kernel_frame"] + row["user_frame"]
            check(row)
            rows.append(row)
            say(row)
    return rows


def summary(rows):
    """Medians over the repetitions; added: to the case without a receiver."""
    groups = {}
    for row in rows:
        key = (row["kind"], row["method"], row["receivers"], row["accept"],
               row["size"])
        groups.setdefault(key, []).append(row)
    alone = {(key[0], key[4]): statistics.median(row["frame"] for row in group)
             for key, group in groups.items() if key[1] == "none"}
    found = []
    for (kind, method, receivers, accept, size), group in groups.items():
        entry = {"kind": kind, "method": method, "receivers": receivers,
                 "accept": accept, "size": size}
        for name in ("frame", "kernel_frame", "user_frame"):
            values = [row[name] for row in group]
            entry[name] = round(statistics.median(values), 1)
        frames = [row["frame"] for row in group]
        entry["spread_percent"] = round(
            100 * (max(frames) - min(frames)) / entry["frame"], 2)
        base = alone.get((kind, size), 0)
        if method != "none":
            entry["added"] = round(entry["frame"] - base, 1)
        entry["events_per_1000"] = round(statistics.median(
            1000 * (row["notifications"] + row["interrupts"]) / row["count"]
            for row in group), 2)
        entry["notifications"] = [row["notifications"] for row in group]
        entry["interrupts"] = [row["interrupts"] for row in group]
        invalid = [row["invalid"] for row in group if "invalid" in row]
        if invalid:
            entry["invalid"] = invalid
        found.append(entry)
    return found


def measure(kinds, full, reps, say):
    """The whole matrix; each kind of guest boots once."""
    rows = []
    for kind in kinds:
        with Guest(kind) as guest:
            kernel, user = guest.selftest()[:2]
            if not 2000000 <= user < 2000010 or kernel > 100000:
                raise Failure(f"count.so counts {kernel} and {user}")
            for method, receivers, todo in cases(kind, full):
                rows += measure_one(guest, kind, method, receivers, todo,
                                    reps, say)
    return summary(rows)


def latency(say):
    """Instructions from the guest's waking up to the reader with its frame."""
    found = []
    for kind, methods in (("virtio-net", ("recvfrom", "bpf")),
                          ("no driver", ("bpf",))):
        with Guest(kind) as guest:
            for method in methods:
                row = guest.run(method, 64, LATENCY_FRAMES, how="at-once",
                                rate=LATENCY_RATE)
                found.append({
                    "kind": kind, "method": method, "reads": row["reads"],
                    "instructions": round(row["latency"]
                                          / max(row["reads"], 1)),
                    "events_per_frame": (row["notifications"]
                                         + row["interrupts"])
                    / LATENCY_FRAMES})
                print(found[-1], file=sys.stderr)
    return found
