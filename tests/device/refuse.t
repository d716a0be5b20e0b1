#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A netdev that cannot be tapped is refused, with an error that says why."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import os  # noqa: E402
import socket  # noqa: E402
import struct  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402

import emulator  # noqa: E402
import folders  # noqa: E402
import qtest  # noqa: E402
from tap import Tap  # noqa: E402

DEVICE = "virtio-capture-pci"


def refused(tap, reason, device, *args, **options):
    """Checks that QEMU exits with exactly this error. Labels after the reason are not
    part of it."""
    error = f"-device {device}: " + reason.split(" [")[0]
    status, errors = emulator.run_qemu(*args, "-device", device, **options)
    lines = [line for line in errors.splitlines() if "-device" in line]
    tap.ok(status == 1 and lines == [f"qemu-system-x86_64: {error}"], reason,
           status, errors)


def missing(tap):
    """No netdev, or one that does not exist."""
    refused(tap, "'netdev' is missing, the ID of the netdev to tap", DEVICE)
    refused(tap, "'netdev' names 'n1', which does not exist",
            DEVICE + ",netdev=n1", "-netdev", "user,id=n0")


def listeners(tap):
    """More listener queues than a device can have."""
    for number in (65, 65535):
        refused(tap, f"'listener-queues' is {number}, but must be at most 64",
                f"{DEVICE},netdev=n0,listener-queues={number}", "-netdev",
                "user,id=n0")


def nic(tap):
    """The ID of a NIC instead of a netdev's."""
    refused(tap, "'netdev' names 'nic0', which is a NIC, not a netdev",
            DEVICE + ",netdev=nic0", "-netdev", "user,id=n0",
            "-device", "e1000,netdev=n0,id=nic0")


def queues(tap):
    """A netdev with several queues."""
    if not os.access("/dev/net/tun", os.W_OK):
        tap.skip("several queues", "no /dev/net/tun")
        return
    refused(tap, "'netdev' names 'n0', which has 2 queues, not one [CAP-DEV-TAP-6]",
            DEVICE + ",netdev=n0", "-netdev",
            f"tap,id=n0,ifname=cap{os.getpid()},script=no,downscript=no,"
            "queues=2")


# The requests of the kernel's vhost device that QEMU makes before the machine
# starts. Test machines have no such device.
VHOST = r"""
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/vhost.h>

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    if (_IOC_TYPE(request) != VHOST_VIRTIO)
        return syscall(SYS_ioctl, fd, request, arg);
    if (request == VHOST_GET_FEATURES)
        *(uint64_t *)arg = 1ULL << 32 | 1 << 15;
    return 0;
}
"""


def vhost_on(tap):
    """vhost=on: frames bypass QEMU."""
    if not os.access("/dev/net/tun", os.W_OK):
        tap.skip("vhost=on", "no /dev/net/tun")
        return
    folder = folders.scratch()
    (folder / "vhost.c").write_text(VHOST)
    subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o",
                    folder / "vhost.so", folder / "vhost.c"], check=True)
    with open("/dev/null", "r+b", buffering=0) as device:
        refused(tap, "'netdev' names 'n0' with vhost=on, which bypasses QEMU, "
                "use vhost=off [CAP-DEV-TAP-6]", DEVICE + ",netdev=n0", "-netdev",
                f"tap,id=n0,ifname=cap{os.getpid()},script=no,downscript=no,"
                f"vhost=on,vhostfd={device.fileno()}",
                pass_fds=[device.fileno()],
                env={**os.environ, "LD_PRELOAD": str(folder / "vhost.so")})


def vhost_set(tap):
    """vhost=on that a later option overrides, for users who cannot change the options
    of the netdev."""
    if not os.access("/dev/net/tun", os.W_OK):
        tap.skip("vhost=on with -set", "no /dev/net/tun")
        return
    with qtest.Machine("-netdev", f"tap,id=n0,ifname=cap{os.getpid()},"
                       "script=no,downscript=no,vhost=on",
                       "-set", "netdev.n0.vhost=off", "-device",
                       "virtio-net-pci,netdev=n0", "-device",
                       DEVICE + ",netdev=n0") as machine:
        tap.ok(machine.alive(), "-set netdev.n0.vhost=off: it is taken")


def serve_vhost_user(listener):
    """A vhost-user backend that answers QEMU's requests before the machine starts."""
    connection = listener.accept()[0]
    while True:
        header = connection.recv(12, socket.MSG_WAITALL)
        if len(header) < 12:
            return
        request, _, size = struct.unpack("<III", header)
        connection.recv(size, socket.MSG_WAITALL)
        if request in (1, 15):          # GET_FEATURES, GET_PROTOCOL_FEATURES
            connection.sendall(struct.pack("<IIIQ", request, 5, 8, 1 << 32))


def vhost_user(tap):
    """The same with a backend in another process."""
    path = folders.scratch() / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        threading.Thread(target=serve_vhost_user, args=[listener],
                         daemon=True).start()
        refused(tap, "'netdev' names 'n0' of type vhost-user, which bypasses "
                "QEMU", DEVICE + ",netdev=n0", "-chardev",
                f"socket,id=c0,path={path}", "-netdev",
                "vhost-user,id=n0,chardev=c0")


def hot_plugged(tap):
    """The same check when the device is added to a running machine."""
    with qtest.Machine("-netdev", "user,id=n0") as machine:
        response = machine.qmp.raw("device_add", driver=DEVICE, netdev="n1")
        tap.equal(response.get("error", {}).get("desc"),
                  "'netdev' names 'n1', which does not exist",
                  "device_add has the same error")
        response = machine.qmp.raw("object-add", qom_type="virtio-capture-tap",
                                   id="t0", netdev="n0")
        tap.ok("error" in response, "a user cannot make a tap of its own")
        tap.ok(machine.alive(), "QEMU goes on")


main = Tap()
main.run(missing, listeners, nic, queues, vhost_on, vhost_set, vhost_user,
         hot_plugged)
sys.exit(main.done())
