#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of a guest through ssh and the QEMU guest agent. The servers are Debian's
dropbear and qemu-ga, in a guest of images/vm."""
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from live import ROOT, Capture, Guest, Tshark  # noqa: E402
from qmp import Qmp  # noqa: E402
from tap import Tap  # noqa: E402

SERVE = Path(__file__).with_name("serve")
SSH, AGENT = "virtio-capture-ssh", "virtio-capture-agent"
FIELDS = ["-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "frame.cap_len"]
# An invalid filter. If a shell got it unquoted, it would reboot the guest.
FILTER = "icmp[icmptype] == icmp-echo and not (host 10.0.2.4 && 'lo$(reboot)')"
ECHO = "icmp[icmptype] == icmp-echo and less 99"
HEADER_SIZE = 24
# Prints the numbers of tcpdump processes and of folders for captures.
LEFT = "echo $(pidof tcpdump | wc -w) $(ls /run | grep -c virtio-capture)"


def wait_for_nothing(guest):
    """Waits, 20 s at most, until the guest has no processes or files of captures."""
    for _ in range(40):
        left = guest.ask(LEFT)
        if left == "0 0":
            break
        time.sleep(0.5)
    return left


class Ways:
    """The options of both interfaces to reach the guest."""

    def __init__(self, folder, port):
        self.folder = folder
        self.ssh = {
            "host": "root@127.0.0.1",
            "sshoptions": f"-p {port} -i '{folder}/id' -o BatchMode=yes "
                          f"-o UserKnownHostsFile={folder}/known "
                          "-o StrictHostKeyChecking=accept-new"}
        self.agent = {"qmp": f"{folder}/qmp"}

    def tshark(self, interface, *words, **settings):
        """A tshark with the options of an interface."""
        way = self.ssh if interface == SSH else self.agent
        return Tshark(self.folder, interface, *words, **{**way, **settings})

    def capture(self, interface, **words):
        """The extcap with the options of an interface."""
        way = self.ssh if interface == SSH else self.agent
        words = {**way, **words}
        if "sshoptions" in words:
            words["ssh-options"] = words.pop("sshoptions")
        return Capture(self.folder, interface, **words)


def test_frames(tap, ways, guest):
    """Captures through ssh and the agent, and how their tcpdump ends."""
    for interface in (SSH, AGENT):
        with ways.tshark(interface, "-f", ECHO, "-c", "3", *FIELDS, nic="eth0",
                         snaplen="60", direction="out") as tshark:
            status, output, errors = tshark.finish()
        tap.equal((status, output), (0, "10.0.2.15\t10.0.2.2\t60\n" * 3),
                  f"{interface}: tshark shows the frames that the guest sends")
        tap.ok("rror" not in errors, f"{interface}: tshark has no error to report", errors)
        tap.equal(wait_for_nothing(guest), "0 0",
                  f"{interface}: no tcpdump and no file is left in the guest")


def test_wrong(tap, ways):
    """Invalid options and their errors."""
    syntax = "tcpdump: can't parse filter expression: syntax error"
    for interface, words, message in (
            (SSH, {"filter": FILTER}, syntax),
            (AGENT, {"filter": FILTER}, syntax),
            (SSH, {"filter": "-w /root/x"}, syntax),
            (AGENT, {"filter": "-w /root/x"}, syntax),
            (SSH, {"nic": "eth7"}, "tcpdump: eth7: No such device exists"),
            (AGENT, {"nic": "eth7"}, "tcpdump: eth7: No such device exists"),
            (SSH, {"nic": "$(reboot)"},
             "NIC '$(reboot)': not an interface name"),
            (SSH, {"host": ""}, "no host is set"),
            (SSH, {"host": "-oProxyCommand=reboot"},
             "host '-oProxyCommand=reboot': not a host name"),
            (SSH, {"sshoptions": "-p '22"},
             "ssh options \"-p '22\": No closing quotation"),
            (SSH, {"sshoptions": "-p 1 -o BatchMode=yes"},
             "ssh: connect to host 127.0.0.1 port 1: Connection refused"),
            (SSH, {"sudo": True}, "sudo"),
            (AGENT, {"qmp": ""}, "neither a QMP socket nor a guest agent's socket"),
            (AGENT, {"qmp": f"{ways.folder}/none"},
             f"QMP socket {ways.folder}/none: No such file or directory")):
        with ways.capture(interface, **words) as capture:
            data = capture.read(1)
            status, errors = capture.finish()
        tap.ok(status and not data and message in errors
               and errors.startswith("virtio-capture-extcap: ")
               and "\n" not in errors,
               f"{interface} {words}: an error in one line", status, errors)


def test_ends(tap, ways, guest):
    """The viewer exits while no frames arrive."""
    silent = "udp port 9"
    for interface, end in ((SSH, Capture.stop), (SSH, Capture.kill),
                           (AGENT, Capture.stop)):
        with ways.capture(interface, filter=silent, nic="eth0") as capture:
            tap.equal(len(capture.read(HEADER_SIZE)), HEADER_SIZE,
                      f"{interface}: a capture without frames has begun")
            end(capture)
            tap.equal(wait_for_nothing(guest), "0 0",
                      f"{interface}: nothing is left in the guest after "
                      f"{end.__name__}()")
    with ways.capture(AGENT, agent=f"{ways.folder}/agent", nic="eth0") as one:
        one.read(HEADER_SIZE)
        with ways.capture(AGENT, nic="eth0") as another:
            tap.contains(another.finish()[1], "no answer in 10 s",
                         "a second viewer by the same agent: an error")
        tap.ok(one.read(1000), "the first viewer by the same agent continues")


def test_own(tap, ways):
    """Each captured packet of the connection would cause another one."""
    with ways.tshark(SSH, "-f", "tcp port 22 or icmp", "-c", "20", "-T", "fields",
                     "-e", "ip.proto", nic="eth0") as tshark:
        output = tshark.finish()[1]
    tap.equal(set(output.split()), {"1"},
              f"{SSH}: the packets of the connection itself are left out")


def test_host(tap, ways, guest):
    """The host switches capture off; a guest without the driver."""
    qmp = Qmp.connect(f"{ways.folder}/qmp")
    qmp("qom-set", path="/machine/peripheral/capture0", property="capture",
        value=False)
    # QEMU accepts one connection at a time.
    qmp.channel.file.close()
    qmp.channel.socket.close()
    with ways.capture(AGENT) as capture:
        tap.contains(capture.finish()[1], "capture is switched off for all "
                     "devices", f"{AGENT}: the host has switched capture off: an error")
    guest.ask("mv /dev/bpf /dev/not; echo done")
    for interface, way in ((SSH, {}), (AGENT, {"agent": f"{ways.folder}/agent"})):
        with ways.capture(interface, **way) as capture:
            tap.contains(capture.finish()[1], "the guest has no /dev/bpf",
                         f"{interface}: a guest without driver: an error")


def test_gone(tap, ways, guest):
    """The guest ends during a capture."""
    guest.ask("mv /dev/not /dev/bpf; echo done")
    with ways.capture(AGENT, agent=f"{ways.folder}/agent", nic="eth0") as agent, \
            ways.capture(SSH, nic="eth0") as ssh:
        tap.equal([len(agent.read(HEADER_SIZE)), len(ssh.read(HEADER_SIZE))],
                  [HEADER_SIZE] * 2, "both ways capture before the guest ends")
        guest.end()
        for name, capture, reason in (("agent", agent, "the guest agent's socket"),
                                      ("ssh", ssh, "127.0.0.1")):
            status, errors = capture.finish()
            tap.ok(status == 1 and reason in errors,
                   f"{name}: a capture ends with the guest, with an error", errors)


def test_guest(tap, folder):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    f"{folder}/id"], check=True)
    devices = ["virtio-serial-pci,id=agent",
               "virtserialport,bus=agent.0,chardev=agent,"
               "name=org.qemu.guest_agent.0"]
    with Guest(folder, "--share", ROOT, "--add", SERVE, "--add",
               f"{folder}/id.pub", "--port", "0:22", "--qmp", f"{folder}/qmp",
               "--qemu-arg=-chardev", "--qemu-arg=socket,id=agent,server=on,"
               f"wait=off,path={folder}/agent",
               *[f"--qemu-arg={word}" for device in devices
                 for word in ("-device", device)]) as guest:
        port = re.search(r":(\d+) is forwarded", guest.launcher.stderr.readline())[1]
        guest.tell("while :; do ping -c 1 -W 1 10.0.2.2; sleep 0.2; done "
                   ">/dev/null 2>&1 &")
        tap.equal(guest.ask(". ./serve; echo ready"), "ready",
                  "the guest with dropbear and qemu-ga has booted")
        ways = Ways(folder, port)
        tap.run(lambda tap: test_frames(tap, ways, guest),
                lambda tap: test_wrong(tap, ways),
                lambda tap: test_ends(tap, ways, guest),
                lambda tap: test_own(tap, ways),
                lambda tap: test_host(tap, ways, guest),
                lambda tap: test_gone(tap, ways, guest))


tap = Tap()
with tempfile.TemporaryDirectory() as home:
    tap.run(lambda tap: test_guest(tap, home))
sys.exit(tap.done())
