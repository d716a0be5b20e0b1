# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver for modern virtio devices on PCI, for tests with qtest.py."""
import struct

from waiting import wait_for

VENDOR = 0x1af4
FIRST_DEVICE = 0x1040

# Device status bits.
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 0x40

F_RING_PACKED = 34
F_RING_RESET = 40
F_VERSION_1 = 32

# Descriptor flags; the last two are for packed rings.
NEXT, WRITE = 1, 2
AVAIL, USED = 1 << 7, 1 << 15

# struct virtio_pci_common_cfg.
COMMON = {"feature_select": ("l", 0), "feature": ("l", 4),
          "driver_select": ("l", 8), "driver_feature": ("l", 12),
          "config_vector": ("w", 16), "queues": ("w", 18),
          "status": ("b", 20), "generation": ("b", 21),
          "queue_select": ("w", 22), "queue_size": ("w", 24),
          "queue_vector": ("w", 26), "queue_enable": ("w", 28),
          "queue_notify_off": ("w", 30), "queue_desc": ("q", 32),
          "queue_avail": ("q", 40), "queue_used": ("q", 48),
          "queue_reset": ("w", 58)}


class Queue:
    """A split virtqueue, without indirect descriptors and event indices."""

    def __init__(self, device, index):
        self.device, self.index = device, index
        self.machine = machine = device.machine
        device.set("queue_select", index)
        self.size = device.get("queue_size")
        self.desc = machine.allocate(16 * self.size, 16)
        self.avail = machine.allocate(6 + 2 * self.size, 2)
        self.used = machine.allocate(6 + 8 * self.size, 4)
        self.notify = (device.notify +
                       device.get("queue_notify_off") * device.multiplier)
        self._enable()

    def _enable(self):
        self.free = list(range(self.size))
        self.chains = {}
        self.added = self.taken = 0
        for ring, size in ((self.desc, 16 * self.size),
                           (self.avail, 6 + 2 * self.size),
                           (self.used, 6 + 8 * self.size)):
            self.machine.write(ring, bytes(size))
        self.device.set("queue_select", self.index)
        self.device.set("queue_desc", self.desc)
        self.device.set("queue_avail", self.avail)
        self.device.set("queue_used", self.used)
        self.device.set("queue_enable", 1)

    def reset(self):
        """Resets only this queue, and enables it again, empty."""
        self.device.set("queue_select", self.index)
        self.device.set("queue_reset", 1)
        assert self.device.get("queue_reset") == 0, "queue still in reset"
        self._enable()

    def add(self, readable, writable, token=None):
        """
        Makes a buffer available, without a notification.

        readable and writable are lists of (address, length). Returns the index of the
        first descriptor. take() returns the token when the buffer is used.
        """
        parts = [(*part, 0) for part in readable]
        parts += [(*part, WRITE) for part in writable]
        indices = [self.free.pop(0) for _ in parts]
        for i, (address, length, flags) in enumerate(parts):
            following = indices[i + 1] if i + 1 < len(parts) else 0
            flags |= NEXT if i + 1 < len(parts) else 0
            self.machine.write(self.desc + 16 * indices[i],
                               struct.pack("<QIHH", address, length, flags,
                                           following))
        self.chains[indices[0]] = (indices, token)
        self.machine.put("w", self.avail + 4 + 2 * (self.added % self.size),
                         indices[0])
        self.added += 1
        self.machine.put("w", self.avail + 2, self.added & 0xffff)
        return indices[0]

    def kick_line(self):
        """Returns the qtest command for a notification."""
        return f"writew {self.notify} {self.index}"

    def kick(self):
        """Notifies the device."""
        self.machine.command(self.kick_line())

    def take(self):
        """Returns the next used buffer as (token, used length), or None."""
        if self.machine.get("w", self.used + 2) == self.taken & 0xffff:
            return None
        head, length = struct.unpack("<II", self.machine.read(
            self.used + 4 + 8 * (self.taken % self.size), 8))
        self.taken += 1
        indices, token = self.chains.pop(head)
        self.free += indices
        return token, length

    def wait(self, what="used buffer"):
        """Waits for the next used buffer, and returns it."""
        return wait_for(self.take, what)


