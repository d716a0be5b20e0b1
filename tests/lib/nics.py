# SPDX-License-Identifier: GPL-2.0-or-later
"""Minimal drivers for emulated NICs, for tests with qtest.py."""
import struct

import virtio_pci
from waiting import wait_for

MODEL = "virtio-net-pci-non-transitional"
MAC = "52:54:00:12:34:56"
MAC_BYTES = bytes.fromhex(MAC.replace(":", ""))


def options(model=MODEL, netdev="n0", device_id="nic", extra=""):
    """QEMU's options for a NIC with the address MAC."""
    return ["-device",
            f"{model},netdev={netdev},id={device_id},mac={MAC}{extra}"]


class VirtioNet(virtio_pci.Device):
    """virtio-net with one queue pair and its control queue."""

    HEADER = 12
    BUFFER = 4096
    F_CTRL_VQ, F_CTRL_RX, F_CTRL_VLAN, F_CTRL_RX_EXTRA = 17, 18, 19, 20
    F_CTRL_MAC_ADDR = 23

    def __init__(self, machine, buffers=32, skip=0):
        super().__init__(machine, 1, (virtio_pci.F_VERSION_1, self.F_CTRL_VQ,
                                      self.F_CTRL_RX, self.F_CTRL_VLAN,
                                      self.F_CTRL_RX_EXTRA,
                                      self.F_CTRL_MAC_ADDR), skip)
        for _ in range(buffers):
            self._post(machine.allocate(self.BUFFER))
        self.queues[0].kick()

    def queue_count(self):
        return 3

    def _post(self, address):
        self.queues[0].add([], [(address, self.BUFFER)], address)

    def receive(self):
        """Waits for the next frame that the NIC receives, and returns it."""
        address, length = self.queues[0].wait("frame at the NIC")
        frame = self.machine.read(address, length)[self.HEADER:]
        self._post(address)
        self.queues[0].kick()
        return frame

    def drain(self):
        """Discards the frames that the NIC has received."""
        used = self.queues[0].take()
        while used:
            self._post(used[0])
            used = self.queues[0].take()
        self.queues[0].kick()

    def queue_frames(self, *frames, flags=0, step=1 << 16):
        """
        Makes frames available for transmission, without a notification.

        flags is the virtio-net header's; step is the size of each descriptor's
        memory, which is not contiguous.
        """
        for frame in frames:
            packet = bytes([flags]) + bytes(self.HEADER - 1) + frame
            parts = []
            for i in range(0, len(packet), step):
                part = packet[i:i + step]
                parts.append((self.machine.allocate(len(part) + 1, 16),
                              len(part)))
                self.machine.write(parts[-1][0], part)
            self.queues[1].add(parts, [])

    def send(self, *frames, **keywords):
        """Transmits frames and waits until the NIC has used their buffers."""
        self.queue_frames(*frames, **keywords)
        self.queues[1].kick()
        for _ in frames:
            self.queues[1].wait("transmitted frame")

    def control(self, kind, command, data):
        """Executes a command on virtio-net's control queue."""
        request = self.machine.allocate(2 + len(data), 16)
        answer = self.machine.allocate(1, 16)
        self.machine.write(request, bytes([kind, command]) + data)
        self.queues[2].add([(request, 2 + len(data))], [(answer, 1)])
        self.queues[2].kick()
        self.queues[2].wait("answer of virtio-net")
        assert self.machine.get("b", answer) == 0, "virtio-net refuses"

    def promiscuous(self, on):
        """Sets promiscuous mode, which is on after a reset."""
        self.control(0, 0, bytes([on]))

    def all_multicast(self, on):
        """Sets whether to receive all multicast frames."""
        self.control(0, 1, bytes([on]))

    def no_unicast(self, on):
        """Sets whether to reject all unicast frames."""
        self.control(0, 4, bytes([on]))

    def tables(self, unicast, multicast):
        """Sets additional addresses to receive."""
        self.control(1, 0, b"".join(
            struct.pack("<I", len(table)) + b"".join(table)
            for table in (unicast, multicast)))

    def address(self, mac):
        """Sets the NIC's address."""
        self.control(1, 1, mac)

    def vlan(self, number, on=True):
        """Sets whether to receive frames of a VLAN."""
        self.control(2, 0 if on else 1, struct.pack("<H", number))


class E1000:
    """An Intel 82540EM, with one descriptor ring for each direction."""

    RING = 16
    CTRL, RCTL, TCTL = 0x0, 0x100, 0x400
    RDBAL, RDLEN, RDH, RDT = 0x2800, 0x2808, 0x2810, 0x2818
    TDBAL, TDLEN, TDH, TDT = 0x3800, 0x3808, 0x3810, 0x3818
    RAL, RAH = 0x5400, 0x5404
    ENABLE, BROADCAST, SET_LINK_UP = 1 << 1, 1 << 15, 1 << 6
    END, REPORT, DONE = 1, 8, 1

    def __init__(self, machine):
        self.machine = machine
        self.base = machine.pci_map_bar(machine.pci_find(0x8086, 0x100e), 0)
        self.rx, self.tx = [machine.allocate(16 * self.RING)
                            for _ in range(2)]
        self.buffers = [machine.allocate(2048) for _ in range(self.RING)]
        self.sent = self.received = 0
        for i, address in enumerate(self.buffers):
            machine.write(self.rx + 16 * i, struct.pack("<QQ", address, 0))
        for base, length, ring in ((self.RDBAL, self.RDLEN, self.rx),
                                   (self.TDBAL, self.TDLEN, self.tx)):
            self._set(base, ring)
            self._set(base + 4, 0)
            self._set(length, 16 * self.RING)
        self._set(self.CTRL, self.SET_LINK_UP)
        self._set(self.RCTL, self.ENABLE | self.BROADCAST)
        self._set(self.TCTL, self.ENABLE)
        self._set(self.RDT, self.RING - 1)

    def _set(self, register, value):
        self.machine.put("l", self.base + register, value)

    def send(self, *frames):
        """Transmits frames."""
        for frame in frames:
            address = self.machine.allocate(len(frame), 16)
            self.machine.write(address, frame)
            slot = self.tx + 16 * (self.sent % self.RING)
            self.machine.write(slot, struct.pack(
                "<QHBBI", address, len(frame), 0, self.END | self.REPORT, 0))
            self.sent += 1
            self._set(self.TDT, self.sent % self.RING)
            wait_for(lambda where=slot: self.machine.get("b", where + 12)
                     & self.DONE, "transmitted frame")

    def drain(self):
        """Discards the frames that the NIC has received."""
        while self._done():
            self._recycle()

    def _done(self):
        return self.machine.get("b", self._slot() + 12) & self.DONE

    def _slot(self):
        return self.rx + 16 * (self.received % self.RING)

    def _recycle(self):
        index = self.received % self.RING
        self.machine.write(self._slot(),
                           struct.pack("<QQ", self.buffers[index], 0))
        self.received += 1
        self._set(self.RDT, index)

    def receive(self):
        """Waits for the next frame that the NIC receives, and returns it without its
        checksum."""
        wait_for(self._done, "frame at the NIC")
        length = self.machine.get("w", self._slot() + 8)
        frame = self.machine.read(self.buffers[self.received % self.RING],
                                  length)[:-4]
        self._recycle()
        return frame
