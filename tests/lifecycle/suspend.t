#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors with waiting callers while the machine is suspended: a writer that waits
for queue space, readers whose netdev is deleted meanwhile."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

LENGTH = 1000
BACKEND = "/machine/peripheral/capture0/virtio-backend"

# Suspends only the devices; the machine stays on, see power.t.
PREPARE = "echo 0 > /sys/module/suspend/parameters/pm_test_delay\n" \
    "echo devices > /sys/power/pm_test"
SUSPEND = "echo freeze > /sys/power/state"


def writer(tap, guest, link):
    """
    A suspend empties the queue whose space a writer waits for.

    The NIC has no driver, because its suspend would make space, too.
    """
    driver = "/sys/bus/virtio/drivers/virtio_net"
    nic = guest.shell(f"cd {driver}; ls -d virtio*\n"
                      f"echo virtio* > unbind")
    one = Descriptor(guest, "capture0")
    filler = Descriptor(guest, "capture0", nonblock=True)
    error, _ = guest.both(filler.command("write", 0, 100000, LENGTH))
    tap.equal(error, "EAGAIN",
              "suspend with a full queue: a non-blocking write is EAGAIN")
    writing = one.begin("write", 0, 1, LENGTH)
    wait_for(lambda: "vcap_inject" in guest.shell(
        "cat /proc/$(pidof agent)/task/*/stack"), "blocked writer")
    guest.shell(f"{PREPARE}\n{SUSPEND}")
    # The other end takes no frame, so nothing else wakes the writer.
    tap.equal(guest.result(writing), ("0", "1"),
              "suspend with a full queue: the resume wakes a blocking write, which ends")
    for each in (one, filler):
        each.close()
    while not link.empty():
        link.receive()
    guest.shell(f"echo {nic} > {driver}/bind")


def statuses(guest):
    """Returns the status bits of the capture device."""
    return guest.qmp("x-query-virtio-status", path=BACKEND)["status"][
        "statuses"]


def netdev(tap, guest, link):
    """The netdev is deleted during a suspend."""
    reader = Descriptor(guest, "eth0")
    own = Descriptor(guest, "capture0", ethertype=None)
    poller = Descriptor(guest, "eth0", ethertype="9999")
    link.send(frame(1))
    reader.wait_captured(1)
    reading = reader.begin_blocked("read")
    polling = poller.begin("poll", 10 ** 9)
    guest.shell(f"{PREPARE}\n"
                "echo 5 > /sys/module/suspend/parameters/pm_test_delay")
    suspend = guest.begin(f"sh {SUSPEND}")
    wait_for(lambda: not any("DRIVER_OK" in bit for bit in statuses(guest)),
             "suspended device")
    guest.qmp("netdev_del", id="net0")
    guest.result(suspend)
    tap.equal(guest.result(reading), ("0", "1 "),
              "netdev removed while suspended: a blocked reader gets what is buffered")
    tap.equal(reader.read(), "EIO",
              "netdev removed while suspended: the next read is EIO")
    tap.equal(guest.result(polling), ("0", "1 in"),
              "netdev removed while suspended: a poll is woken")
    tap.equal([own.read(), own.read()], [[1], "EIO"],
              "netdev removed while suspended: by the device's own name, packets, then EIO")
    tap.equal(guest.shell("dmesg | grep 'failed to resume' || true"), "",
              "netdev removed while suspended: the device resumes")
    for one in (reader, own, poller):
        one.close()


def main(tap):
    """Runs all tests in one guest; the last one deletes its netdev."""
    guest, link = dgram_guest("--smp", 2, table=True)
    with guest:
        guest.ready()
        for test in (writer, netdev):
            test(tap, guest, link)
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
