# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames one at a time: instructions until the reader has each, and in all."""
from machine import Guest

FRAMES, RATE = 200, 200
IDLE_SECONDS = 1

CASES = (("virtio-net", ("recvfrom", "bpf", "zbuf")),
         ("no driver", ("bpf", "zbuf")))


def one(guest, kind, method, how, idle):
    """Measures a frame's cost: the median from wakeup to reader, and in all."""
    row = guest.run(method, 64, FRAMES, how=how, rate=RATE)
    total = row["kernel"] + row["user"] - idle * row["us"]
    return {"kind": kind, "method": method, "how": how, "size": 64,
            "receivers": 1, "accept": "all", "reads": row["reads"],
            "instructions": row["latency"],
            "frame": round(total / FRAMES),
            "events_per_frame": (row["notifications"] + row["interrupts"])
            / FRAMES}


def measure(say):
    """Measures readers that wait in read(2), and in poll(2)."""
    found = []
    for kind, methods in CASES:
        with Guest(kind) as guest:
            nobody = guest.run("none", 64, 0, settle=IDLE_SECONDS)
            idle = (nobody["kernel"] + nobody["user"]) / nobody["us"]
            for method in methods:
                for how in ("poll",) if method == "zbuf" else ("at-once",
                                                               "poll"):
                    found.append(one(guest, kind, method, how, idle))
                    say(found[-1])
    return found
