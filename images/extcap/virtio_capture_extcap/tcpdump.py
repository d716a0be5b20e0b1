# SPDX-License-Identifier: GPL-2.0-or-later
"""tcpdump in the guest: its arguments and its messages."""
import re

from .errors import Failure, plain
from .stream import MOST_LENGTH

DIRECTIONS = ("inout", "in", "out")
MOST_FILTER = 4096
# How many bytes at the end of its messages are kept.
MOST_TEXT = 1 << 14

# Messages that are not errors.
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
    """Check the name of an interface in the guest; empty: tcpdump's default."""
    if name and not re.fullmatch(r"[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,31}", name):
        raise Failure(f"NIC {plain(name)!r}: not an interface name")
    return name


def choose_snaplen(text):
    """Parse the snapshot length; 0: tcpdump's default."""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > MOST_LENGTH:
        raise Failure(f"snapshot length {plain(text)!r}: not a number from 0 (all) "
                      f"to {MOST_LENGTH}")
    return int(text)


def choose_direction(text):
    """Check the direction of packets, an argument of tcpdump's -Q."""
    if text not in DIRECTIONS:
        raise Failure(f"direction {plain(text)!r}: not one of "
                      f"{', '.join(DIRECTIONS)}")
    return text


def choose_filter(*texts):
    """Combine filters that are not empty. Their syntax is left to the guest's
    tcpdump."""
    texts = [text.strip() for text in texts if text.strip()]
    whole = texts[0] if len(texts) == 1 else \
        " and ".join(f"({text})" for text in texts)
    if re.search(r"[\0-\x1f\x7f]", whole):
        raise Failure(f"filter {plain(whole)!r}: it has control characters")
    if len(whole.encode(errors="replace")) > MOST_FILTER:
        raise Failure(f"filter: longer than {MOST_FILTER} bytes")
    return whole


def arguments(options):
    """Return tcpdump's arguments, to write a pcap file to its standard output."""
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
    # "--", as a filter may begin with "-".
    return [*words, "--", choose_filter(options.filter,
                                        options.extcap_capture_filter)]


def complaint(text, status):
    """Return the error message for tcpdump, or a program that should start it,
    having exited with that status."""
    lines = [plain(line.rstrip(b"\r")) for line in text.split(b"\n")
             if line.strip() and not CHATTER.search(line)]
    # libpcap's message may follow in parentheses and repeat the line before.
    lines = [line for before, line in zip(["", *lines], lines)
             if line.strip("()") not in before]
    return "; ".join(lines[-4:]) or \
        f"the guest's tcpdump exited with status {status}"
