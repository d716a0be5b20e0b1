# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver for the capture device, with the names of spec/virtio_capture.h."""
import re
import struct
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import virtio_pci
from waiting import wait_for

HEADER = Path(__file__).resolve().parents[2] / "spec" / "virtio_capture.h"

# The header's VIRTIO_CAPTURE_X is spec.X.
spec = SimpleNamespace(**{
    name: int(value, 0) for name, value in re.findall(
        r"#define\s+VIRTIO_(?:CAPTURE_)?(\w+)[ \t]+(0x[0-9a-f]+|\d+)U?\s",
        HEADER.read_text())})

RECORD = struct.Struct("<QQIIHHI")
CONFIG = struct.Struct("<6sHIII")
LISTENER_QUEUES = struct.Struct("<HH")
CTRL = struct.Struct("<II")
REPLY = struct.Struct("<II")
LISTEN = struct.Struct("<IIII")
CLOCK = struct.Struct("<qII")
COUNTERS = struct.Struct("<QQQ")
ALL_COUNTERS = struct.Struct("<QQQQQ")
FILTER = struct.Struct("<IIII")
INSN = struct.Struct("<HBBI")
FLUSH = struct.Struct("<II")
INJECT = struct.Struct("<II")

BOTH = spec.L_RECEIVED | spec.L_SENT

BROADCAST = b"\xff" * 6

Config = namedtuple("Config", "mac status link_type mtu max_frame")
Counters = namedtuple("Counters", "clock captured dropped")
AllCounters = namedtuple("AllCounters", "clock captured dropped seen used")
Record = namedtuple("Record", "sec subsec caplen datalen hdrlen flags dropped "
                              "data padding")


def frame(number, size=60, destination=BROADCAST):
    """Returns an Ethernet frame with a number, of at least 18 bytes."""
    head = destination + b"\x02\0\0\0\0\x99" + b"\x88\xb5"
    body = bytes((number + i) & 0xff for i in range(size - len(head) - 4))
    return head + struct.pack(">I", number) + body


