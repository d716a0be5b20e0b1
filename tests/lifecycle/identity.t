#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which interface is the NIC: an interface that only has the NIC's address is not, so
a descriptor is not attached to it, and is not detached when it is removed."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from guest import PROGRAMS, kernel_module  # noqa: E402
from lifecycle import MAC, Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

# The modules of software interfaces, in this order.
MODULES = [kernel_module(f"drivers/net/{path}")
           for path in ("dummy.ko", "ipvlan/ipvlan.ko", "macvlan.ko")]

OUTSIDER = os.path.join(PROGRAMS, "tools", "outsider")

# An interface of another kind that has the NIC's address, also as its permanent
# address: an ipvlan takes that of its lower interface.
IMITATE = f"""ip link add d0 type dummy
ip link set d0 address {MAC}
ip link set d0 up
ip link add link d0 name i0 type ipvlan
ip link set i0 up"""


def captures(tap, link, one, number, what):
    """Checks that the descriptor captures a frame."""
    before = one.stats()[2]
    link.send(frame(number))
    one.wait_captured(before + 1)
    tap.equal(one.read(), [number], what)


def attacked(tap, guest, link, model):
    """Another user's interface with the NIC's address is removed."""
    one = Descriptor(guest, "eth0", immediate=True)
    captures(tap, link, one, 1, f"{model}: it captures")
    text = guest.shell(f"./outsider sh -ec '{IMITATE}\nip link show i0\n"
                       "ip link del i0\nip link del d0' 2>&1")
    tap.contains(text, MAC,
                 f"{model}: another user can set the address on an interface of its own")
    captures(tap, link, one, 2,
             f"{model}: the interface is removed there, and capture continues [BPF-SETIF-5]")
    tap.equal(one.call("getif"), "eth0",
              f"{model}: BIOCGETIF gives the interface of the NIC")
    one.close()


def innocent(tap, guest, link, model):
    """Interfaces above the NIC are added and removed, as for containers."""
    one = Descriptor(guest, "eth0", immediate=True)
    for kind in ("ipvlan", "macvlan"):
        guest.shell(f"ip link add link eth0 name c0 type {kind}")
        guest.shell(f"ip link set c0 address {MAC} || true")
        tap.equal(one.call("getif"), "eth0",
                  f"{model}: {kind}: BIOCGETIF gives the interface of the NIC")
        tap.equal(Descriptor(guest).error("setif", "c0"), "ENXIO",
                  f"{model}: {kind}: BIOCSETIF to it is ENXIO")
        guest.shell("ip link del c0")
        captures(tap, link, one, 3,
                 f"{model}: {kind}: goes, and capture goes on")
    one.close()


def elsewhere(tap, guest, model):
    """A process in the imitation's namespace cannot attach to it, either."""
    guest.shell(f"unshare -n sh -ec '{IMITATE}\nsleep 1000' "
                ">/dev/null 2>&1 & echo $! > ns")
    process = guest.shell("cat ns")
    wait_for(lambda: guest.shell(f"nsenter -t {process} -n ip link show i0 "
                                 "2>/dev/null | grep -c UP || true") == "1",
             "interfaces of another namespace")
    one = Descriptor(guest)
    for name in ("i0", "d0"):
        tap.equal(guest.both(f"in {process} {one.command('setif', name)}")[0],
                  "ENXIO",
                  f"{model}: {name}: BIOCSETIF to it is ENXIO [BPF-SETIF-5]")
    one.close()
    guest.shell(f"kill {process}")


def renamed(tap, guest, model):
    """The interface is renamed."""
    one = Descriptor(guest, "eth0")
    guest.shell("ip link set eth0 down\nip link set eth0 name nic7")
    tap.equal(one.call("getif"), "nic7",
              f"{model}: BIOCGETIF gives the new name of the renamed interface")
    guest.shell("ip link set nic7 name eth0\nip link set eth0 up")
    one.close()


def lost(tap, guest, link, model):
    """The NIC itself is removed."""
    one = Descriptor(guest, "eth0", immediate=True)
    link.send(frame(9))
    one.wait_captured(1)
    guest.shell("device=$(readlink -f /sys/class/net/eth0/device)\n"
                "echo ${device##*/} > $device/driver/unbind")
    tap.equal([one.read(), one.read()], [[9], "EIO"],
              f"{model}: the NIC's interface goes: read gets the last packets, then EIO"
              " [CAP-DRV-CFG-6]")
    one.close()


def on(model, told=True):
    """Returns the test of a NIC of this model; told: whether the device reports its
    place."""
    options = [] if told else ["--qemu-arg", "-global", "--qemu-arg",
                               "virtio-capture-device.nic-pci=off"]

    def test(tap):
        adds = [word for path in (*MODULES, OUTSIDER)
                for word in ("--add", path)]
        what = model if told else f"{model}, no place told"
        guest, link = dgram_guest(*adds, *options, model=model)
        with guest:
            guest.ready()
            guest.shell("for m in dummy ipvlan macvlan; do insmod $m.ko; done")
            attacked(tap, guest, link, what)
            innocent(tap, guest, link, what)
            elsewhere(tap, guest, what)
            renamed(tap, guest, what)
            lost(tap, guest, link, what)
            guest.end(tap)
    test.__name__ = model
    return test


TAP = Tap()
TAP.run(on("virtio-net-pci"), on("e1000"), on("usb-net"),
        on("virtio-net-pci", told=False))
sys.exit(TAP.done())
