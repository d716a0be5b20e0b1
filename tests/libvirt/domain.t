#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt domains with a capture device: the XML that libvirt-capture(8) shows boots,
capture continues when the domain is saved and restored, and a device can be plugged
in through libvirt."""
import re
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import virsh  # noqa: E402
from capture import frame  # noqa: E402
from emulator import PLUGIN  # noqa: E402
from folders import scratch  # noqa: E402
from lifecycle import Descriptor, numbers  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

TOOL = Path(virsh.TOP, "qemu-device", "libvirt-capture")
PAGE = Path(virsh.TOP, "qemu-device", "man", "libvirt-capture.8")
INSTALLED = "/usr/local/lib/qemu/virtio-capture.so"

# The interface of the manual page, and one whose other end is the test.
MACS = "52:54:00:12:34:56", "52:54:00:12:34:57"
END = 1 << 20


class Link:
    """The test's end of an interface of type udp."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.peer = free.getsockname()

    def xml(self):
        """The interface."""
        host, port = self.socket.getsockname()
        return f"""
    <interface type='udp'>
      <mac address='{MACS[1]}'/>
      <source address='{host}' port='{port}'>
        <local address='{self.peer[0]}' port='{self.peer[1]}'/>
      </source>
      <model type='virtio'/>
    </interface>"""

    def send(self, *frames):
        """Sends frames to the NIC."""
        for data in frames:
            self.socket.sendto(data, self.peer)


def shown(title):
    """Returns the XML that the manual page shows below a title."""
    text = re.search(rf"^\.Ss {title}\n.*?^\.Bd -literal.*?\n(.*?)^\.Ed",
                     PAGE.read_text(), re.M | re.S)[1]
    return text.replace("\\e\n", "")


def make_xml(folder, machine, link):
    """Returns the XML of a new domain, with the interface of the manual page and
    another one."""
    return f"""<domain type='qemu'>
  <name>{machine}</name>
  <memory unit='MiB'>256</memory>
  <os>
    <type arch='x86_64' machine='{machine}'>hvm</type>{virsh.boot(folder, MACS)}
  </os>
  <features><acpi/></features>
  <devices>
{shown("The interface")}{link.xml()}{virsh.devices(folder)}
  </devices>
</domain>
"""


def define(tap, libvirt, folder, machine, link):
    """Defines the domain with a capture device for the interface of the manual page,
    and checks that its XML has what the page shows."""
    file = folder / "domain.xml"
    file.write_text(make_xml(folder, machine, link))
    libvirt("define", file)
    done = libvirt.run(TOOL, "-c", libvirt.uri, "--plugin", PLUGIN, "--define",
                       "--nic", MACS[0], machine)
    tap.equal((done.returncode, done.stderr), (
        0, "libvirt-capture: the domain is defined; changes take effect at its "
           "next start\n"),
              f"{machine}: libvirt-capture defines the domain")
    xml = libvirt("dumpxml", "--inactive", machine)
    text = shown("What is added").replace(INSTALLED, str(PLUGIN)).replace(
        "type='kvm'", "type='qemu'")
    if machine == "q35":
        text = text.replace("bus=pci.0,addr=0x1f", "bus=pcie.0,addr=0x1c")
    there = {line.strip() for line in xml.splitlines()}
    wanted = {line.strip() for line in text.splitlines()} - {"..."}
    tap.equal(wanted - there, set(),
              f"{machine}: the domain's XML has what the manual page shows")
    # The session's libvirt has no networks.
    file.write_text(re.sub(r"type='network'(.*?)<source [^>]*>", r"type='user'\1",
                           xml, flags=re.S))
    libvirt("define", file)


def start(libvirt, machine, folder):
    """Starts the domain; returns its guest when that has booted."""
    libvirt("start", machine)
    guest = virsh.Domain(libvirt, machine, folder).connect()
    return guest.ready()


def empty_port(xml):
    """Returns the bus of an empty root port, found as the manual page describes."""
    ports = re.findall(r"<controller type='pci' index='(\d+)' "
                       "model='pcie-root-port'", xml)
    used = {int(bus, 16) for bus in re.findall(
        r"<address type='pci' domain='0x0000' bus='(\w+)'", xml)}
    return next(f"bus=pci.{port}" for port in ports if int(port) not in used)


