# SPDX-License-Identifier: GPL-2.0-or-later
"""tcpdump in the guest: its arguments and its messages."""
import re

from .errors import Failure, plain
from .stream import MOST_LENGTH

DIRECTIONS = ("inout", "in", "out")
MOST_FILTER = 4096
# How much of its messages is kept, from the end.
MOST_TEXT = 1 << 14

# Messages that are no errors.
CHATTER = re.compile(rb"^tcpdump: (listening on|data link type)|"
                     rb"^[0-9]+ packets? (captured|received|dropped)|"
                     rb"verbose output suppressed")

# For sh in the guest: choose a tcpdump that captures through /dev/bpf. Debian's
# needs bpf-run for that; without it, or without the driver, it uses AF_PACKET.
CHOOSE = """\
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin
if [ ! -e /dev/bpf ]; then
    echo "the guest has no /dev/bpf: its driver, virtio_capture, is not loaded" >&2
    exit 125
fi
if command -v bpf-run >/dev/null; then
    set -- bpf-run tcpdump "$@"
else
    set -- tcpdump "$@"
fi
"""


def choose_nic(name):
    """An interface of the guest's; tcpdump's own choice if it is empty."""
    if name and not re.fullmatch(r"[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,31}", name):
        raise Failure(f"NIC {plain(name)!r}: this is no name of an interface")
    return name


def choose_snaplen(text):
    """The snapshot length; 0: tcpdump's own."""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > MOST_LENGTH:
        raise Failure(f"snapshot length {plain(text)!r}: it is a number from 0, "
                      f"for all, to {MOST_LENGTH}")
    return int(text)


def choose_direction(text):
    """The direction of packets, as tcpdump's -Q takes it."""
    if text not in DIRECTIONS:
        raise Failure(f"direction {plain(text)!r}: it is one of "
                      f"{', '.join(DIRECTIONS)}")
    return text


def choose_filter(*texts):
    """One filter of those that are not empty. Its syntax is left to the guest's
    tcpdump."""
    texts = [text.strip() for text in texts if text.strip()]
    whole = texts[0] if len(texts) == 1 else \
        " and ".join(f"({text})" for text in texts)
    if re.search(r"[\0-\x1f\x7f]", whole):
        raise Failure(f"filter {plain(whole)!r}: it is one line of text")
    if len(whole.encode(errors="replace")) > MOST_FILTER:
        raise Failure("filter: it has more than "
                      f"{MOST_FILTER} bytes")
    return whole


def arguments(options):
    """tcpdump's arguments for a pcap file on its standard output."""
    words = ["-U", "--immediate-mode", "-w", "-"]
    nic = choose_nic(options.nic)
    if nic:
        words += ["-i", nic]
    snaplen = choose_snaplen(options.snaplen)
    if snaplen:
        words += ["-s", str(snaplen)]
    direction = choose_direction(options.direction)
    if direction != "inout":
        words += ["-Q", direction]
    if not options.promiscuous:
        words.append("-p")
    # After "--" a filter that begins with "-" is not taken for an option.
    return [*words, "--", choose_filter(options.filter,
                                        options.extcap_capture_filter)]


def complaint(text, status):
    """Why tcpdump, or what was to start it, has ended with that status."""
    lines = [plain(line.rstrip(b"\r")) for line in text.split(b"\n")
             if line.strip() and not CHATTER.search(line)]
    # libpcap's own words may follow in parentheses, and be the same.
    lines = [line for before, line in zip(["", *lines], lines)
             if line.strip("()") not in before]
    return "; ".join(lines[-4:]) or f"the guest's tcpdump ended with {status}"
