#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspends while the driver waits for a reply. The device delays replies, so that
this happens at each suspend; otherwise it is rare."""
import os
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from guest import DEVICE_OUT, TOP  # noqa: E402
from lifecycle import Descriptor, dgram_guest  # noqa: E402
from tap import Tap  # noqa: E402

HERE = os.path.join(TOP, "tests", "faulty")
DEVICE = os.path.join(DEVICE_OUT, "tests", "faulty", "virtio-capture.so")
SUSPENDS = 10

# Suspend only devices; the machine stays on, see lifecycle/power.t. Not async: the
# NIC is suspended after the capture device, so that frames still arrive.
PREPARE = "echo 0 > /sys/module/suspend/parameters/pm_test_delay\n" \
    "echo devices > /sys/power/pm_test\n" \
    "echo 0 > /sys/power/pm_async"


class Traffic:
    """A context manager: frames arrive at the NIC all the time."""

    def __init__(self, link):
        self.link = link
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        while not self.ended.wait(0.002):
            self.link.send(frame(0))

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def order(link, fault, count):
    """Sends the frame that makes the device inject a fault count times."""
    link.send(frame(1)[:18] + f"FAULT={fault},{count};".encode())


def main(tap):
    """
    The driver's work compares the clocks a second after the resume, if frames arrive.
    The test makes it wait at that time for the FLUSH of the next suspend, so that
    it sends its command when the suspend continues.
    """
    guest, link = dgram_guest("--no-capture", "--smp", 2, "--timeout", 200,
                              "--qemu-arg", "-plugin", "--qemu-arg", DEVICE,
                              "--qemu-arg", "-device", "--qemu-arg",
                              "virtio-capture-pci,netdev=net0", table=True)
    with guest:
        guest.ready()
        guest.shell(f"modprobe virtio_capture\n{PREPARE}")
        one = Descriptor(guest, "eth0", immediate=True)
        order(link, "ctl-slow", 1000000)
        one.wait_captured(1)
        complaints = ""
        with Traffic(link):
            for count in range(SUSPENDS):
                guest.shell(f"sleep 0.{count}\n"
                            "echo freeze > /sys/power/state")
                complaints = guest.shell(
                    "dmesg | grep -e 'is broken' -e 'no answer' "
                    "-e 'failed to resume' || true")
                if complaints:
                    break
            order(link, "none", 0)
        tap.ok(not complaints, f"the device survives {SUSPENDS} suspends",
               f"after {count} others", complaints)
        one.close()
        one = Descriptor(guest, "eth0", immediate=True)
        link.send(frame(7))
        one.wait_captured(1)
        tap.equal(one.read(), [7], "a frame is captured after the suspends")
        one.close()
        guest.end(tap)


TAP = Tap()
MADE = subprocess.run(["make", "-s", "-C", HERE], text=True, check=False,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
if TAP.ok(MADE.returncode == 0, "the misbehaving device is built", MADE.stdout):
    TAP.run(main)
sys.exit(TAP.done())
