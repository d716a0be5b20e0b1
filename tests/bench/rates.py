# SPDX-License-Identifier: GPL-2.0-or-later
"""The largest rate without loss, by wall clock: worth something as a ratio."""
from guest import Guest

# One CPU's load between two probes changes more than this.
PRECISION = 1.15
SECONDS = 0.3                   # of sending, for each probe
SLOWEST, FASTEST = 5000, 1500000
TRIES = 2                       # a rate is too high when as many probes lose

CASES = (("virtio-net, datagrams", ("v3", "recvfrom", "bpf", "stock", "ours")),
         ("no driver", ("bpf", "ours")))


def probe(guest, method, size, rate):
    """The share of frames that a receiver did not get, and the real rate."""
    count = max(int(rate * SECONDS), 1000)
    row = guest.run(method, size, count, rate=rate,
                    settle=1.3 if method in ("stock", "ours") else 0.3)
    return 1 - row["frames0"] / count, count * 1e6 / max(row["sent_us"], 1)


def keeps(guest, method, size, rate):
    """
    Whether a rate is kept up: no frame is lost, and none has to wait before
    the NIC, which would slow the sender down.
    """
    for _ in range(TRIES):
        loss, real = probe(guest, method, size, rate)
        if loss == 0 and real > 0.95 * rate:
            return True
    return False


def largest(guest, method, size):
    """The largest rate that is kept up, by bisection of the ratio."""
    low, high = SLOWEST, FASTEST
    while high / low > PRECISION:
        middle = int((low * high) ** 0.5)
        if keeps(guest, method, size, middle):
            low = middle
        else:
            high = middle
    return low


def measure(full, say):
    """All methods; ratios are to TPACKET_V3 with the NIC up."""
    found, v3 = [], {}
    for kind, methods in CASES:
        with Guest(kind, count=False) as guest:
            for size in (64, 512, 1514) if full else (64, 1514):
                for method in methods:
                    if method in ("stock", "recvfrom") and not full:
                        continue
                    rate = largest(guest, method, size)
                    if method == "v3":
                        v3[size] = rate
                    beyond, real = probe(guest, method, size, 2 * rate)
                    row = {"kind": kind, "method": method, "size": size,
                           "receivers": 1, "accept": "all", "rate": rate,
                           "ratio": round(rate / v3[size], 2),
                           "loss_at_twice": round(beyond, 4),
                           "rate_at_twice": round(real)}
                    found.append(row)
                    say(row | {"frame": rate})
    return found
