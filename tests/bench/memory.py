# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest memory: of a NIC without listeners, and of listeners."""
from statistics import median

from machine import Guest

KINDS = {1: "virtio-net", 4: "virtio-net, 4 NICs", 14: "virtio-net, 14 NICs"}
REPS = 3
METHODS = ("v3", "bpf", "zbuf")
COUNTS = (1, 4, 16, 64)
PEEK = 0.2

DRIVER = "cd /sys/bus/virtio/drivers/virtio_capture"
LIST = f"{DRIVER} && ls -d virtio*"


def at_rest(nics):
    """
    Returns the KiB that each device takes when the driver is bound to it: the
    difference of free memory with all devices unbound and bound.
    """
    with Guest(KINDS[nics], count=False) as guest:
        devices = guest.shell(LIST).split()
        found = []
        for _ in range(REPS):
            bound = guest.free_memory()
            for device in devices:
                guest.shell(f"{DRIVER} && echo {device} >unbind")
            found.append((guest.free_memory() - bound) / len(devices))
            for device in devices:
                guest.shell(f"{DRIVER} && echo {device} >bind")
        return median(found)


def listeners(say):
    """Measures the KiB that receivers with equal buffers take, and the KiB that
    are still taken after they have ended."""
    found = []
    with Guest(KINDS[1], count=False) as guest:
        for method in METHODS:
            for count in COUNTS:
                entry = {"method": method, "receivers": count}
                found.append(entry)
                guest.run(method, 64, 0, count, settle=PEEK)
                before = guest.free_memory()
                row = guest.run(method, 64, 0, count, settle=PEEK)
                entry["kib"] = row["memory"]
                entry["left_kib"] = before - guest.free_memory()
                say({"kind": "memory", "size": 0, "accept": "all",
                     "frame": entry["kib"]} | entry)
    return found


def measure(say):
    """Measures both."""
    return {"at_rest": [{"nics": nics, "kib": round(at_rest(nics), 1)}
                        for nics in KINDS],
            "listeners": listeners(say)}
