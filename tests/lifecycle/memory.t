#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture buffers exist while there are listeners: the first descriptor allocates
them, and the last one frees them. If the device fills the buffers of descriptors,
there are no others."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402

# The number of buffers of 512 KiB: far more memory than an idle guest's use
# varies by.
BUFFERS = 48
SIZE = BUFFERS * 512
NOISE = 4096

ROUNDS = 5


def listen(tap, guest, link, number, first, one_left):
    """One of two descriptors captures while the other is closed."""
    one = Descriptor(guest, "eth0", immediate=True)
    two = Descriptor(guest, "eth0", immediate=True)
    first()
    one.close()
    link.send(frame(number))
    two.wait_captured(1)
    tap.equal(two.read(), [number],
              f"capture goes on with frame {number} when one of two descriptors is closed")
    one_left()
    two.close()


def shared(tap, guest, link):
    """Compares the guest's memory before, with and after descriptors whose buffers
    the driver fills."""
    guest.shell("rmmod virtio_capture")
    unloaded = guest.free_memory()
    guest.shell(f"modprobe virtio_capture buffers={BUFFERS} offload=0")
    rest = guest.free_memory()
    tap.ok(unloaded - rest < NOISE,
           "without descriptors the driver has no capture buffers",
           f"{unloaded - rest} KiB are taken")
    for number in range(ROUNDS):
        def taken():
            return rest - guest.free_memory()

        def first(number=number):
            size = taken()
            tap.ok(abs(size - SIZE) < NOISE,
                   f"descriptors share one set of capture buffers ({number})",
                   f"{size} KiB are taken")
        listen(tap, guest, link, number, first, lambda: None)
        size = taken()
        tap.ok(size < NOISE,
               f"the last close frees the capture buffers ({number})",
               f"{size} KiB are taken")


def own(tap, guest, link):
    """The same if the device fills them: each descriptor has two buffers."""
    guest.shell("rmmod virtio_capture && "
                f"modprobe virtio_capture buffers={BUFFERS}")
    rest = guest.free_memory()

    def buffers():
        return int(guest.shell("grep -c vcap_memory_alloc /proc/vmallocinfo || "
                               "true"))

    def first():
        tap.equal(buffers(), 4,
                  "a descriptor whose buffers the device fills has two")
        size = rest - guest.free_memory()
        tap.ok(size < NOISE,
               "descriptors whose buffers the device fills need no capture buffers",
               f"{size} KiB are taken")

    def one_left():
        tap.equal(buffers(), 2,
                  "closing one of two such descriptors frees its two buffers")
    listen(tap, guest, link, 7, first, one_left)
    tap.equal(buffers(), 0,
              "closing the last such descriptor frees its two buffers")


def without_reset(tap, guest, link):
    """With a device that cannot reset a queue, the driver keeps its buffers for the
    next descriptors until the device is reset. Descriptors' own buffers are freed."""
    driver = "/sys/bus/virtio/drivers/virtio_capture"
    own(tap, guest, link)
    guest.shell("rmmod virtio_capture && "
                f"modprobe virtio_capture buffers={BUFFERS} offload=0")
    rest = guest.free_memory()
    for number in range(2):
        listen(tap, guest, link, number, lambda: None, lambda: None)
        size = rest - guest.free_memory()
        tap.ok(abs(size - SIZE) < NOISE,
               f"without reset of queues one set of capture buffers stays ({number})",
               f"{size} KiB are taken")
    guest.shell(f"cd {driver}; for d in virtio*; do echo $d > unbind; done")
    size = rest - guest.free_memory()
    tap.ok(size < NOISE,
           "without reset of queues a reset of the device frees that set",
           f"{size} KiB are taken")


def main(tap):
    """Tests a guest whose device can reset queues, and one whose device cannot."""
    guest, link = dgram_guest()
    with guest:
        guest.ready()
        shared(tap, guest, link)
        own(tap, guest, link)
        guest.end(tap)
    guest, link = dgram_guest("--qemu-arg", "-global", "--qemu-arg",
                              "virtio-capture-device.queue_reset=off")
    with guest:
        guest.ready()
        without_reset(tap, guest, link)
        guest.end(tap)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