class PackedQueue(Queue):
    """A packed virtqueue, with the same limits."""

    def _enable(self):
        super()._enable()
        self.next = self.next_used = 0
        self.wrap = self.wrap_used = True

    def _advance(self, place, wrap, count=1):
        place += count
        return place % self.size, wrap ^ (place >= self.size)

    def add(self, readable, writable, token=None):
        parts = [(*part, 0) for part in readable]
        parts += [(*part, WRITE) for part in writable]
        name, head = self.free.pop(0), None
        for i, (address, length, flags) in enumerate(parts):
            flags |= NEXT if i + 1 < len(parts) else 0
            flags |= AVAIL if self.wrap else USED
            where = self.desc + 16 * self.next
            # The first descriptor's flags are written last, as they make the
            # buffer available.
            self.machine.write(where, struct.pack(
                "<QIHH", address, length, name, flags if i else 0))
            head = head or (where + 14, flags)
            self.next, self.wrap = self._advance(self.next, self.wrap)
        self.chains[name] = (len(parts), token)
        self.machine.put("w", *head)
        return name

    def take(self):
        _, length, name, flags = struct.unpack("<QIHH", self.machine.read(
            self.desc + 16 * self.next_used, 16))
        if {bool(flags & AVAIL), bool(flags & USED)} != {self.wrap_used}:
            return None
        count, token = self.chains.pop(name)
        self.free.append(name)
        self.next_used, self.wrap_used = self._advance(
            self.next_used, self.wrap_used, count)
        return token, length


class Device:
    """A virtio device, which is found by its device ID and initialised."""

    def __init__(self, machine, device_id, features=(F_VERSION_1,), skip=0):
        self.machine = machine
        self.device_id = device_id
        self.slot = machine.pci_find(VENDOR, FIRST_DEVICE + device_id, skip)
        assert self.slot is not None, f"no virtio device {device_id}"
        self._find_capabilities()
        self.start(features)

    def _find_capabilities(self):
        bars, found = {}, {}
        machine, slot = self.machine, self.slot
        offset = machine.pci_get("b", slot, 0x34)
        while offset:
            kind = machine.pci_get("b", slot, offset + 3)
            if machine.pci_get("b", slot, offset) == 9 and kind < 5:
                bar = machine.pci_get("b", slot, offset + 4)
                if bar not in bars:
                    bars[bar] = machine.pci_map_bar(slot, bar)
                found[kind] = bars[bar] + machine.pci_get("l", slot,
                                                          offset + 8)
                if kind == 2:
                    self.multiplier = machine.pci_get("l", slot, offset + 16)
            offset = machine.pci_get("b", slot, offset + 1)
        self.common, self.notify, self.config = found[1], found[2], found[4]

    def get(self, name):
        """Reads a field of the common configuration."""
        width, offset = COMMON[name]
        return self.machine.get(width, self.common + offset)

    def set(self, name, value):
        """Writes a field of the common configuration."""
        width, offset = COMMON[name]
        if width == "q":        # 64-bit fields are accessed as two halves
            self.machine.put("l", self.common + offset, value & 0xffffffff)
            self.machine.put("l", self.common + offset + 4, value >> 32)
        else:
            self.machine.put(width, self.common + offset, value)

    def config_bytes(self, size):
        """Reads the device-specific configuration space."""
        return bytes(self.machine.get("b", self.config + i)
                     for i in range(size))

    def offered(self):
        """Returns the feature bits that the device offers."""
        bits = 0
        for half in (0, 1):
            self.set("feature_select", half)
            bits |= self.get("feature") << 32 * half
        return bits

    def start(self, features=(F_VERSION_1,)):
        """Resets and initialises the device, with all its queues."""
        self.set("status", 0)
        wait_for(lambda: self.get("status") == 0, "reset")
        self.set("status", ACKNOWLEDGE | DRIVER)
        wanted = sum(1 << bit for bit in features)
        assert wanted & ~self.offered() == 0, "a feature is not offered"
        for half in (0, 1):
            self.set("driver_select", half)
            self.set("driver_feature", wanted >> 32 * half & 0xffffffff)
        self.set("status", ACKNOWLEDGE | DRIVER | FEATURES_OK)
        assert self.get("status") & FEATURES_OK, "features refused"
        kind = PackedQueue if F_RING_PACKED in features else Queue
        self.queues = [kind(self, index) for index in
                       range(self.queue_count())]
        self.set("status", ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def queue_count(self):
        """Returns the number of queues to set up."""
        return self.get("queues")

    def broken(self):
        """Returns whether the device is broken, that is needs a reset."""
        return bool(self.get("status") & NEEDS_RESET)