def alias(xml, mac):
    """Returns the alias of an interface, from the XML of a running domain."""
    return re.search(rf"<mac address='{mac}'/>.*?<alias name='(.*?)'/>", xml,
                     re.S)[1]


def captures(tap, guest, what):
    """Checks that the device captures frames of its interface."""
    guest.shell("ip address add 10.0.2.15/24 dev eth0")
    one = Descriptor(guest, "capture0", ethertype=None, immediate=True)
    guest.shell("ping -c 1 10.0.2.2")
    tap.ok(one.stats()[2] >= 2, f"{what}: a ping is captured", one.stats())
    one.close()


def moved(tap, libvirt, guest, name):
    """Saves and restores the domain while a reader waits for packets."""
    one = Descriptor(guest, "capture0", ethertype="0800", immediate=True)
    before = one.stats()
    reading = one.begin_blocked("read")
    saved = guest.folder / "saved"
    libvirt("save", name, saved)
    libvirt("restore", saved)
    guest.connect()
    guest.shell("ping -c 1 10.0.2.2")
    error, _ = guest.result(reading)
    tap.equal(error, "0", f"{name}: the reader gets a packet after the restore")
    tap.ok(one.stats()[2] > before[2], f"{name}: packets are captured",
           before, one.stats())
    one.close()


def plugged(tap, libvirt, guest, link, name, bus):
    """Plugs a device for the other interface in, through QEMU's monitor."""
    def monitor(command):
        return libvirt("qemu-monitor-command", name, "--hmp", *command.split())

    netdev = f"host{alias(libvirt('dumpxml', name), MACS[1])}"
    tap.equal(monitor(f"device_add virtio-capture-pci,netdev={netdev},id=c1,"
                      f"{bus}"), "",
              f"{name}: device_add of a capture device succeeds")
    one = Descriptor(guest, immediate=True)
    wait_for(lambda: one.error("setif", "capture1") == "0", "the device")
    one.call("filter", "88b5")
    reading = one.begin("drain", END)
    link.send(*[frame(i) for i in range(20)], frame(END))
    error, text = guest.result(reading)
    tap.equal((error, numbers(text)), ("0", [*range(20), END]),
              f"{name}: the capture device captures every frame, in order")
    one.close()
    monitor("device_del c1")
    wait_for(lambda: '"c1"' not in monitor("info qtree"), "unplug")
    tap.ok(True, f"{name}: the capture device is unplugged again")


def forgotten(tap, libvirt, guest, name, place):
    """Saves the domain with a device that libvirt does not know."""
    netdev = f"host{alias(libvirt('dumpxml', name), MACS[1])}"
    libvirt("qemu-monitor-command", name, "--hmp", "device_add "
            f"virtio-capture-pci,netdev={netdev},id=c1,{place}")
    libvirt("save", name, guest.folder / "saved")
    try:
        libvirt("restore", guest.folder / "saved")
        tap.ok(False,
               f"{name}: the restore with a capture device that was plugged in fails")
    except virsh.Failure as error:
        tap.contains(str(error), "/virtio-capture",
                     f"{name}: the restore's error names the device that was plugged in")


def machine_test(name, place=None):
    """Returns the test of a machine; place: where to plug a device in, if not in a
    root port."""
    def test(tap):
        folder, link = scratch(), Link()
        with virsh.Libvirt() as libvirt:
            define(tap, libvirt, folder, name, link)
            with start(libvirt, name, folder) as guest:
                bus = place or empty_port(libvirt("dumpxml", name))
                captures(tap, guest, name)
                moved(tap, libvirt, guest, name)
                plugged(tap, libvirt, guest, link, name, bus)
                moved(tap, libvirt, guest, name)
                guest.end(tap)
                forgotten(tap, libvirt, guest, name, bus)
            done = libvirt.run(TOOL, "-c", libvirt.uri, "--remove", "--define",
                               name)
            left = libvirt("dumpxml", "--inactive", name)
            tap.ok(done.returncode == 0 and "capture" not in
                   re.sub(r"/tmp/\S*", "", left),
                   f"{name}: --remove leaves nothing of the capture device in the XML",
                   left)
    return test


virsh.enter(__file__)
TAP = Tap()
TAP.run(machine_test("pc", "bus=pci.0,addr=0x1e"), machine_test("q35"))
sys.exit(TAP.done())
