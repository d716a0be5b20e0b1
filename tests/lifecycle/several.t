#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several NICs and devices, NICs without a driver, interfaces that are renamed or
moved to another network namespace."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import DRIVER, Descriptor, Guest  # noqa: E402
from links import link  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

# The names that the driver uses, in the order of the slots.
NO_NIC, SECOND = "capture2", "capture3"

# The NICs of the guest with many NICs.
MANY = 14


def captured(one, count):
    """Waits for a number of frames; returns those that the descriptor reads."""
    one.wait_captured(one.read_so_far + count)
    one.read_so_far += count
    return one.read()


def listener(guest, name, **options):
    """A descriptor for captured()."""
    one = Descriptor(guest, name, immediate=True, **options)
    one.read_so_far = 0
    return one


def nics(tap, guest, links):
    """Each NIC has a device of its own."""
    first, second = [listener(guest, name) for name in ("eth0", "eth1")]
    links[0].send(frame(1), frame(2))
    links[1].send(frame(3))
    guest.call("send eth1 4 1 60")
    tap.equal(captured(first, 2), [1, 2],
              "two devices: the first captures frames of eth0")
    tap.equal(captured(second, 2), [3, 4],
              "two devices: the second captures frames of eth1")
    first.close()
    second.close()


def two_devices(tap, guest, links):
    """Two devices tap one netdev."""
    both = [listener(guest, name) for name in ("capture0", SECOND)]
    links[0].send(frame(1))
    for one in both:
        one.wait_captured(1)
    guest.call("send eth0 2 1 60")
    both[0].call("write", 3, 1, 60)
    both[1].call("write", 4, 1, 60)
    for number, one in enumerate(both):
        tap.equal(captured(one, 4), [1, 2, 3, 4],
                  f"two devices at one netdev: device {number} captures every frame")
        one.close()


def no_nic(tap, guest, _):
    """A netdev without a NIC."""
    one = listener(guest, NO_NIC, nonblock=True)
    tap.equal(one.call("getif"), NO_NIC,
              "device without a NIC: BIOCSETIF by its own name")
    tap.equal(one.read(), "EAGAIN", "device without a NIC: read is EAGAIN")
    tap.equal(one.stats(), (0, 0, 0),
              "device without a NIC: BIOCGSTATS gives zeros")
    tap.equal(one.error("write", 1, 1, 60), "ENXIO",
              "device without a NIC: write is ENXIO")
    one.close()


def no_driver(tap, guest, links):
    """A NIC without a driver in the guest."""
    one = listener(guest, "capture1")
    driver = "/sys/bus/pci/drivers/e1000"
    slot = guest.shell(f"basename {driver}/0*")
    guest.shell(f"echo {slot} > {driver}/unbind")
    tap.equal(Descriptor(guest).error("setif", "eth1"), "ENXIO",
              "NIC without driver: BIOCSETIF to its interface is ENXIO")
    # The NIC accepts no frame, so the netdev queues the next one.
    links[1].send(frame(1), frame(2))
    tap.equal(captured(one, 1), [1],
              "NIC without driver: a frame that arrives is captured")
    one.call("write", 3, 1, 60)
    tap.equal(captured(one, 1), [3],
              "NIC without driver: a written frame is captured")
    guest.shell(f"echo {slot} > {driver}/bind")
    guest.shell("ip link set eth1 up")
    tap.equal(captured(one, 1), [2],
              "NIC with a driver again: capture goes on [CAP-DRV-CFG-5]")
    one.close()


def down(tap, guest, links):
    """An interface that is down."""
    guest.shell("ip link set eth1 down")
    one = listener(guest, "eth1")
    other = listener(guest, "capture1")
    other.call("write", 1, 1, 60)
    other.close()
    tap.equal(captured(one, 1), [1],
              "interface down: BIOCSETIF to it succeeds, and a frame is captured")
    links[1].send(frame(2))
    tap.equal(captured(one, 1), [2],
              "interface down: a frame that arrives is captured")
    guest.shell("ip link set eth1 up")
    links[1].send(frame(3))
    tap.equal(captured(one, 1), [3], "interface up: capture goes on")
    one.close()


def rename(guest, old, new):
    """Renames an interface."""
    guest.shell(f"ip link set {old} down; ip link set {old} name {new} && "
                f"ip link set {new} up")


