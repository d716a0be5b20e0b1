#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The device before initialization: PCI ID, configuration space, queues."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import capture  # noqa: E402
import links  # noqa: E402
import nics  # noqa: E402
import qtest  # noqa: E402
import virtio_pci  # noqa: E402
from capture import spec  # noqa: E402
from tap import Tap  # noqa: E402

UP = spec.S_NIC | spec.S_LINK_UP

# virtio-rng's device ID, and the size that it requests for its queue.
RNG, RNG_SIZE = 4, 8


def configuration(tap, *nic):
    """Returns the configuration of a device that is created after this NIC, on the
    same netdev."""
    option, _ = links.link()
    with qtest.Machine("-netdev", f"{option},id=n0", *capture.options(),
                       *nic) as machine:
        slot = machine.pci_find(0x1af4, 0x107f)
        tap.ok(slot is not None, "the device has PCI ID 1af4:107f")
        tap.equal(machine.pci_get("b", slot, 8), 1,
                  "the PCI revision is 1, modern")
        cap = capture.Capture(machine)
        return cap.read_config()


def virtio_net(tap):
    """A virtio NIC, whose address and MTU the device reads."""
    config = configuration(tap, *nics.options())
    tap.equal(config, (nics.MAC_BYTES, UP, spec.LINK_ETHERNET, 1500, 69632),
              "configuration beside virtio-net: address, status, link type, lengths")
    config = configuration(tap, *nics.options(extra=",host_mtu=9000"))
    tap.equal(config.mtu, 9000, "mtu is that of the NIC's host_mtu")


def e1000(tap):
    """Any other NIC."""
    config = configuration(tap, *nics.options("e1000"))
    tap.equal(config, (nics.MAC_BYTES, UP, spec.LINK_ETHERNET, 1500, 69632),
              "configuration beside e1000: address, status, link type, lengths")


def no_nic(tap):
    """A netdev that no NIC uses."""
    config = configuration(tap)
    tap.equal((config.mac, config.status), (bytes(6), 0),
              "without a NIC: address and status are zeros [CAP-DEV-CFG-1]")


def told(tap, *devices, features=(virtio_pci.F_VERSION_1, spec.F_NIC_PCI),
         bridge=None):
    """Returns whether the configuration has the NIC's PCI address, and the address."""
    option, _ = links.link()
    with qtest.Machine("-netdev", f"{option},id=n0", *capture.options(),
                       *devices) as machine:
        if bridge:
            machine.pci_put("b", machine.pci_find(0x1b36, 1), 0x19, bridge)
        cap = capture.Capture(machine, features=features)
        status = cap.read_config().status
        tap.equal(status & UP, UP,
                  f"{devices[-1]}: the status says that there is a NIC")
        return bool(status & spec.S_PCI), cap.config_bytes(24)[20:]


def place(tap):
    """The NIC's PCI address."""
    for model in (nics.MODEL, "virtio-net-pci", "e1000", "e1000e", "rtl8139",
                  "pcnet", "vmxnet3"):
        tap.equal(told(tap, *nics.options(model, extra=",addr=0x17.0")),
                  (True, bytes((0, 0, 0, 0x17 << 3))),
                  f"{model}: the configuration has its place on PCI [CAP-DEV-CFG-5]")
    tap.equal(told(tap, "-device", "pci-bridge,id=b,chassis_nr=1",
                   *nics.options("e1000", extra=",bus=b,addr=0x9.0"),
                   bridge=0x42),
              (True, bytes((0, 0, 0x42, 9 << 3))),
              "NIC behind a bridge: its place has the bus's number [CAP-DEV-CFG-5]")
    tap.equal(told(tap, "-device", "qemu-xhci", *nics.options("usb-net")),
              (False, bytes(4)),
              "NIC not on PCI: the configuration has no place [CAP-DEV-CFG-5]")
    tap.equal(told(tap, *nics.options(), features=(virtio_pci.F_VERSION_1,)),
              (False, bytes(4)),
              "NIC_PCI not accepted: the configuration has no place [CAP-DEV-CFG-5]")


def place_off(tap):
    """The feature is off, which migration may need."""
    option, _ = links.link()
    cap_options = ["-device", "virtio-capture-pci,netdev=n0,nic-pci=off"]
    with qtest.Machine("-netdev", f"{option},id=n0", *nics.options(),
                       *cap_options) as machine:
        cap = capture.Capture(machine)
        tap.equal(cap.offered() >> spec.F_NIC_PCI & 1, 0,
                  "nic-pci=off: NIC_PCI is not offered")
        tap.equal(cap.read_config().status, UP,
                  "nic-pci=off: the configuration has no place")


def link_status(tap):
    """The link goes down and up while the machine runs."""
    option, _ = links.link()
    with qtest.Machine("-netdev", f"{option},id=n0", *nics.options(),
                       *capture.options()) as machine:
        cap = capture.Capture(machine)
        for name in ("nic", "n0"):
            machine.qmp("set_link", name=name, up=False)
            tap.equal(cap.read_config().status, spec.S_NIC,
                      f"link of {name} down: the status field shows it [CAP-DEV-CFG-2]")
            machine.qmp("set_link", name=name, up=True)
            tap.equal(cap.read_config().status, UP,
                      f"link of {name} up: the status field shows it [CAP-DEV-CFG-2]")


def shape(tap):
    """Queues, properties, and the output of monitor commands."""
    option, _ = links.link()
    with qtest.Machine("-netdev", f"{option},id=n0", *capture.options(),
                       "-device", "virtio-rng-pci,disable-legacy=on"
                       ) as machine:
        cap = capture.Capture(machine)
        tap.equal(cap.get("queues"), spec.NUM_VQS + 16,
                  "the device has 16 listener queues behind the others")
        # In Debian's QEMU 10.0 all queues of all devices have the largest size,
        # whatever size the device requests.
        everyone = virtio_pci.Device(machine, RNG).queues[0].size
        tap.equal((cap.captures.size, cap.controls.size),
                  (256, 64) if everyone == RNG_SIZE else (1024, 1024),
                  "queues have 256 and 64 entries, or what QEMU sets for all")
        properties = {p["name"]: p for p in machine.qmp(
            "device-list-properties", typename="virtio-capture-pci")}
        for name, part in (("netdev", "captured"), ("nic-pci", "PCI"),
                           ("filter", "programs"), ("listener-queues", "64")):
            tap.contains(properties[name].get("description", ""), part,
                         f"property '{name}' has a description")
        tap.equal(machine.qmp("qom-get", path="/machine/peripheral/cap",
                              property="vectors"), spec.NUM_VQS + 16 + 1,
                  "the device has an MSI-X vector for each queue and one for the configuration")
        tap.contains(machine.qmp.hmp("info qtree"), 'netdev = "n0"',
                     "'info qtree' shows the netdev")
        tap.contains(machine.qmp.hmp("info virtio-status /machine/peripheral/"
                                     "cap/virtio-backend"), "virtio-capture",
                     "'info virtio-status' shows the device")


main = Tap()
main.run(virtio_net, e1000, no_nic, place, place_off, link_status, shape)
sys.exit(main.done())
