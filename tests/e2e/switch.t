#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The host switches capture off and on while tcpdump runs in the guest."""
import base64
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import numbered  # noqa: E402
import pcap  # noqa: E402
from capture import frame  # noqa: E402
from guest import BIG_ENDIAN  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

PATH = "/machine/peripheral/capture0"
LOG = "dmesg | grep -o 'the host has switched.*' || true"
OFF, ON = "the host has switched capture off", "the host has switched capture on"


def get(guest, name):
    """Returns a property of the capture device."""
    return guest.qmp("qom-get", path=PATH, property=name)


def switch(guest, on):
    """Sets the switch of the capture device."""
    guest.qmp("qom-set", path=PATH, property="capture", value=on)


class Tcpdump:
    """A tcpdump in the guest."""

    def __init__(self, guest, name):
        self.guest, self.name = guest, name
        self.pid = guest.shell(
            f"tcpdump -n -i eth0 -U -w {name} 'ether proto 0x88b5' "
            f"2> {name}.log > /dev/null & echo $!")
        wait_for(lambda: "listening on" in guest.shell(f"cat {name}.log"),
                 "tcpdump")

    def seen(self):
        """Returns the numbers of the frames that it has written."""
        data = base64.b64decode(self.guest.shell(f"base64 {self.name}"))
        return [numbered.number(one) for one in pcap.parse(data).frames()]

    def wait(self, count):
        """Waits for a number of frames; returns their numbers."""
        wait_for(lambda: len(self.seen()) >= count, f"{count} frames")
        return self.seen()

    def end(self):
        """Interrupts it; returns its summary."""
        self.guest.shell(f"kill -INT {self.pid}")
        wait_for(lambda: "by kernel" in self.guest.shell(
            f"cat {self.name}.log"), "tcpdump's end")
        return self.guest.shell(f"cat {self.name}.log")


def receive(guest, link, *numbers):
    """Sends frames to the NIC and waits until the guest has received them."""
    def count():
        return int(guest.shell(
            "cat /sys/class/net/eth0/statistics/rx_packets"))
    before = count()
    link.send(*map(frame, numbers))
    wait_for(lambda: count() >= before + len(numbers), "frames at the NIC")


def switched(tap, offload):
    """Switches capture off during a capture, and on again."""
    guest, link = dgram_guest("--append", "ipv6.disable=1", "--append",
                              f"virtio_capture.offload={int(offload)}")
    who = "device" if offload and not BIG_ENDIAN else "driver"
    with guest:
        guest.ready()
        guest.shell("ip link set eth0 up")
        tap.equal((get(guest, "tapped"), get(guest, "listeners")), (False, 0),
                  f"{who}, before tcpdump: QEMU's properties show no listener")
        first = Tcpdump(guest, "first")
        receive(guest, link, 1, 2, 3)
        tap.equal(first.wait(3), [1, 2, 3],
                  f"{who}, capture on: tcpdump captures")
        listener, = get(guest, "listener-state")
        tap.ok(get(guest, "tapped") and get(guest, "captured") == 3 and
               bool(listener["listener"]) == (who == "device") and
               listener["captured"] == 3 and
               bool(listener["instructions"]) == (who == "device"),
               f"{who}, capture on: QEMU's properties show tap, listener and count",
               listener)

        switch(guest, False)
        tap.ok(not get(guest, "tapped"),
               f"{who}, capture off: the tap is gone")
        receive(guest, link, 4, 5, 6)
        second = Tcpdump(guest, "second")
        one = Descriptor(guest, "eth0")
        receive(guest, link, 7)
        tap.equal((first.seen(), second.seen(), one.stats()),
                  ([1, 2, 3], [], (0, 0, 0)),
                  f"{who}, capture off: no program gets a packet, a new one is not refused")
        tap.equal(one.error("write", 1, 1, 60), "EPERM",
                  f"{who}, capture off: write is EPERM [CAP-DRV-OFF-2]")
        tap.equal(get(guest, "captured"), 3,
                  f"{who}, capture off: QEMU's count stays")
        tap.equal(guest.shell(LOG), OFF,
                  f"{who}, capture off: the kernel's log reports it [CAP-DRV-OFF-1]")

        switch(guest, True)
        receive(guest, link, 8, 9)
        tap.equal((first.wait(5), second.wait(2)), ([1, 2, 3, 8, 9], [8, 9]),
                  f"{who}, capture on again: both programs go on")
        one.call("write", 77, 1, 60)
        wait_for(lambda: link.receive()[14:18] == bytes([0, 0, 0, 77]),
                 "frame 77")
        tap.ok(True, f"{who}, capture on again: a written frame is sent")
        tap.equal(guest.shell(LOG).split("\n"), [OFF, ON],
                  f"{who}, capture on again: the kernel's log reports it")
        tap.contains(first.end(), "\n0 packets dropped by kernel",
                     f"{who}, capture on again: tcpdump counts no drop")
        second.end()
        switch(guest, False)
        guest.reset()
        guest.shell("ip link set eth0 up")
        first = Tcpdump(guest, "first")
        receive(guest, link, 10)
        tap.equal((first.seen(), get(guest, "tapped"), guest.shell(LOG)),
                  ([], False, OFF),
                  f"{who}, guest reset while off: it is off, and the kernel's log reports it"
                  " [CAP-DRV-OFF-1]")
        guest.end(tap)


TAP = Tap()
TAP.run(*[lambda tap, offload=offload: switched(tap, offload)
          for offload in (True, False)])
sys.exit(TAP.done())
