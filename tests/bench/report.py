# SPDX-License-Identifier: GPL-2.0-or-later
"""Formats the results as text."""

NAMES = {"none": "the NIC alone", "sleep": "only nanosleep(2)",
         "v3": "AF_PACKET TPACKET_V3",
         "recvfrom": "AF_PACKET recvfrom", "stock": "Debian's tcpdump",
         "bpf": "read(2) on /dev/bpf", "zbuf": "zero copy", "ours": "tcpdump on /dev/bpf"}
ACCEPT = {"all": "", "some": ", filter accepts 1 %",
          "none": ", filter rejects all"}
SIZES = (64, 512, 1514)


def name(row):
    """Returns the title of a row."""
    text = NAMES[row["method"]] + ACCEPT[row["accept"]]
    if row["receivers"] > 1 and "NICs" not in row["kind"]:
        text += f", {row['receivers']} listeners"
    return text


def find(rows, size, **wanted):
    """Returns the row of that size with these values, or None."""
    for row in rows:
        if row["size"] == size and all(row[key] == value
                                       for key, value in wanted.items()):
            return row
    return None


def line(title, cells):
    """Formats a line of a table."""
    return f"{title:56}" + "".join(f" {cell:>11}" for cell in cells) + "\n"


def number(value):
    """Formats a figure to the width of a column."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value + 0:.4g}"


def show(row, key):
    """Formats a figure of a row; row may be None."""
    if row is None:
        return ""
    if key not in row:
        return ""
    return "lossy" if "invalid" in row else number(row[key])


def instructions(rows):
    """Formats a table for each kind of guest."""
    text = ""
    for kind in dict.fromkeys(row["kind"] for row in rows):
        mine = [row for row in rows if row["kind"] == kind]
        keys = dict.fromkeys((row["method"], row["receivers"], row["accept"])
                             for row in mine)
        text += f"\nGuest instructions for each frame, {kind}\n"
        text += line("", [f"{size} B" for size in SIZES]
                     + ["user", "events"])
        for method, receivers, accept in keys:
            cells, last = [], None
            for size in SIZES:
                row = find(mine, size, method=method, receivers=receivers,
                           accept=accept)
                cells.append(show(row, "frame" if method == "none"
                                  else "added"))
                last = row or last
            cells += [show(last, "user_frame"),
                      show(last, "events_per_1000")]
            title = name(last)
            text += line(title if method == "none" else "  + " + title, cells)
    return text + ("\n+: instructions in addition to the NIC's, if it was"
                   " measured; user: the part in user space;\nevents:"
                   " notifications and interrupts of the capture device per"
                   " 1000 frames; both for the\nlargest size\n")


def ratio(part, whole):
    """Returns the quotient of two figures, or None."""
    return part / whole if part is not None and whole else None


def beside(rows):
    """Formats the ratio of no listener to no capture device."""
    text = ""
    for size in SIZES:
        alone = find(rows, size, kind="virtio-net", method="none")
        absent = find(rows, size, kind="virtio-net, no device")
        if alone and absent:
            text += line(f"  no listener / no device, {size} B", [
                f"{ratio(alone['frame'], absent['frame']):.3f}"])
    return text


def further(rows):
    """Formats the cost of each further listener."""
    text = "\n" + line("Each further listener, 64 B, of",
                       ["4", "16", "64"])
    for method in ("v3", "bpf", "zbuf"):
        for accept in ("all", "none"):
            one = find(rows, 64, kind="virtio-net", method=method, receivers=1,
                       accept=accept)
            cells = []
            for count in (4, 16, 64):
                many = find(rows, 64, kind="virtio-net", method=method,
                            receivers=count, accept=accept)
                if not one or not many or "frame" not in many:
                    cells.append(show(many, "frame"))
                elif "invalid" in many or "invalid" in one:
                    cells.append("lossy")
                else:
                    each = (many["frame"] - one["frame"]) / (count - 1)
                    cells.append(f"{each:.4g}")
            text += line("  " + NAMES[method] + ACCEPT[accept], cells)
    return text


def paced(rows):
    """Formats the instructions at low rates."""
    rates_seen = list(dict.fromkeys(row["rate"] for row in rows))
    text = "\n" + line("All instructions for a frame of 64 B at a low rate",
                       [f"{rate}/s" for rate in rates_seen]
                       + ["events"])
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        text += line("  " + NAMES[method],
                     [show(row, "frame") for row in mine]
                     + [show(mine[-1], "events_per_1000")])
    return text


def idle(results):
    """Formats the cost of readers that get no frames."""
    text = "\n" + line("An idle reader with a timeout of 100 ms, instructions",
                       ["a timeout", "a second"])
    for row in results["readers"]:
        text += line(f"  each of {row['receivers']}, {NAMES[row['method']]}",
                     [show(row, "frame"), show(row, "second")])
    text += line("  the guest alone", ["", results["guest_second"]])
    for what, cost in results["asked"].items():
        text += line(f"  one request: {what}", [cost])
    return text


def memory(results):
    """Formats the guest's memory."""
    text = "\n" + line("Guest memory, KiB", ["taken", "left after"])
    for row in results["at_rest"]:
        text += line(f"  each of {row['nics']} NICs at rest",
                     [f"{row['kib']:g}"])
    for row in results["listeners"]:
        text += line(f"  {row['receivers']} receivers, {NAMES[row['method']]}",
                     [show(row, "kib"), show(row, "left_kib")])
    return text


def rates(rows):
    """Formats rates and losses."""
    text = "\n" + line("Largest rate without loss", ["frames/s", "ratio",
                       "flat out", "lost"])
    for row in rows:
        who = ("no receiver" if row["method"] == "none"
               else NAMES[row["method"]])
        text += line(f"  {row['kind']}, {row['size']} B, {who}", [
            row["rate"], f"{row['ratio']:g}", row["flat_out_rate"],
            f"{100 * row['flat_out_loss']:.1f} %"])
    return text + ("ratio: to TPACKET_V3 with the NIC's driver; flat out: as fast"
                   " as QEMU reads frames. With\nthe NIC's driver no rate is above"
                   " that without a receiver: compare the losses\n")


def waking(rows):
    """Formats the cost of frames that arrive one at a time."""
    text = "\n" + line("One frame at a time: instructions", ["to reader", "in all",
                       "events"])
    for row in rows:
        text += line(f"  {row['kind']}, {NAMES[row['method']]}, {row['how']}",
                     [show(row, "instructions"), show(row, "frame"),
                      show(row, "events_per_frame")])
    return text


def device(rows):
    """Formats QEMU's own instructions."""
    text = "\n" + line("QEMU's instructions for each frame",
                       [f"{row['size']} B" for row in rows])
    for key, title in (("memcpy", "memcpy() of the frame"),
                       ("tap", "the tap with its callees"),
                       ("captured", "all filters of the netdev, captured"),
                       ("idle", "the same, no listener"),
                       ("accepted", "the same, accepted by tcp port 80"),
                       ("rejected", "the same, rejected by tcp port 80"),
                       ("filter-dump", "the same, filter-dump to /dev/null"),
                       ("turns", "immediate mode: main loop iterations to the"
                        " interrupt"),
                       ("notified", "and instructions from tap to interrupt")):
        text += line("  " + title, [f"{row[key]:.0f}" for row in rows])
    return text


PARTS = (("instructions", instructions), ("instructions", further),
         ("instructions", beside), ("waking", waking), ("paced", paced),
         ("idle", idle), ("memory", memory), ("rates", rates),
         ("device", device))


def table(results):
    """Formats all results."""
    return "".join(show_part(results[key]) for key, show_part in PARTS
                   if results.get(key))