def records(data):
    """Returns the records in a used buffer's content."""
    found, position = [], 0
    while position < len(data):
        fields = RECORD.unpack_from(data, position)
        start = position + RECORD.size
        end = start + fields[2]
        position = -(-end // 8) * 8
        found.append(Record(*fields, data[start:end], data[end:position]))
    return found


def options(netdev="n0", device_id="cap"):
    """QEMU's options for a capture device."""
    return ["-device", f"virtio-capture-pci,netdev={netdev},id={device_id}"]


class Capture(virtio_pci.Device):
    """The capture device and the buffers of its driver."""

    def __init__(self, machine, buffers=4, size=65536, **keywords):
        super().__init__(machine, spec.ID_CAPTURE, **keywords)
        self.request = machine.allocate(8192)
        self.answer = machine.allocate(256)
        for _ in range(buffers):
            self.post(size)

    def start(self, features=(virtio_pci.F_VERSION_1,)):
        self.features = features
        super().start(features)

    def queue_count(self):
        if spec.F_LISTENER_QUEUES not in self.features:
            return spec.NUM_VQS
        return spec.NUM_VQS + self.listener_queues()

    def listener_queues(self):
        """Returns the number of listener queues, with F_LISTENER_QUEUES."""
        return LISTENER_QUEUES.unpack(self.config_bytes(
            spec.CONFIG_PCI + LISTENER_QUEUES.size)[spec.CONFIG_PCI:])[0]

    @property
    def captures(self):
        """The capture queue."""
        return self.queues[0]

    def queue_of(self, listener):
        """Returns the queue with a listener's capture buffers."""
        return self.queues[spec.NUM_VQS - 1 + listener if listener else 0]

    @property
    def controls(self):
        """The control queue."""
        return self.queues[1]

    def read_config(self):
        """Returns the fields of the configuration space."""
        return Config(*CONFIG.unpack(self.config_bytes(CONFIG.size)))

    def post(self, *sizes, listener=0):
        """Makes a capture buffer available, with elements of these sizes."""
        parts = [(self.machine.allocate(size), size) for size in sizes]
        for address, size in parts:     # what the device must overwrite
            self.machine.command(f"memset {address} {size} 0xa5")
        self.queue_of(listener).add([], parts, parts)

    def take(self, listener=0):
        """Returns the content of the next used buffer, or None."""
        used = self.queue_of(listener).take()
        if not used:
            return None
        parts, length = used
        data = b"".join(self.machine.read(*part) for part in parts)
        return data[:length]

    def take_records(self, listener=0):
        """Returns the records of all used buffers."""
        found = []
        while True:
            data = self.take(listener)
            if data is None:
                return found
            found += records(data)

    def wait_records(self, count, listener=0):
        """Waits for that number of records in used buffers, and returns them."""
        found = []

        def enough():
            found.extend(self.take_records(listener))
            return len(found) >= count
        wait_for(enough, f"{count} records")
        return found

    # Commands.

    def submit(self, request, reply_size, parts=1):
        """Makes a control buffer with any request available."""
        self.machine.write(self.request, request)
        self.machine.write(self.answer, b"\xa5" * 64)
        readable, step = [], -(-len(request) // parts) if request else 1
        for start in range(0, len(request), step):
            readable.append((self.request + start,
                             min(step, len(request) - start)))
        writable = [(self.answer, reply_size)] if reply_size else []
        self.controls.add(readable, writable)

    def control(self, command, body=b"", reply_size=None, parts=1):
        """Executes a command; returns its status and the rest of its reply."""
        if reply_size is None:
            reply_size = REPLY.size + self.counters_format.size
        self.submit(CTRL.pack(command, 0) + body, reply_size, parts)
        self.controls.kick()
        return self.result()

    def result(self):
        """Waits for the reply to a command; returns as control() does."""
        length = self.controls.wait("reply")[1]
        reply = self.machine.read(self.answer, length)
        status, reserved = REPLY.unpack_from(reply)
        assert reserved == 0
        return status, reply[REPLY.size:]

    @property
    def counters_format(self):
        """The format of the counters in replies, which depends on features."""
        return ALL_COUNTERS if spec.F_FILTER in self.features else COUNTERS

    def counters(self, reply):
        """Returns the counters of a reply."""
        values = self.counters_format.unpack(reply)
        return (AllCounters if len(values) > 3 else Counters)(*values)

    def listen(self, snaplen=65535, flags=BOTH, delay=0, listener=0):
        """LISTEN; returns its status."""
        status, rest = self.control(spec.C_LISTEN,
                                    LISTEN.pack(snaplen, flags, delay,
                                                listener))
        assert not rest, "the reply of LISTEN is too long"
        return status

    def flush(self, listener=0, flags=0):
        """FLUSH; returns the counters."""
        body = (FLUSH.pack(listener, flags)
                if spec.F_LISTENER_QUEUES in self.features else b"")
        status, rest = self.control(spec.C_FLUSH, body)
        assert status == 0, f"FLUSH answers {status}"
        return self.counters(rest)

    def look(self, listener):
        """Returns a listener's counters, including frames just captured."""
        return self.flush(listener, spec.FLUSH_KEEP)

    def clock(self, offset=None):
        """CLOCK, which sets the offset unless it is None; returns the counters."""
        status, rest = self.control(
            spec.C_CLOCK,
            CLOCK.pack(offset or 0, offset is not None, 0))
        assert status == 0, f"CLOCK answers {status}"
        return self.counters(rest)

    def filter(self, program, flags=0, count=None, listener=0):
        """FILTER; returns its status, and the counters if it succeeded."""
        body = FILTER.pack(listener, flags, len(program) if count is None else count,
                           0) + b"".join(INSN.pack(*one) for one in program)
        status, rest = self.control(spec.C_FILTER, body)
        return status, self.counters(rest) if not status else rest

    def wait_counted(self, count):
        """Waits until the device has captured or dropped that many frames."""
        def enough():
            now = self.clock()
            return now.captured + now.dropped >= count and now
        return wait_for(enough, f"{count} frames in the counters")

    def tap_exists(self, device_id="cap"):
        """Returns whether the tap is in the NIC's path."""
        path = f"/machine/peripheral/{device_id}/virtio-backend"
        return "tap" in [child["name"] for child in
                         self.machine.qmp("qom-list", path=path)]


def offer(cap, data, flags=0, room=8):
    """Makes a frame available in the inject queue, without a notification."""
    request = INJECT.pack(flags, 0) + data
    where = cap.machine.allocate(len(request) + 64)
    cap.machine.write(where, request)
    answer = where + len(request)
    cap.machine.write(answer, b"\xa5" * 16)
    cap.queues[spec.VQ_INJECT].add([(where, len(request))],
                                   [(answer, room)] if room else [], answer)


def injected(cap):
    """Waits for the status of the next injected frame, and returns it."""
    answer, length = cap.queues[spec.VQ_INJECT].wait("reply")
    assert length == REPLY.size, f"a reply of {length} bytes"
    status, reserved = REPLY.unpack(cap.machine.read(answer, length))
    assert reserved == 0
    return status


def inject(cap, data, flags=0):
    """Injects a frame; returns the status in the device's reply."""
    offer(cap, data, flags)
    cap.queues[spec.VQ_INJECT].kick()
    return injected(cap)
