#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The netdev or the device is removed while it captures."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import bpf  # noqa: E402
import capture  # noqa: E402
import nics  # noqa: E402
from capture import frame, spec  # noqa: E402
from links import link  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from virtio_pci import F_VERSION_1  # noqa: E402
from waiting import wait_for  # noqa: E402

QUEUES = (F_VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)
OTHER = "52:54:00:99:99:99"

# QEMU's ACPI: a write ejects the devices in these slots of bus 0.
EJECT = 0xae08


def unplug(machine, device_id, slot):
    """Unplugs a device by device_del and an eject from the guest."""
    machine.qmp("device_del", id=device_id)
    machine.command(f"outl {EJECT} {1 << slot}")
    while machine.qmp.event("DEVICE_DELETED").get("device") != device_id:
        pass


def netdev(tap):
    """netdev_del also removes the tap."""
    with Stage() as stage:
        cap = stage.cap
        cap.listen(delay=spec.DELAY_NONE)
        stage.receive(frame(1))
        cap.wait_counted(1)
        generation = stage.machine.get("b", cap.common + 21)
        stage.machine.qmp("netdev_del", id="n0")
        tap.ok(not cap.tap_exists(), "netdev removed: the tap is gone")
        tap.ok(stage.machine.get("b", cap.common + 21) != generation,
               "netdev removed: the configuration's generation changes [CAP-DEV-CFG-4]")
        config = cap.read_config()
        tap.equal((config.mac, config.status), (bytes(6), 0),
                  "netdev removed: the configuration has no NIC [CAP-DEV-CFG-1]")
        tap.equal(cap.listen(), spec.E_GONE,
                  "netdev removed: LISTEN is refused as gone [CAP-DEV-LSN-2]")
        tap.equal(cap.flush()[1:], (1, 0), "netdev removed: FLUSH succeeds")
        tap.equal([r.data for r in cap.take_records()], [frame(1)],
                  "netdev removed: frames captured before are in a buffer")
        tap.equal(cap.listen(0), spec.E_OK,
                  "netdev removed: LISTEN to nothing succeeds")
        tap.ok(not cap.broken() and stage.machine.alive(),
               "netdev removed: no reset is needed, QEMU goes on")


def other_netdev(tap):
    """Another netdev with the same name."""
    with Stage() as stage:
        machine, cap = stage.machine, stage.cap
        cap.listen()
        machine.qmp("netdev_del", id="n0")
        unplug(machine, "nic", stage.nic.slot)
        option, end = link()
        machine.qmp("netdev_add", type="dgram", id="n0",
                    local={"type": "unix", "path": end.peer},
                    remote={"type": "unix",
                            "path": end.socket.getsockname()})
        machine.qmp("device_add", driver=nics.MODEL, netdev="n0", id="nic2",
                    mac=nics.MAC)
        nic = nics.VirtioNet(machine)
        tap.equal(cap.read_config().mac, nics.MAC_BYTES,
                  "netdev and NIC added again: the configuration has its address")
        tap.equal(cap.listen(), spec.E_OK,
                  "netdev and NIC added again: LISTEN succeeds")
        end.send(frame(2))
        nic.receive()
        tap.equal([r.data for r in cap.wait_records(1)], [frame(2)],
                  "netdev and NIC added again: its frames are captured")


def other_nic(tap):
    """A NIC of another model on the netdev that is tapped."""
    with Stage(buffers=8) as stage:
        machine, cap = stage.machine, stage.cap
        stage.nic.promiscuous(False)
        cap.listen(flags=spec.L_RECEIVED)
        first = frame(1, 60, nics.MAC_BYTES)
        stage.receive(first)
        tap.equal([r.data for r in cap.wait_records(1)], [first],
                  "NIC of another model: before it a frame to the old NIC's address is captured")
        unplug(machine, "nic", stage.nic.slot)
        machine.qmp("device_add", driver="e1000", netdev="n0", id="nic2",
                    mac=OTHER)
        nic = nics.E1000(machine)
        stage.link.send(first, frame(2, 60, bytes.fromhex(
            OTHER.replace(":", ""))))
        stage.link.send(frame(3))
        nic.receive()
        tap.equal([r.data[14:18] for r in cap.wait_records(2)],
                  [bytes([0, 0, 0, i]) for i in (2, 3)],
                  "NIC of another model: frames to its address are captured")


