# SPDX-License-Identifier: GPL-2.0-or-later
"""The results as text."""

NAMES = {"none": "the NIC alone", "sleep": "only nanosleep(2)",
         "v3": "AF_PACKET TPACKET_V3",
         "recvfrom": "AF_PACKET recvfrom", "stock": "Debian's tcpdump",
         "bpf": "read(2) on /dev/bpf", "zbuf": "zero copy", "ours": "tcpdump on /dev/bpf"}
ACCEPT = {"all": "", "some": ", filter accepts 1 %",
          "none": ", filter rejects all"}
SIZES = (64, 512, 1514)


def name(row):
    """What a row is about."""
    text = NAMES[row["method"]] + ACCEPT[row["accept"]]
    if row["receivers"] > 1 and "NICs" not in row["kind"]:
        text += f", {row['receivers']} listeners"
    return text


def find(rows, size, **wanted):
    """The row of that size with these values, or None."""
    for row in rows:
        if row["size"] == size and all(row[key] == value
                                       for key, value in wanted.items()):
            return row
    return None


def line(title, cells):
    """One line of a table."""
    return f"{title:56}" + "".join(f" {cell:>11}" for cell in cells) + "\n"


def number(value):
    """A figure that fits."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value + 0:.4g}"


def show(row, key):
    """One figure of a row that may not be there."""
    if row is None:
        return ""
    if key not in row:
        return ""
    return "lossy" if "invalid" in row else number(row[key])


def instructions(rows):
    """A table for each kind of guest."""
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
    return text + ("\nadded to the NIC alone where there is one; user: part of"
                   " it in user space, and events:\nnotifications and"
                   " interrupts of the capture device for 1000 frames, both of"
                   " the largest size\n")


def ratio(part, whole):
    """One figure by another."""
    return part / whole if part is not None and whole else None


def beside(rows):
    """No listener beside no capture device."""
    text = ""
    for size in SIZES:
        alone = find(rows, size, kind="virtio-net", method="none")
        absent = find(rows, size, kind="virtio-net, no device")
        if alone and absent:
            text += line(f"  no listener beside no device, {size} B", [
                f"{ratio(alone['frame'], absent['frame']):.3f}"])
    return text


def further(rows):
    """What each further listener costs."""
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
    """Low rates, in all."""
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
    """Readers that nothing comes for."""
    text = "\n" + line("An idle reader with a timeout of 100 ms, instructions",
                       ["a timeout", "a second"])
    for row in results["readers"]:
        text += line(f"  {row['receivers']} of them, {NAMES[row['method']]}",
                     [show(row, "frame"), show(row, "second")])
    text += line("  the guest alone", ["", results["guest_second"]])
    for what, cost in results["asked"].items():
        text += line(f"  asking once: {what}", [cost])
    return text


def memory(results):
    """The guest's memory."""
    text = "\n" + line("Guest memory, KiB", ["taken", "kept after"])
    for row in results["at_rest"]:
        text += line(f"  each of {row['nics']} NICs at rest",
                     [f"{row['kib']:g}"])
    for row in results["listeners"]:
        text += line(f"  {row['receivers']} receivers, {NAMES[row['method']]}",
                     [show(row, "kib"), show(row, "left_kib")])
    return text


def rates(rows):
    """Rates and losses."""
    text = "\n" + line("Largest rate without loss", ["frames/s", "ratio",
                       "flat out", "lost"])
    for row in rows:
        who = ("no receiver" if row["method"] == "none"
               else NAMES[row["method"]])
        text += line(f"  {row['kind']}, {row['size']} B, {who}", [
            row["rate"], f"{row['ratio']:g}", row["flat_out_rate"],
            f"{100 * row['flat_out_loss']:.1f} %"])
    return text + ("ratio: to TPACKET_V3 with the NIC up; flat out: as fast as"
                   " QEMU takes frames. With the\nNIC up no rate is above that"
                   " of no receiver: compare what is lost\n")


def waking(rows):
    """One frame at once."""
    text = "\n" + line("One frame at once: instructions", ["to reader", "in all",
                       "events"])
    for row in rows:
        text += line(f"  {row['kind']}, {NAMES[row['method']]}, {row['how']}",
                     [show(row, "instructions"), show(row, "frame"),
                      show(row, "events_per_frame")])
    return text


def device(rows):
    """QEMU's own instructions."""
    text = "\n" + line("QEMU's instructions for each frame",
                       [f"{row['size']} B" for row in rows])
    for key, title in (("memcpy", "memcpy() of the frame"),
                       ("tap", "the tap with all that it calls"),
                       ("captured", "the filters of the netdev, captured"),
                       ("idle", "the same, no listener"),
                       ("accepted", "the same, accepted by tcp port 80"),
                       ("rejected", "the same, rejected by tcp port 80"),
                       ("filter-dump", "the same, filter-dump to /dev/null"),
                       ("turns", "at once: turns of the main loop from tap to"
                        " interrupt"),
                       ("notified", "and instructions meanwhile")):
        text += line("  " + title, [f"{row[key]:.0f}" for row in rows])
    return text


PARTS = (("instructions", instructions), ("instructions", further),
         ("instructions", beside), ("waking", waking), ("paced", paced),
         ("idle", idle), ("memory", memory), ("rates", rates),
         ("device", device))


def table(results):
    """All of it."""
    return "".join(show_part(results[key]) for key, show_part in PARTS
                   if results.get(key))
