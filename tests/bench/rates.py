# SPDX-License-Identifier: GPL-2.0-or-later
"""The largest rates without loss, by wall clock: only their ratios are useful."""
from machine import Guest

# The load of the host varies more than this between two probes.
PRECISION = 1.15
SECONDS = 0.3                   # of sending, for each probe
TRIES = 2                       # a rate is too high if all these probes lose frames

# FASTEST is far above the rates of any receiver and sender.
SLOWEST, FASTEST = 5000, 16000000

# Number of frames that are sent as fast as QEMU reads them.
FLAT_OUT = 200000

# "none": the rate that the NIC, or the hub before it, keeps up without a receiver.
CASES = (("virtio-net, datagrams",
          ("none", "v3", "recvfrom", "bpf", "zbuf", "stock", "ours")),
         ("no driver", ("none", "bpf", "zbuf", "ours")))


def probe(guest, method, size, rate, count=0):
    """Returns the share of frames that were lost, and the real rate."""
    count = count or max(int(rate * SECONDS), 1000)
    row = guest.run(method, size, count, rate=rate,
                    settle=3.0 if method in ("stock", "ours") else 0.3)
    got = row["frames0"] if method != "none" else row["received"]
    if method == "none" and guest.settings.get("free"):
        got = count
    return 1 - got / count, count * 1e6 / max(row["sent_us"], 1)


def keeps(guest, method, size, rate):
    """
    Whether a rate is kept up: no frame is lost, and frames do not wait for the
    NIC, which would slow the sender down.
    """
    for _ in range(TRIES):
        loss, real = probe(guest, method, size, rate)
        if loss == 0 and real > 0.95 * rate:
            return True
    return False


def largest(guest, method, size):
    """Returns the largest rate that is kept up, by bisection of the ratio."""
    low, high = SLOWEST, FASTEST
    while high / low > PRECISION:
        middle = int((low * high) ** 0.5)
        if keeps(guest, method, size, middle):
            low = middle
        else:
            high = middle
    return low


def measure_one(guest, kind, method, size):
    """Measures the largest rate, and the loss when the sender is not paced."""
    rate = largest(guest, method, size)
    loss, real = probe(guest, method, size, 0, FLAT_OUT)
    return {"kind": kind, "method": method, "size": size, "receivers": 1,
            "accept": "all", "rate": rate, "flat_out_loss": round(loss, 4),
            "flat_out_rate": round(real)}


def measure(full, say):
    """Measures all methods; ratios are to TPACKET_V3 with the NIC's driver."""
    found, v3 = [], {}
    for kind, methods in CASES:
        with Guest(kind, count=False) as guest:
            for size in (64, 512, 1514) if full else (64, 1514):
                for method in methods:
                    if method in ("stock", "recvfrom") and not full:
                        continue
                    row = measure_one(guest, kind, method, size)
                    if method == "v3":
                        v3[size] = row["rate"]
                    found.append(row)
                    say(row | {"frame": row["rate"]})
    for row in found:
        row["ratio"] = round(row["rate"] / v3[row["size"]], 2)
    return found
