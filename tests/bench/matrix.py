# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest instructions per frame: the cases, and their measurement."""
import statistics

from machine import FEW, Failure, Guest

SIZES = (64, 512, 1514)
PEERS = ("v3", "recvfrom", "stock")
OURS = ("bpf", "zbuf", "ours")
PROGRAMS = ("stock", "ours")    # tcpdump: one listener, no filter
COUNTS = (4, 16, 64)            # of listeners, besides one

FRAMES, FEWER_FRAMES, MANY = 20000, 5000, 16    # fewer for more than MANY listeners
WARM_UP = 3000
SHARE = {"all": 1, "some": 0.01, "none": 0}     # of frames that a filter accepts

# How often a case with a goal is measured; attempts if frames were lost.
REPS, TRIES = 3, 3

# Frames that touch all of tcpdump's buffer of 4 MiB before the count starts: page
# faults are a cost of starting, not of a frame.
PROGRAM_WARM_UP = 3000

# The last frames wait for the receiver's timeout, with TPACKET_V3 for twice the
# timeout. tcpdump's is a second.
SETTLE, LONG_SETTLE = 0.3, 3.0

# Without flow control: rates at which receivers, and tcpdump, lose no frames.
FREE_RATE, PROGRAM_FREE_RATE = 50000, 20000


def cases(kind, full):
    """Returns (method, receivers, [(accept, size)]) for a kind of guest."""
    everything = [("all", size) for size in SIZES]
    if "no device" in kind:
        return [("none", 1, everything)]
    if "NICs" in kind:
        return [(method, 1, [("all", 64)])
                for method in ("none", "v3", "bpf", "zbuf")]
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
    found += [(method, count, several) for count in COUNTS
              for method in methods
              if method in ("v3", "recvfrom", "bpf", "zbuf")
              and (full or method != "recvfrom")]
    return found


def check(row):
    """Marks a row as invalid if frames were lost or arrived too late."""
    if row["received"] != row["count"] and row["kind"] != "no driver":
        row["invalid"] = f"the NIC received {row['received']} frames"
        return
    if row["method"] == "none":
        return
    share = row["receivers"] if "NICs" in row["kind"] else 1
    expected = round(row["count"] // share * SHARE[row["accept"]])
    for number in range(row["receivers"]):
        got = row[f"frames{number}"], row[f"dropped{number}"]
        if got != (expected, 0):
            row["invalid"] = f"{got[0]} frames of {expected}, {got[1]} dropped"


def settling(method, receivers):
    """Returns how long the last frames may wait for a timeout."""
    return LONG_SETTLE if method in PROGRAMS or receivers > FEW else SETTLE


def measure_once(guest, kind, row, idle, settle):
    """Measures a case; repeats it if frames were lost, which may be by chance."""
    warm_up = PROGRAM_WARM_UP if row["method"] in PROGRAMS else 0
    frames = FRAMES if row["receivers"] <= MANY else FEWER_FRAMES
    frames -= frames % guest.nics
    for _ in range(TRIES):
        found = guest.run(**row, count=frames, settle=settle, warm_up=warm_up)
        found["kind"] = kind
        for mode in ("kernel", "user"):
            found[f"{mode}_frame"] = (found[mode] - idle[mode] / idle["us"]
                                      * found["us"]) / frames
        found["frame"] = found["kernel_frame"] + found["user_frame"]
        check(found)
        if "invalid" not in found:
            break
    return found


def measure_one(guest, kind, method, receivers, todo, reps, say):
    """Measures all sizes and filters of a method, and subtracts its idle cost."""
    settle = settling(method, receivers)
    rate = 0
    if kind == "no driver":
        rate = PROGRAM_FREE_RATE if method in PROGRAMS else FREE_RATE
    common = {"method": method, "receivers": receivers, "rate": rate}
    accept, size = todo[0]
    guest.run(**common, size=size, count=WARM_UP, accept=accept, settle=settle)
    idle = guest.run(**common, size=64, count=0, accept=accept,
                     settle=settle + 0.3)
    rows = []
    for accept, size in todo:
        for _ in range(reps):
            row = measure_once(guest, kind,
                               common | {"size": size, "accept": accept},
                               idle, settle)
            rows.append(row)
            say(row)
    return rows


def values_of(entry, group, base):
    """Adds the medians over the repetitions of a case; base: of the NIC alone."""
    for name in ("frame", "kernel_frame", "user_frame"):
        entry[name] = round(statistics.median(row[name] for row in group), 1)
    frames = [row["frame"] for row in group]
    entry["spread_percent"] = round(
        100 * (max(frames) - min(frames)) / max(entry["frame"], 1), 2)
    if entry["method"] != "none":
        entry["added"] = round(entry["frame"] - base, 1)
    entry["events_per_1000"] = round(statistics.median(
        1000 * (row["notifications"] + row["interrupts"]) / row["count"]
        for row in group), 2)
    entry["notifications"] = [row["notifications"] for row in group]
    entry["interrupts"] = [row["interrupts"] for row in group]
    invalid = [row["invalid"] for row in group if "invalid" in row]
    if invalid:
        entry["invalid"] = invalid


def summary(rows):
    """Returns an entry for each case."""
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
        values_of(entry, group, alone.get((kind, size), 0))
        found.append(entry)
    return found


def repeats(kind, method, receivers):
    """Returns how often a case is measured by default."""
    core = method in ("none", "bpf", "zbuf") and receivers == 1
    return REPS if core and kind == "virtio-net" else 1


def check_counter(guest):
    """Checks count.so with a loop of two million instructions; repeats the check
    because another process may run in between."""
    for _ in range(TRIES):
        kernel, user = guest.selftest()[:2]
        if 2000000 <= user < 2000010 and kernel < 100000:
            return
    raise Failure(f"count.so counts {user} instructions of a loop of 2000000, and"
                  f" {kernel} of the kernel")


def measure(kinds, full, reps, say):
    """Measures all cases; each kind of guest boots once."""
    rows = []
    for kind in kinds:
        with Guest(kind) as guest:
            check_counter(guest)
            for method, receivers, todo in cases(kind, full):
                rows += measure_one(guest, kind, method, receivers, todo,
                                    reps or repeats(kind, method, receivers),
                                    say)
    return summary(rows)