def device(tap):
    """device_del of the capture device, and a new one."""
    with Stage() as stage:
        machine = stage.machine
        for turn in range(5):
            stage.cap.listen(delay=[0, spec.DELAY_NONE, 50000][turn % 3])
            stage.receive(frame(turn))
            stage.cap.wait_counted(1)
            unplug(machine, "cap", stage.cap.slot)
            tap.ok("filters:" not in machine.qmp.hmp("info network"),
                   "capture device unplugged: the tap is gone")
            stage.receive(frame(100))
            stage.send(frame(101))
            machine.qmp("device_add", driver="virtio-capture-pci",
                        netdev="n0", id="cap")
            stage.cap = capture.Capture(machine)
        start = stage.cap.clock().clock
        while stage.cap.clock().clock < start + 100 * 10 ** 6:
            pass                        # until old devices' timers would expire
        stage.cap.listen()
        stage.receive(frame(7))
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(7)],
                  "capture device plugged in again: it captures")


def listeners(tap):
    """device_del while listeners have buffers, full and half full."""
    with Stage(buffers=0, features=QUEUES) as stage:
        machine = stage.machine
        for turn in range(3):
            for n in (0, 1, 2, 16):
                stage.cap.post(96 * n or 4096, listener=n)
                stage.cap.filter(bpf.ACCEPT, listener=n)
                stage.cap.listen(delay=[0, spec.DELAY_NONE, 50000][turn],
                                 listener=n)
            stage.receive(frame(1), frame(2))
            tap.equal(stage.cap.look(16)[1:], (2, 0, 2, 0),
                      "capture device with listener queues: they capture")
            unplug(machine, "cap", stage.cap.slot)
            tap.ok("filters:" not in machine.qmp.hmp("info network"),
                   "capture device with listener queues unplugged: the tap is gone")
            stage.receive(frame(100))
            machine.qmp("device_add", driver="virtio-capture-pci",
                        netdev="n0", id="cap")
            stage.cap = capture.Capture(machine, 0, features=QUEUES)
        stage.cap.post(4096, listener=1)
        stage.cap.listen(listener=1)
        stage.receive(frame(7))
        stage.cap.listen(0, listener=1)
        tap.equal([r.data for r in stage.cap.take_records(1)], [frame(7)],
                  "capture device with listener queues plugged in again: they capture")


def nic(tap):
    """device_del of the NIC, whose netdev stays."""
    with Stage() as stage:
        stage.cap.listen()
        stage.receive(frame(1))
        stage.cap.wait_records(1)
        unplug(stage.machine, "nic", stage.nic.slot)
        tap.equal(stage.cap.read_config().status, 0,
                  "NIC unplugged, netdev kept: the status says that there is no NIC"
                  " [CAP-DEV-CFG-2]")
        stage.link.send(frame(2))
        tap.equal(stage.cap.flush()[1:], (1, 0),
                  "NIC unplugged, netdev kept: no frame is captured")
        stage.machine.qmp("device_add", driver=nics.MODEL, netdev="n0",
                          id="nic", mac=nics.MAC)
        stage.nic = nics.VirtioNet(stage.machine)
        stage.receive(frame(3))
        wait_for(lambda: frame(3) in [r.data for r in
                                      stage.cap.take_records()], "frame 3")
        tap.ok(True,
               "NIC plugged in at the kept netdev: its frames are captured")


def quit_now(tap):
    """QEMU exits while the device captures."""
    with Stage() as stage:
        stage.cap.listen(delay=spec.DELAY_NONE)
        stage.receive(frame(1))
        stage.cap.wait_counted(1)
        tap.equal(stage.machine.close(), 0, "QEMU exits with status 0")


main = Tap()
main.run(netdev, other_netdev, other_nic, device, listeners, nic, quit_now)
sys.exit(main.done())
