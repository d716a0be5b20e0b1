# SPDX-License-Identifier: GPL-2.0-or-later
"""The goals, compared with the measured figures and with those of a peer."""
from report import NAMES, SIZES, find, ratio

# How much the difference of two totals of a guest with a NIC varies between runs,
# in instructions per frame.
NOISE = 4

WIDTH = 66

NOT_MEASURED, LOSSY = "not measured", "lossy"


def goal(title, measured, wanted, peer=None, beside="", **more):
    """
    Returns a row. measured and peer: a number, or a text with the reason why there
    is none; the peer's reason is left out.
    more: at_least, if a larger figure is better; slack, the tolerance; below_peer,
    if the figure must also be below the peer's.
    """
    if isinstance(peer, str):
        peer = None
    row = {"row": title, "goal": wanted, "peer": peer, "beside": beside,
           "measured": measured, "met": None}
    if isinstance(measured, str) or measured is None:
        row["measured"], row["note"] = None, measured or NOT_MEASURED
        return row
    if more.get("at_least"):
        row["met"] = measured >= wanted
    else:
        row["met"] = measured <= wanted + more.get("slack", 0)
    if more.get("below_peer") and peer is not None:
        row["met"] = row["met"] and measured < peer
    return row


def figure(row, key):
    """Returns a row's figure, or the reason why there is none."""
    if row is None:
        return NOT_MEASURED
    return LOSSY if "invalid" in row else row[key]


def both(part, whole, rule):
    """Returns a figure computed from two, or the reason why there is none."""
    for one in (part, whole):
        if isinstance(one, str):
            return one
    return round(rule(part, whole), 3)


class Matrix:
    """The figures of the part "instructions"."""

    def __init__(self, rows):
        self.rows = rows

    def added(self, size, **wanted):
        """Returns the instructions that capture of a frame adds to the NIC's."""
        return figure(self._find(size, wanted), "added")

    def further(self, method, accept, kind="virtio-net"):
        """Returns the cost of one more listener, computed from 1 and 16."""
        one, many = (figure(self._find(64, {
            "method": method, "accept": accept, "kind": kind,
            "receivers": receivers}), "frame") for receivers in (1, 16))
        return both(one, many, lambda one, many: (many - one) / 15)

    def _find(self, size, wanted):
        wanted = {"kind": "virtio-net", "method": "bpf", "receivers": 1,
                  "accept": "all"} | wanted
        return find(self.rows, size, **wanted)


def frames(matrix):
    """Goals for the guest's instructions per frame."""
    for size, wanted in zip(SIZES, (35, 40, 50)):
        yield goal(f"read(2), added, {size} B", matrix.added(size), wanted,
                   matrix.added(size, method="v3"), NAMES["v3"])
    for size, wanted in zip(SIZES, (35, 40, 50)):
        yield goal(f"the same, the NIC without driver, {size} B",
                   matrix.added(size, kind="no driver"), wanted)
    for size, wanted in zip(SIZES, (25, 30, 40)):
        yield goal(f"zero copy, added, {size} B",
                   matrix.added(size, method="zbuf"), wanted,
                   matrix.added(size, method="v3"), NAMES["v3"])
    for kind, text in (("virtio-net", ""),
                       ("no driver", ", the NIC without driver")):
        peer = matrix.added(64, method="v3", accept="none", kind=kind)
        yield goal(f"rejected by the filter{text}",
                   matrix.added(64, accept="none", kind=kind), 0,
                   *((peer, NAMES["v3"]) if kind == "virtio-net" else ()),
                   slack=NOISE if kind == "virtio-net" else 1)
    for accept, text, wanted in (("all", "accepts", 5), ("none", "rejects", 0)):
        yield goal(f"each further listener that {text}",
                   matrix.further("bpf", accept), wanted,
                   matrix.further("v3", accept), NAMES["v3"],
                   slack=0 if wanted else 1)