def renamed(tap, guest, links):
    """The interface is renamed."""
    one = listener(guest, "eth0")
    rename(guest, "eth0", "uplink")
    tap.equal(one.call("getif"), "uplink",
              "interface renamed: BIOCGETIF gives the new name")
    tap.equal(Descriptor(guest).error("setif", "eth0"), "ENXIO",
              "interface renamed: BIOCSETIF to the old name is ENXIO")
    other = listener(guest, "uplink")
    links[0].send(frame(1))
    tap.equal([captured(one, 1), captured(other, 1)], [[1], [1]],
              "interface renamed: old and new descriptors capture")
    rename(guest, "uplink", "eth0")
    one.close()
    other.close()


def namespaces(tap, guest, links):
    """The interface is moved to another network namespace."""
    own, named = listener(guest, "capture0"), listener(guest, "eth0")
    guest.shell("unshare -n sleep 1000 > /dev/null 2>&1 & echo $! > ns")
    process = guest.shell("cat ns")
    wait_for(lambda: guest.shell(f"cat /proc/{process}/comm") == "sleep",
             "namespace")
    guest.shell(f"ip link set eth0 netns {process}")
    guest.call(f"in {process} sh ip link set eth0 up")
    tap.equal(named.read(), "EIO",
              "interface moved to another namespace: read of its descriptor is EIO")
    tap.equal(Descriptor(guest).error("setif", "eth0"), "ENXIO",
              "interface moved to another namespace: BIOCSETIF to it is ENXIO here")

    there = Descriptor(guest, immediate=True)
    guest.call(f"in {process} " + there.command("setif", "eth0"))
    there.call("filter", "88b5")
    tap.equal(guest.call(f"in {process} " + there.command("getif")), "eth0",
              "interface moved to another namespace: BIOCSETIF to it succeeds there")
    device = Descriptor(guest)
    tap.equal(guest.both(f"in {process} " +
                         device.command("setif", "capture0"))[0], "0",
              "interface moved to another namespace: BIOCSETIF to the device succeeds there")
    links[0].send(frame(1))
    there.wait_captured(1)
    tap.equal([there.read(), captured(own, 1)], [[1], [1]],
              "interface moved to another namespace: it and the device capture")
    for one in (own, named, there, device):
        one.close()
    guest.shell(f"kill {process}")
    wait_for(lambda: "eth0" in guest.shell("ls /sys/class/net"), "eth0")
    listener(guest, "eth0").close()


def main(tap):
    """Runs all tests in one guest."""
    ends = [link() for _ in range(3)]
    words = []
    for model, (option, _) in zip(("virtio-net-pci", "e1000", "none"), ends):
        words += ["--nic", model, "--netdev", option]
    with Guest(*words, "--qemu-arg", "-device", "--qemu-arg",
               "virtio-capture-pci,netdev=net0,id=second") as guest:
        guest.ready()
        for test in (nics, two_devices, no_nic, no_driver, down, renamed,
                     namespaces):
            test(tap, guest, [end for _, end in ends])
        guest.end(tap)


def vectors(guest):
    """Returns the number of listener queues with an interrupt vector, by device."""
    lines = guest.shell(
        "grep -o 'virtio[0-9]*-listener' /proc/interrupts | sort | uniq -c")
    return sorted((int(line.split()[0]) for line in lines.splitlines()),
                  reverse=True)


def many(tap):
    """Fourteen NICs, and one processor with few interrupt vectors."""
    ends = [link() for _ in range(MANY)]
    words = []
    for option, _ in ends:
        words += ["--nic", "virtio-net-pci", "--netdev", option]
    with Guest(*words) as guest:
        guest.ready()
        shares = vectors(guest)
        tap.ok(shares[0] == 16 and sum(shares) <= 64,
               f"{MANY} NICs: listener queues leave MSI-X vectors to other devices",
               shares)
        own = [listener(guest, f"eth{i}") for i in range(MANY)]
        for number, (_, end) in enumerate(ends):
            end.send(frame(number))
        tap.equal([captured(one, 1) for one in own],
                  [[number] for number in range(MANY)],
                  f"{MANY} NICs: all of them capture")
        for one in own:
            one.close()
        guest.shell(f"cd {DRIVER}; for i in virtio*; do echo $i > unbind; "
                    "echo $i > bind; done")
        tap.ok(sum(vectors(guest)) <= 64 and len(vectors(guest)) >= 6,
               f"{MANY} NICs, devices bound again: they share the vectors that there are",
               vectors(guest))
        guest.shell("rmmod virtio_capture && modprobe virtio_capture")
        tap.equal(vectors(guest), shares,
                  f"{MANY} NICs, module loaded again: the same shares of vectors")
        guest.end(tap)


TAP = Tap()
TAP.run(main, many)
sys.exit(TAP.done())
