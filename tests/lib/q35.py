# SPDX-License-Identifier: GPL-2.0-or-later
"""
A q35 machine with the capture device behind a PCIe root port, for stage.py, and the
addresses of their configuration space in memory.
"""
ECAM = 0xb0000000               # as set by QEMU's firmware
BARS = 0xe000                   # the port's window, for the BARs that qtest.py maps

ROOT_PORT = 0x1b36, 0x000c
EXPRESS, MSIX = 0x10, 0x11      # capabilities

# Offsets in the PCI Express capability and in a bridge's header.
DEVICE_CONTROL, SLOT_CONTROL, BRIDGE_CONTROL = 8, 0x18, 0x3e

# Without ACPI hot-plug, so that the port's registers can unplug a device.
OPTIONS = ("-machine", "q35", "-global",
           "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
           "-device", "pcie-root-port,id=root1,slot=1")
BUS = ",bus=root1"


def prepare(machine):
    """Enables ECAM and access to the port's bus, which is number 1."""
    machine.pci_put("l", 0, 0x60, ECAM | 1)
    port = machine.pci_find(*ROOT_PORT)
    for offset, number in ((0x18, 0), (0x19, 1), (0x1a, 1)):
        machine.pci_put("b", port, offset, number)
    machine.pci_put("w", port, 0x20, BARS)
    machine.pci_put("w", port, 0x22, BARS | 0x0ff0)
    machine.pci_put("w", port, 4, 0x106)
    machine.buses = [0, 1]


def stage_options(capture_args=""):
    """Returns keywords of Stage() for such a machine."""
    return {"first": OPTIONS, "prepare": prepare,
            "capture_args": BUS + capture_args}


def capability(machine, slot, wanted):
    """Returns the offset of a capability in a device's configuration space."""
    offset = machine.pci_get("b", slot, 0x34)
    while machine.pci_get("b", slot, offset) != wanted:
        offset = machine.pci_get("b", slot, offset + 1)
        assert offset, "no such capability"
    return offset


def ecam(slot, offset):
    """Returns the address of a register of configuration space."""
    return ECAM + (slot << 15) + offset


def function_reset(machine, slot):
    """Returns the address of the register that resets a function by bit 15."""
    return ecam(slot, capability(machine, slot, EXPRESS) + DEVICE_CONTROL)


def bus_reset(machine):
    """Returns the address of the register that resets the root port's bus by
    bit 6."""
    return ecam(machine.pci_find(*ROOT_PORT), BRIDGE_CONTROL)


def power(machine):
    """Returns the address of the register that unplugs the device in the root port's
    slot by 0xffff."""
    port = machine.pci_find(*ROOT_PORT)
    return ecam(port, capability(machine, port, EXPRESS) + SLOT_CONTROL)


def set_msix(device, vector, address, data):
    """Sets the address and the data of an MSI-X vector, and enables MSI-X."""
    machine, slot = device.machine, device.slot
    offset = capability(machine, slot, MSIX)
    where = machine.pci_get("l", slot, offset + 4)
    if not hasattr(device, "msix_table"):
        device.msix_table = (machine.pci_map_bar(slot, where & 7)
                             + (where & ~7))
    entry = device.msix_table + 16 * vector
    for i, word in enumerate((address & 0xffffffff, address >> 32, data, 0)):
        machine.put("l", entry + 4 * i, word)
    machine.pci_put("w", slot, offset + 2, 0x8000)
