# SPDX-License-Identifier: GPL-2.0-or-later
"""The results as text, beside the goals."""

NAMES = {"none": "the NIC alone", "v3": "AF_PACKET TPACKET_V3",
         "recvfrom": "AF_PACKET recvfrom", "stock": "Debian's tcpdump",
         "bpf": "read(2) on /dev/bpf", "ours": "tcpdump on /dev/bpf"}
ACCEPT = {"all": "", "some": ", filter accepts 1 %",
          "none": ", filter rejects all"}
SIZES = (64, 512, 1514)


def name(row):
    """What a row is about."""
    text = NAMES[row["method"]] + ACCEPT[row["accept"]]
    if row["receivers"] > 1:
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
    return f"{title:56}" + "".join(f"{cell:>11}" for cell in cells) + "\n"


def show(row, key):
    """One figure of a row that may not be there."""
    if row is None or key not in row:
        return ""
    return "lossy" if "invalid" in row else f"{row[key]:.4g}"


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


def further(rows, kind, accept):
    """What the sixteenth listener costs, from those of 1 and 16."""
    one = find(rows, 64, kind=kind, method="bpf", receivers=1, accept=accept)
    many = find(rows, 64, kind=kind, method="bpf", receivers=16,
                accept=accept)
    return (many["frame"] - one["frame"]) / 15 if one and many else None


def ratio(part, whole):
    """One figure by another."""
    return part / whole if part is not None and whole else None


def goals(results):
    """(what, goal, measured); a goal that is met is not below the figure."""
    rows = results.get("instructions", [])

    def added(size, **wanted):
        wanted = {"kind": "virtio-net", "method": "bpf", "receivers": 1,
                  "accept": "all"} | wanted
        row = find(rows, size, **wanted)
        return row["added"] if row and "invalid" not in row else None

    found = []
    for kind, text in (("virtio-net", "added by read(2), accept all"),
                       ("no driver", "in all, NIC without driver")):
        found += [(f"{text}, {size} B", goal, added(size, kind=kind))
                  for size, goal in zip(SIZES, (150, 150, 250))]
    found.append(("rejected by the filter in the guest", 60,
                  added(64, accept="none")))
    for accept, text, goal in (("none", "rejects", 40),
                               ("all", "accepts", 110)):
        found.append((f"each further listener that {text}", goal,
                      further(rows, "virtio-net", accept)))
    for size in SIZES:
        row = find(rows, size, kind="virtio-net", method="bpf", receivers=1,
                   accept="all")
        found.append((f"events for 1000 frames in bulk, {size} B", 5,
                      row and row["events_per_1000"]))
    for size in SIZES:
        found.append((f"our tcpdump beside Debian's, {size} B", 0.5,
                      ratio(added(size, method="ours"),
                            added(size, method="stock"))))
        alone = find(rows, size, kind="virtio-net", method="none")
        absent = find(rows, size, kind="virtio-net, no device")
        if alone and absent:
            found.append((f"no listener beside no device, {size} B", 1.01,
                          ratio(alone["frame"], absent["frame"])))
    for row in results.get("device", []):
        if row["size"] == 64:
            found.append(("device, host instructions, 64 B", 150, row["tap"]))
        if row["size"] == 1514:
            found.append(("device beside memcpy, 1514 B", 1.5,
                          ratio(row["tap"], row["memcpy"])))
    return found


def more(results):
    """Rates of at least so much times TPACKET_V3's."""
    return [(f"lossless rate beside TPACKET_V3's, {row['kind']}, "
             f"{row['size']} B", 8 if row["kind"] == "no driver" else 1.2,
             row["ratio"]) for row in results.get("rates", [])
            if row["method"] == "bpf"]


def goal_table(results):
    """What was wanted beside what was measured."""
    text = "\n" + line("Goals", ["goal", "measured", ""])
    for rows, good in ((goals(results), lambda value, goal: value <= goal),
                       (more(results), lambda value, goal: value >= goal)):
        for title, goal, value in rows:
            if value is not None:
                text += line("  " + title, [f"{goal:g}", f"{value:.4g}",
                             "" if good(value, goal) else "missed"])
    return text


def rates(rows):
    """Rates and losses."""
    text = "\n" + line("Largest rate without loss", ["frames/s", "ratio",
                       "loss at 2x"])
    for row in rows:
        text += line(f"  {row['kind']}, {row['size']} B, "
                     + NAMES[row["method"]],
                     [row["rate"], f"{row['ratio']:g}",
                      f"{100 * row['loss_at_twice']:.1f} %"])
    return text


def latency(rows):
    """Latency in immediate mode."""
    text = "\n" + line("One frame at once", ["instr.", "events"])
    for row in rows:
        text += line(f"  {row['kind']}, {NAMES[row['method']]}: waking up to "
                     "reading", [row["instructions"],
                                 f"{row['events_per_frame']:.2f}"])
    return text


def device(rows):
    """QEMU's own instructions."""
    text = "\n" + line("QEMU's instructions for each frame",
                       [f"{row['size']} B" for row in rows])
    for key, title in (("memcpy", "memcpy() of the frame"),
                       ("tap", "the tap with all that it calls"),
                       ("captured", "the filters of the netdev, captured"),
                       ("idle", "the same, no listener"),
                       ("filter-dump", "the same, filter-dump to /dev/null"),
                       ("turns", "at once: turns of the main loop from tap to"
                        " interrupt"),
                       ("notified", "and instructions meanwhile")):
        text += line("  " + title, [f"{row[key]:.0f}" for row in rows])
    return text


def table(results):
    """All of it."""
    text = ""
    for key, show_part in (("instructions", instructions),
                           ("latency", latency), ("rates", rates),
                           ("device", device)):
        if results.get(key):
            text += show_part(results[key])
    return text + goal_table(results)
