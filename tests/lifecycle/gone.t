#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interface of open descriptors disappears: the capture device is unplugged or
its driver unbound, the NIC is unplugged, the netdev is deleted."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

# 42 packets of 60 bytes fill a buffer of this size: 18 are in the other buffer.
SIZE, FULL, COUNT = 4096, 42, 60


def goes(tap, guest, link, what, remove, others=0):
    """Descriptors in every state, on an interface that disappears, and others."""
    before = guest.holdings()
    reader = Descriptor(guest, "eth0")
    poller = Descriptor(guest, "eth0", ethertype="9999", immediate=True)
    holder = Descriptor(guest, "eth0", size=SIZE)
    everyone = [reader, poller, holder]
    reading = reader.begin_blocked("read")
    polling = poller.begin("poll", 10 ** 9)
    for i in range(COUNT):
        # One at a time, as a slow guest would drop frames of a burst.
        link.send(frame(i))
        holder.wait_captured(i + 1)
    remove()

    tap.equal(guest.result(reading), ("0", f"0-{COUNT - 1} "),
              f"{what}: a blocked reader wakes and gets what is buffered")
    tap.equal(reader.read(), "EIO", f"{what}: the reader's next read is EIO")
    tap.equal(guest.result(polling), ("0", "1 in"), f"{what}: a poller wakes")
    tap.equal(poller.read(), "EIO", f"{what}: the poller's read is EIO")
    tap.equal([holder.read() for _ in range(4)],
              [list(range(FULL)), list(range(FULL, COUNT)), "EIO", "EIO"],
              f"{what}: a descriptor with two buffers reads them in order, then EIO")
    for one in everyone:
        got = one.stats()
        tap.ok(got[0] >= COUNT and got[1] == 0, f"{what}: BIOCGSTATS succeeds",
               got)
    tap.equal(holder.stats()[2], COUNT,
              f"{what}: BIOCGSTATS gives the right counts")
    tap.equal([holder.error("setif", name) for name in ("eth0", "capture0")],
              ["EINVAL"] * 2,
              f"{what}: BIOCSETIF to other interfaces is EINVAL")
    tap.equal(holder.error("getif"), "EINVAL", f"{what}: BIOCGETIF is EINVAL")
    tap.equal(holder.error("write", 1, 1, 60), "EINVAL",
              f"{what}: write is EINVAL")
    wait_for(lambda: gone(guest) >= 3 + others, "end of each descriptor")
    tap.equal(gone(guest), 3 + others,
              f"{what}: /proc/net/bpf shows the descriptors as gone")
    for one in everyone:
        one.close()
    tap.equal(guest.holdings(), before,
              f"{what}: closing the descriptors frees everything")


def gone(guest):
    """Returns the number of descriptors whose interface has disappeared."""
    return int(guest.shell("grep -c ' gone$' /proc/net/bpf || true"))


def works(tap, guest, link, what, descriptor=None, name="eth0"):
    """Checks that a new or the given descriptor captures."""
    one = descriptor or Descriptor(guest, name, immediate=True)
    before = one.stats()[2]
    link.send(frame(1000))
    one.wait_captured(before + 1)
    tap.equal(one.read(), [1000], what)
    if not descriptor:
        one.close()


def unplugged(tap, guest, link):
    """The capture device is unplugged."""
    goes(tap, guest, link, "unplugged", lambda: guest.unplug("capture0"))
    tap.equal(Descriptor(guest).error("setif", "eth0"), "ENXIO",
              "no device: BIOCSETIF to the interface is ENXIO")
    guest.plug_capture()
    works(tap, guest, link, "plugged in again: a new descriptor works")


def unbound(tap, guest, link):
    """The driver is unbound from the capture device."""
    driver = "/sys/bus/virtio/drivers/virtio_capture"
    device = guest.shell(f"cd {driver}; ls -d virtio*")
    goes(tap, guest, link, "unbound",
         lambda: guest.shell(f"echo {device} > {driver}/unbind"))
    guest.shell(f"echo {device} > {driver}/bind")
    works(tap, guest, link, "bound again: a new descriptor works")


def link_down(tap, guest, link):
    """The link is only set down."""
    one = Descriptor(guest, "eth0", immediate=True)
    works(tap, guest, link, "before the link goes down", one)
    guest.qmp("set_link", name="nic0", up=False)
    wait_for(lambda: guest.shell("cat /sys/class/net/eth0/carrier") == "0",
             "link down")
    link.send(frame(1))
    tap.equal(one.call("getif"), "eth0",
              "link down: the descriptor is still attached")
    Descriptor(guest, "eth0").close()
    guest.qmp("set_link", name="nic0", up=True)
    works(tap, guest, link, "link up: the same descriptor captures", one)
    one.close()


def nic(tap, guest, link):
    """The NIC is unplugged; the capture device stays."""
    own = Descriptor(guest, "capture0", immediate=True)
    goes_on = Descriptor(guest, "capture0", immediate=True)
    works(tap, guest, link, "the device's own name works", own)
    goes(tap, guest, link, "no NIC", lambda: guest.unplug("nic0"))
    tap.equal(Descriptor(guest).error("setif", "eth0"), "ENXIO",
              "no NIC: BIOCSETIF to the interface is ENXIO")
    tap.equal(goes_on.call("getif"), "capture0",
              "no NIC: a descriptor by the device's own name stays attached")
    guest.plug_nic()
    own.read()
    works(tap, guest, link, "a new NIC: it captures again", own)
    works(tap, guest, link, "a new NIC: a new descriptor works")
    own.close()
    goes_on.close()


def netdev(tap, guest, link):
    """The netdev is deleted; NIC and capture device stay."""
    own = Descriptor(guest, "capture0", ethertype="9999", immediate=True)
    goes(tap, guest, link, "no netdev",
         lambda: guest.qmp("netdev_del", id="net0"), others=1)
    tap.equal(own.read(), "EIO",
              "no netdev: read of a descriptor by the device's own name is EIO")
    own.close()
    tap.equal(Descriptor(guest).error("setif", "capture0"), "ENXIO",
              "no netdev: BIOCSETIF to the device's own name is ENXIO")
    guest.unplug("nic0")
    guest.qmp("netdev_add", type="dgram", id="net0",
              local={"type": "unix", "path": link.peer},
              remote={"type": "unix", "path": link.socket.getsockname()})
    guest.plug_nic()
    works(tap, guest, link, "a new netdev and NIC: a new descriptor works")


def main(tap):
    """Runs all tests in one guest."""
    guest, link = dgram_guest(acpi=True)
    with guest:
        guest.ready()
        for test in (unplugged, unbound, link_down, nic, netdev):
            test(tap, guest, link)
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
