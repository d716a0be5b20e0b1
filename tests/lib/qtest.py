# SPDX-License-Identifier: GPL-2.0-or-later
"""
A stock QEMU without a guest, in which the test is the driver of the devices.

The machine runs (its virtual clock advances, and it accepts frames), but its processor
only executes HLT. The test accesses ports, registers and memory with the qtest
protocol, and controls QEMU over QMP.
"""
import atexit
import base64
import socket
import subprocess

import waiting
from channel import Channel
from emulator import PLUGIN, RAM, command_line
from folders import scratch
from qmp import Qmp

FIRST_FREE = 1 << 20            # guest memory below this belongs to the firmware
FIRST_BAR = 0xe0000000


def firmware(folder):
    """Makes firmware that halts the processor: CLI, HLT at the reset vector."""
    image = bytearray(0x10000)
    image[0xfff0:0xfff5] = b"\xfa\xf4\xeb\xfd\x00"
    path = folder / "halt.bin"
    path.write_bytes(image)
    return path


class Machine:
    """A running QEMU; close() or leaving a with block ends it."""

    def __init__(self, *args, plugin=PLUGIN, stopped=False):
        self.folder = scratch()
        self.next_memory = FIRST_FREE
        self.next_bar = FIRST_BAR
        self.buses = [0]        # PCI buses that can be accessed
        listeners = [self._listener(name) for name in ("qtest", "qmp")]
        self.log = open(self.folder / "log", "w+b")
        self.process = subprocess.Popen(
            command_line("-bios", firmware(self.folder),
                         "-qtest", f"unix:{self.folder}/qtest",
                         "-qmp", f"unix:{self.folder}/qmp",
                         *(["-S"] if stopped else []), *args, plugin=plugin),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        atexit.register(self.close)
        protocol, monitor = [self._accept(listener) for listener in listeners]
        self.qtest = Channel(protocol)
        self.qmp = Qmp(monitor)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _listener(self, name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / name))
        listener.listen(1)
        listener.settimeout(0.1)
        return listener

    def _accept(self, listener):
        def attempt():
            if self.process.poll() is not None:
                raise EOFError("QEMU did not start:\n" + self.output())
            try:
                return listener.accept()[0]
            except socket.timeout:
                return None
        return waiting.wait_for(attempt, "connection from QEMU")

    def output(self):
        """Returns QEMU's standard output and error."""
        self.log.flush()
        return (self.folder / "log").read_text(errors="replace")

    def alive(self):
        """Returns whether QEMU runs and answers."""
        try:
            return "status" in self.qmp("query-status")
        except (EOFError, OSError):
            return False

    def close(self):
        """Ends QEMU; returns its exit status, 0 unless it has crashed."""
        atexit.unregister(self.close)
        if self.process.poll() is None:
            try:
                self.qmp("quit")
            except (EOFError, OSError):
                pass
        try:
            status = self.process.wait(waiting.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.log.close()
        return status

    # The qtest protocol.

    def commands(self, *lines):
        """Executes commands, in one iteration of QEMU's main loop."""
        self.qtest.send("".join(line + "\n" for line in lines))
        return [self._answer(line) for line in lines]

    def _answer(self, command):
        while True:
            words = self.qtest.line().split()
            if words and words[0] == "OK":
                return words[1] if len(words) > 1 else None
            if words and words[0] == "IRQ":
                continue
            raise RuntimeError(f"{command}: {' '.join(words)}")

    def command(self, line):
        """Executes a command; returns its value."""
        return self.commands(line)[0]

    def read(self, address, size):
        """Reads guest memory."""
        if not size:
            return b""
        return base64.b64decode(self.command(f"b64read {address} {size}"))

    def write(self, address, data):
        """Writes guest memory."""
        if data:
            self.command(f"b64write {address} {len(data)} "
                         f"{base64.b64encode(bytes(data)).decode()}")

    def get(self, width, address):
        """Reads a little-endian register or memory cell; width is b, w, l or q."""
        return int(self.command(f"read{width} {address}"), 16)

    def put(self, width, address, value):
        """Writes a little-endian register or memory cell."""
        self.command(f"write{width} {address} {value}")

    def allocate(self, size, align=4096):
        """Allocates guest memory, which is zero."""
        start = -(-self.next_memory // align) * align
        self.next_memory = start + size
        assert self.next_memory <= RAM, "out of guest memory"
        return start

    # PCI configuration space. A slot is numbered 32 * bus + its number on the bus.

    def _pci_address(self, slot, offset):
        self.command(f"outl 0xcf8 {0x80000000 | slot << 11 | offset & ~3}")
        return 0xcfc + (offset & 3)

    def pci_get(self, width, slot, offset):
        """Reads configuration space."""
        port = self._pci_address(slot, offset)
        return int(self.command(f"in{width} {port}"), 16)

    def pci_put(self, width, slot, offset, value):
        """Writes configuration space."""
        port = self._pci_address(slot, offset)
        self.command(f"out{width} {port} {value}")

    def pci_find(self, vendor, device, skip=0):
        """Returns the slot of the device with this ID, or None."""
        wanted = device << 16 | vendor
        slots = [slot for bus in self.buses
                 for slot in range(32 * bus, 32 * bus + 32)
                 if self.pci_get("l", slot, 0) == wanted]
        return slots[skip] if len(slots) > skip else None

    def pci_map_bar(self, slot, bar):
        """Assigns an address to a memory BAR, and enables the device."""
        offset = 0x10 + 4 * bar
        self.pci_put("l", slot, offset, 0xffffffff)
        mask = self.pci_get("l", slot, offset)
        size = -(mask & ~0xf) & 0xffffffff
        address = -(-self.next_bar // size) * size
        self.next_bar = address + size
        self.pci_put("l", slot, offset, address)
        if mask & 6 == 4:       # 64 bits
            self.pci_put("l", slot, offset + 4, 0)
        self.pci_put("w", slot, 4, 0x106)       # memory, bus master, SERR
        return address
