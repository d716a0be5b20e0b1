#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tshark captures from a guest of images/vm through the extcap during its command."""
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from live import Capture, Guest, Tshark, ask  # noqa: E402
from tap import Tap  # noqa: E402

INTERFACE = "virtio-capture-vm"
# Two NICs, each with its own network, and endless pings on both.
NICS = ["--nic", "e1000", "--netdev", "user", "--nic", "virtio-net-pci",
        "--netdev", "user,net=10.0.3.0/24"]
ECHOES = "for to in 2.2 3.2; do while :; do ping -c 1 -W 1 10.0.$to; " \
    "sleep 0.2; done >/dev/null & done"
FIELDS = ["-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "frame.cap_len"]
HEADER_SIZE = 24
MOST_VIEWERS = 8


def test_none(tap, folder):
    with Tshark(folder, INTERFACE) as tshark:
        status, output, errors = tshark.finish()
    tap.equal((status, output), (1, ""), "tshark without a guest: status 1")
    tap.contains(errors, "no guest of images/vm to capture in is running",
                 "tshark without a guest: the error says so")


def test_filter(tap, folder):
    """The only guest, its first NIC, with a filter."""
    with Tshark(folder, INTERFACE, "-f", "icmp[icmptype] == icmp-echo", "-c",
                "3", *FIELDS) as tshark:
        status, output, errors = tshark.finish()
    tap.equal((status, output), (0, "10.0.2.15\t10.0.2.2\t98\n" * 3),
              "tshark shows the frames that the filter accepts, of the first NIC")
    tap.ok("rror" not in errors, "tshark has no error to report for them", errors)


def test_settings(tap, folder, guest):
    """All settings of the interface."""
    with Tshark(folder, INTERFACE, "-c", "3", *FIELDS, nic="eth1",
                guest=guest.launcher.pid, filter="icmp", direction="in",
                snaplen="40", promiscuous="false") as tshark:
        status, output, _ = tshark.finish()
    tap.equal((status, output), (0, "10.0.3.2\t10.0.3.15\t40\n" * 3),
              "tshark with guest, NIC, filter, direction and snapshot length set")


def test_listed(tap, folder, guest):
    """The settings that Wireshark shows."""
    lines = ask(folder, "--extcap-config", "--extcap-interface", INTERFACE)[1]
    for part in (f"{{value={guest.launcher.pid}}}"
                 f"{{display={guest.launcher.pid}: sh}}",
                 "{value=eth1}", "{value=capture1}", "{call=--filter}",
                 "{call=--snaplen}", "{value=in}", "{call=--promiscuous}"):
        tap.contains(lines, part, f"the options of the interface have {part}")
    lines = ask(folder, "--extcap-interface", INTERFACE,
                "--extcap-reload-option", "guest")[1]
    tap.equal(lines.count("value {"), 2, "--extcap-reload-option lists the guests again")


def test_wrong(tap, folder, guest):
    pid = guest.launcher.pid
    with Tshark(folder, INTERFACE, "-f", "no filter") as tshark:
        status, output, errors = tshark.finish()
    tap.equal((status, output), (1, ""), "tshark with an invalid filter: status 1")
    tap.contains(errors, "tcpdump: can't parse filter expression",
                 "tshark with an invalid filter: tcpdump's error is shown")
    for what, words, message in (
            ("an unknown NIC", {"nic": "eth2"},
             "tcpdump: eth2: No such device exists"),
            ("an unknown guest", {"guest": "1"},
             "guest '1': no images/vm with this process ID has a guest to "
             f"capture in; running: {pid} (sh)"),
            ("an invalid snapshot length", {"snaplen": "1e3"},
             "snapshot length '1e3': not a number from 0 (all) to 262144"),
            ("an option for tcpdump as a filter", {"filter": "-w /root/x"},
             "tcpdump: can't parse filter expression: syntax error")):
        with Capture(folder, INTERFACE, **words) as capture:
            tap.equal((capture.read(1), *capture.finish()),
                      (b"", 1, f"virtio-capture-extcap: {message}"),
                      f"{what}: the error names it")


def test_many(tap, folder, guest):
    """Several viewers, one of which does not read, and how they end."""
    count = "echo $(pidof tcpdump | wc -w)"
    with contextlib.ExitStack() as stack:
        captures = [stack.enter_context(Capture(folder, INTERFACE))
                    for _ in range(MOST_VIEWERS)]
        sizes = [len(capture.read(HEADER_SIZE)) for capture in captures]
        tap.equal(sizes, [HEADER_SIZE] * MOST_VIEWERS,
                  f"{MOST_VIEWERS} viewers at a time")
        with Capture(folder, INTERFACE) as another:
            tap.equal(another.finish(),
                      (1, "virtio-capture-extcap: there are 8 viewers already"),
                      "a ninth viewer is refused with an error")
        tap.equal(guest.ask(count), str(MOST_VIEWERS), "each viewer has a tcpdump in the guest")
        tap.equal(captures[0].stop(), (0, ""), "a viewer that gets SIGTERM ends with status 0")
        captures[1].kill()
        captures[2].leave()
        tap.equal(captures[2].finish(), (0, ""), "a viewer whose FIFO is closed ends with status 0")
        # 2 MB, which is more than the window of a viewer that does not read.
        guest.tell("ping -q -s 1000 -c 1000 -i 0.001 10.0.2.2 >/dev/null")
        tap.ok(len(captures[4].read(1 << 20)) == 1 << 20,
               "a viewer gets its frames while another one does not read")
        tap.equal(guest.ask(count), str(MOST_VIEWERS - 3),
                  "the tcpdumps of viewers that have ended are gone")
        captures[3].leave()
        guest.tell("while pidof tcpdump | grep -q ' .* .* .* '; do sleep 0.1; "
                   "done")
        with Capture(folder, INTERFACE) as another:
            tap.equal(len(another.read(HEADER_SIZE)), HEADER_SIZE,
                      "a new viewer can take the place of one that has ended")


def test_end(tap, folder, guest):
    """tshark exits with the guest, after the last frames."""
    with Tshark(folder, INTERFACE, "-f", "icmp and host 10.0.2.3",
                *FIELDS) as tshark:
        guest.tell("until [ $(ping -q -c 1 -W 1 10.0.2.3 | wc -l) = 0 ] || "
                   "pidof tcpdump; do sleep 0.1; done; ping -c 1 10.0.2.3 >x")
        tap.ok(tshark.line(), "tshark shows a frame before the guest ends")
        guest_status, guest_errors = guest.end()
        status, output, errors = tshark.finish()
    tap.equal(status, 0, "tshark ends with status 0 when the guest ends")
    tap.ok(output.splitlines()[-1:] == ["10.0.2.3\t10.0.2.15\t98"],
           "tshark shows the last frame before the end of the command",
           output, errors)
    tap.equal((guest_status, guest_errors), (0, ""),
              "images/vm with a viewer ends with status 0, without messages")


def test_guest(tap, folder):
    with Guest(folder, *NICS) as guest:
        guest.tell(ECHOES)
        tap.equal(guest.ask("echo ready"), "ready", "the guest for tshark has booted")
        tap.run(lambda tap: test_filter(tap, folder),
                lambda tap: test_settings(tap, folder, guest),
                lambda tap: test_listed(tap, folder, guest),
                lambda tap: test_wrong(tap, folder, guest),
                lambda tap: test_many(tap, folder, guest),
                lambda tap: test_end(tap, folder, guest))


tap = Tap()
with tempfile.TemporaryDirectory() as home:
    tap.run(lambda tap: test_none(tap, home), lambda tap: test_guest(tap, home))
sys.exit(tap.done())
