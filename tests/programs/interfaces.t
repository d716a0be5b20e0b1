#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's tcpdump and dumpcap with bpf-run: the list of interfaces, the errors for
interfaces that /dev/bpf does not have, and AppArmor."""
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from programs import guest  # noqa: E402
from tap import Tap  # noqa: E402

HINT = "run the program without bpf-run"

SCRIPT = r"""
token=token
. /root/stage
mkdir out
cd out
busybox ip link add bridge0 type bridge
busybox ip link set bridge0 up || exit
bpf-run tcpdump -D >tcpdump-list 2>&1
bpf-run dumpcap -D >dumpcap-list 2>&1
for name in lo any bridge0 nosuch; do
    bpf-run tcpdump -i $name >tcpdump-$name 2>&1
    echo "status $?" >>tcpdump-$name
    bpf-run dumpcap -i $name >dumpcap-$name 2>&1
    echo "status $?" >>dumpcap-$name
done
bpf-run tcpdump -i eth0 outbound >outbound 2>&1
echo "status $?" >>outbound

busybox mount -t securityfs securityfs /sys/kernel/security
profile=/etc/apparmor.d/usr.bin.tcpdump
apparmor_parser -r $profile >parser 2>&1
bpf-run tcpdump -i eth0 -c 1 >denied 2>&1
echo "status $?" >>denied
cat /usr/share/virtio-capture/apparmor/usr.bin.tcpdump \
    >>/etc/apparmor.d/local/usr.bin.tcpdump
apparmor_parser -r $profile >>parser 2>&1
cd ..
program allowed false traffic bpf-run tcpdump -n -i eth0 -c 2 icmp
cat /sys/kernel/security/apparmor/profiles >out/profiles
"""


def test_list(tap, text):
    """The list of interfaces."""
    for name in ("tcpdump", "dumpcap"):
        listed = text(f"{name}-list")
        # tcpdump: "1.eth0 [...]"; dumpcap: "1. eth0".
        names = re.findall(r"^\d+\. ?(\S+)", listed, re.MULTILINE)
        tap.equal(sorted(names), ["capture0", "capture1", "eth0"],
                  f"{name} -D lists the NIC and the capture devices")


def test_hint(tap, text):
    """An interface that /dev/bpf does not have."""
    for name in ("lo", "any", "bridge0", "nosuch"):
        for program in ("tcpdump", "dumpcap"):
            said = text(f"{program}-{name}")
            tap.ok(HINT in " ".join(said.split())
                   and "status 0" not in said,
                   f"{program} -i {name} fails and says what to do", said)
    said = text("outbound")
    tap.ok("inbound/outbound not supported" in said
           and "status 0" not in said,
           "an expression that can match no frame is an error", said)


def test_apparmor(tap, text):
    """Debian's profile, enforced by the kernel."""
    tap.contains(text("profiles"), "tcpdump (enforce)",
                 "Debian's AppArmor profile of tcpdump is in force")
    said = text("denied")
    tap.ok("failed - root privileges may be required" in said
           and "status 0" not in said,
           "AppArmor profile alone: tcpdump may not open /dev/bpf", said)
    tap.ok("ICMP echo request" in text("allowed/out"),
           "AppArmor profile with the addition: tcpdump captures",
           text("parser"), text("allowed/err"))


def check(tap):
    """Runs all tests in one guest."""
    with tempfile.TemporaryDirectory() as folder:
        done = guest(SCRIPT, folder,
                     ["--append", "apparmor=1 security=apparmor"])

        def text(name):
            path = Path(folder) / "out" / name
            return path.read_text(errors="replace") if path.exists() else ""

        tap.ok(done.returncode == 0, "the guest's script succeeds",
               done.stdout,
               done.stderr)
        for test in (test_list, test_hint, test_apparmor):
            test(tap, text)


TAP = Tap()
check(TAP)
sys.exit(TAP.done())
