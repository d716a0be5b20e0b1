# SPDX-License-Identifier: GPL-2.0-or-later
"""The report as a picture: bars in SVG."""
from xml.sax.saxutils import escape

from report import SIZES, name

COLOURS = {"none": "#9aa5b1", "v3": "#c2703d", "recvfrom": "#d9a05b",
           "stock": "#b7410e", "bpf": "#1f6f8b", "zbuf": "#124559", "ours": "#3ba99c"}
WIDTH, LABEL, BAR, GAP = 900, 330, 16, 26
ROOM = WIDTH - LABEL - 80


def text(x, y, words, anchor="start", extra=""):
    """Words at a place."""
    return (f'<text x="{x}" y="{y}" text-anchor="{anchor}"{extra}>'
            f"{escape(words)}</text>")


def bars(title, rows, top):
    """One group of bars, (label, value, colour), and where it ends."""
    largest = max(value for _, value, _ in rows)
    parts = [text(10, top + GAP, title, extra=' font-weight="bold"')]
    y = top + GAP + 10
    for label, value, colour in rows:
        width = max(value / largest * ROOM, 1)
        parts.append(text(LABEL - 8, y + BAR - 4, label, "end"))
        parts.append(f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" '
                     f'height="{BAR}" fill="{colour}"/>')
        parts.append(text(LABEL + width + 6, y + BAR - 4, f"{value:,.0f}"))
        y += BAR + 4
    return parts, y + 6


def instruction_groups(rows):
    """One group for each kind of guest and size."""
    for kind in dict.fromkeys(row["kind"] for row in rows):
        for size in SIZES:
            mine = [(name(row), max(row["added"], 0), COLOURS[row["method"]])
                    for row in rows if row["kind"] == kind
                    and row["size"] == size and row["method"] != "none"
                    and "invalid" not in row and "unsupported" not in row]
            if mine:
                yield (f"Guest instructions added for each frame of {size} "
                       f"bytes: {kind}", mine)


def rate_groups(rows):
    """One group for each size."""
    for size in dict.fromkeys(row["size"] for row in rows):
        yield (f"Frames of {size} bytes a second without loss",
               [(f"{row['kind']}, {name(row)}", row["rate"],
                 COLOURS[row["method"]]) for row in rows
                if row["size"] == size and "rate" in row])


def device_groups(rows):
    """One group for each size."""
    for row in rows:
        yield (f"QEMU's instructions for each frame of {row['size']} bytes",
               [("memcpy() of it", row["memcpy"], COLOURS["none"]),
                ("the capture device", row["tap"], COLOURS["bpf"]),
                ("filter-dump to /dev/null", row["filter-dump"], COLOURS["stock"])])


def draw(results):
    """The whole picture."""
    parts, top = [], 0
    for groups, key in ((instruction_groups, "instructions"),
                        (rate_groups, "rates"), (device_groups, "device")):
        for title, rows in groups(results.get(key, [])):
            more, top = bars(title, rows, top)
            parts += more
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
            f'height="{top + 10}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")
