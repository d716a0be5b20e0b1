# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest instructions per frame: which cases there are, and their measuring."""
import statistics

from machine import FEW, Failure, Guest

SIZES = (64, 512, 1514)
PEERS = ("v3", "recvfrom", "stock")
OURS = ("bpf", "zbuf", "ours")
PROGRAMS = ("stock", "ours")    # tcpdump: one listener, no filter
COUNTS = (4, 16, 64)            # of listeners, beside one

FRAMES, FEWER_FRAMES, MANY = 20000, 5000, 16    # fewer for more than MANY
WARM_UP = 3000
SHARE = {"all": 1, "some": 0.01, "none": 0}     # what a filter accepts

# Of what a goal is about, the median of so many is taken.
REPS, TRIES = 3, 3

# tcpdump's buffer, 4 MiB, is touched for the first time before the count: that is
# the cost of a start and not of a frame.
PROGRAM_WARM_UP = 3000

# The last frames wait for the receiver's timeout: TPACKET_V3 for twice that.
# tcpdump's is a second.
SETTLE, LONG_SETTLE = 0.3, 3.0

# Without flow control: a rate that a receiver stands, and one for tcpdump.
FREE_RATE, PROGRAM_FREE_RATE = 50000, 20000


def cases(kind, full):
    """(method, receivers, [(accept, size)]) for a kind of guest."""
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
    """A count is worth nothing if frames were lost, or came too late."""
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
    """How long the last frames wait for a timeout, at most."""
    return LONG_SETTLE if method in PROGRAMS or receivers > FEW else SETTLE


def measure_once(guest, kind, row, idle, settle):
    """One case; again if frames were lost, which chance can do."""
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
    """All sizes and filters of one method, with what it costs to be idle."""
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
    """Medians over the repetitions of one case; added: to the NIC alone."""
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
    """One entry for each case."""
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
    """How often a case is measured by default."""
    core = method in ("none", "bpf", "zbuf") and receivers == 1
    return REPS if core and kind == "virtio-net" else 1


def check_counter(guest):
    """Two million instructions of a loop; another process may come between."""
    for _ in range(TRIES):
        kernel, user = guest.selftest()[:2]
        if 2000000 <= user < 2000010 and kernel < 100000:
            return
    raise Failure(f"count.so counts {kernel} and {user}")


def measure(kinds, full, reps, say):
    """The whole matrix; each kind of guest boots once."""
    rows = []
    for kind in kinds:
        with Guest(kind) as guest:
            check_counter(guest)
            for method, receivers, todo in cases(kind, full):
                rows += measure_one(guest, kind, method, receivers, todo,
                                    reps or repeats(kind, method, receivers),
                                    say)
    return summary(rows)