def waking(rows):
    """Goals for frames that arrive one at a time."""
    found = {(row["kind"], row["method"], row["how"]): row for row in rows}
    for method, how, text in (("bpf", "at-once", "read(2)"),
                              ("bpf", "poll", "poll(2) and read(2)"),
                              ("zbuf", "poll", "poll(2), zero copy")):
        yield goal(f"one frame at a time, wakeup to reader, {text}",
                   figure(found.get(("virtio-net", method, how)),
                          "instructions"), 7000,
                   figure(found.get(("virtio-net", "recvfrom", how)),
                          "instructions"), NAMES["recvfrom"], below_peer=True)


def idle(results):
    """Goals for a reader that gets no frames."""
    readers = {(row["method"], row["receivers"]): row
               for row in results.get("readers", ())}
    yield goal("an idle reader with a 100 ms timeout, a second",
               figure(readers.get(("bpf", 1)), "second"), 40000,
               figure(readers.get(("recvfrom", 1)), "second"),
               NAMES["recvfrom"])


def tcpdump(matrix, rows):
    """Goals for tcpdump on /dev/bpf, compared with Debian's."""
    for size, wanted in zip(SIZES, (0.40, 0.48, 0.56)):
        theirs = matrix.added(size, method="stock")
        yield goal(f"our tcpdump / Debian's, in bulk, {size} B",
                   both(matrix.added(size, method="ours"), theirs, ratio),
                   wanted, theirs, "instructions of Debian's")
    found = {row["method"]: row for row in rows if row["rate"] == 1000}
    for key, text in (("added", "added"), ("frame", "with the NIC's part")):
        ours, theirs = (figure(found.get(method), key)
                        for method in ("ours", "stock"))
        yield goal(f"our tcpdump / Debian's, 1000 frames/s, {text}",
                   both(ours, theirs, ratio), 0.75, theirs,
                   "instructions of Debian's")


def host(rows):
    """Goals for QEMU's instructions."""
    row = next((row for row in rows if row["size"] == 64), None)
    peer = figure(row, "filter-dump")
    for variant, wanted in (("accepted", 280), ("rejected", 200)):
        text = f"host, all filters, 64 B {variant} by tcp port 80"
        if row and not row["filter"]:
            text += " (no FILTER)"
        yield goal(text, figure(row, variant), wanted, peer, "filter-dump")


def memory(results):
    """Goals for the guest's memory."""
    rest = {row["nics"]: row["kib"] for row in results.get("at_rest", ())}
    for nics in (1, 4, 14):
        yield goal(f"guest memory at rest, each of {nics} NICs, KiB",
                   rest.get(nics), 64)


def speed(rows):
    """Goals for lossless rates."""
    for method, text in (("bpf", "read(2)"), ("zbuf", "zero copy")):
        for size in (64, 1514):
            row = find(rows, size, kind="no driver", method=method)
            peer = find(rows, size, method="v3")
            yield goal(f"lossless rate without driver, {text}, {size} B, "
                       "times V3's", figure(row, "ratio"),
                       6 if size == 1514 else 8, figure(peer, "rate"),
                       "frames/s of TPACKET_V3", at_least=True)


def rows_of(results):
    """Returns the rows of all goals, measured or not."""
    matrix = Matrix(results.get("instructions", []))
    return [*frames(matrix), *waking(results.get("waking", [])),
            *idle(results.get("idle", {})),
            *tcpdump(matrix, results.get("paced", [])),
            *host(results.get("device", [])),
            *memory(results.get("memory", {})),
            *speed(results.get("rates", []))]


def cell(value):
    """Formats a figure to the width of a column."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def heads(words):
    """Formats columns."""
    return "".join(f"{word:>9}" for word in words)


def table(rows):
    """Formats the rows as text."""
    text = f"\n{'Goals':{WIDTH}}" + heads(["now", "goal", "peer"]) + "\n"
    for row in rows:
        verdict = {True: "met", False: "not met",
                   None: row.get("note")}[row["met"]]
        beside = row["beside"] if row["peer"] is not None else ""
        text += (f"  {row['row']:{WIDTH - 2}}" + heads(
            [cell(row["measured"]), cell(row["goal"]), cell(row["peer"])])
            + f"  {verdict:13} {beside}".rstrip() + "\n")
    return text
