#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The system's libvirt with a bridge: the interface is a TAP device that libvirt
opens, also when the domain is restored."""
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import virsh  # noqa: E402
from capture import frame  # noqa: E402
from emulator import PLUGIN  # noqa: E402
from folders import scratch  # noqa: E402
from lifecycle import MAC, Descriptor, numbers  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import PATIENCE  # noqa: E402

TOOL = Path(virsh.TOP, "qemu-device", "libvirt-capture")
NAME, BRIDGE = "guest", "br0"
ETHERTYPE = 0x88b5
END = 1 << 20


def make_xml(folder):
    """Returns the domain's XML."""
    return f"""<domain type='qemu'>
  <name>{NAME}</name>
  <memory unit='MiB'>256</memory>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>{virsh.boot(folder, [MAC])}
  </os>
  <features><acpi/></features>
  <devices>
    <interface type='bridge'>
      <mac address='{MAC}'/>
      <source bridge='{BRIDGE}'/>
      <model type='virtio'/>
    </interface>{virsh.devices(folder)}
  </devices>
</domain>
"""


def make_bridge():
    """Makes a bridge, and a socket on it."""
    for words in (["add", BRIDGE, "type", "bridge"], ["set", BRIDGE, "up"]):
        subprocess.run(["ip", "link", *words], check=True)
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, ETHERTYPE)
    end.settimeout(PATIENCE)
    end.bind((BRIDGE, ETHERTYPE))
    return end


def both_ways(tap, guest, end, what):
    """Checks frames in both directions."""
    one = Descriptor(guest, "capture0", immediate=True)
    reading = one.begin("drain", END)
    for data in (*[frame(i) for i in range(20)], frame(END)):
        end.send(data)
    error, text = guest.result(reading)
    tap.equal((error, numbers(text)), ("0", [*range(20), END]),
              f"{what}: the bridge's frames are captured, in order")
    before = one.stats()[2]
    guest.call("send eth0 7 1 60")
    got = end.recv(2048)
    while got[14:18] != bytes([0, 0, 0, 7]):
        got = end.recv(2048)
    tap.equal(one.stats()[2], before + 1,
              f"{what}: a frame that the guest sends to the bridge is captured")
    one.close()


def bridged(tap):
    """Defines, starts, saves and restores a domain."""
    folder, end = scratch(), make_bridge()
    with virsh.Libvirt(system=True) as libvirt:
        (folder / "domain.xml").write_text(make_xml(folder))
        libvirt("define", folder / "domain.xml")
        done = libvirt.run(TOOL, "-c", libvirt.uri, "--plugin", PLUGIN,
                           "--define", NAME)
        tap.equal(done.returncode, 0, "libvirt-capture defines the domain")
        tap.contains(libvirt("dumpxml", NAME), "<driver name='qemu'/>",
                     "the domain's interface has QEMU's driver, not vhost")
        libvirt("start", NAME)
        with virsh.Domain(libvirt, NAME, folder).connect() as guest:
            guest.ready()
            tap.contains(libvirt("qemu-monitor-command", NAME, "--hmp",
                                 "info network"), "hostua-nic0: index=0,type=tap",
                         "the domain's netdev is a TAP netdev")
            both_ways(tap, guest, end, "started")
            libvirt("save", NAME, folder / "saved")
            libvirt("restore", folder / "saved")
            guest.connect()
            both_ways(tap, guest, end, "restored")
            guest.end(tap)


virsh.enter(__file__, system=True)
TAP = Tap()
TAP.run(bridged)
sys.exit(TAP.done())
