#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The device's properties, by which the host observes a capture."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import bpf  # noqa: E402
import emulator  # noqa: E402
import tree  # noqa: E402
from capture import BOTH, frame, inject, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from virtio_pci import F_VERSION_1  # noqa: E402

QUEUES = (F_VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)
PATHS = ("/machine/peripheral/cap", "/machine/peripheral/cap/virtio-backend")
NUMBERS = ("listeners", "captured", "dropped", "injected")
VERSION = tree.make_variable("guest-driver", "VERSION")
READ_ONLY = (*NUMBERS, "tapped", "listener-state")


def read(stage, *names):
    """Returns properties, which must be equal in the PCI proxy and in the device."""
    values = [tuple(stage.machine.qmp("qom-get", path=path, property=name)
                    for name in names) for path in PATHS]
    assert values[0] == values[1], values
    return values[0]


def described(tap):
    """The human monitor's help, and QMP."""
    with Stage() as stage:
        text = stage.machine.qmp.hmp("device_add virtio-capture-pci,help")
        lines = {line.split("=")[0].strip(): line
                 for line in text.splitlines()}
        tap.contains(lines.get("capture", ""), " - off: nothing is captured",
                     "-device virtio-capture-pci,help describes capture")
        for name in READ_ONLY:
            tap.contains(lines.get(name, ""), "(read-only)",
                         f"-device virtio-capture-pci,help: {name} can be read only")
        for name in ("virtio-capture-pci", "virtio-capture-device"):
            known = {one["name"] for one in stage.machine.qmp(
                "device-list-properties", typename=name)}
            tap.equal({"capture", *READ_ONLY} - known, set(),
                      f"device-list-properties of {name} has the properties")


def version(tap):
    """The plug-in's version, unless the device is part of QEMU's own tree."""
    if not emulator.PLUGIN:
        return
    with Stage() as stage:
        tap.contains(stage.machine.qmp.hmp("device_add virtio-capture-pci,help"),
                     f"version of virtio-capture: {VERSION} (read-only)",
                     "the help shows the plug-in's version")
        tap.equal(stage.machine.qmp("qom-get", path=PATHS[0],
                                    property="version"), VERSION,
                  "QMP returns the plug-in's version")


def read_only(tap):
    """Read-only properties cannot be set."""
    with Stage() as stage:
        for name in READ_ONLY:
            response = stage.machine.qmp.raw(
                "qom-set", path=PATHS[0], property=name, value=1)
            tap.ok("error" in response, f"qom-set of {name} is refused",
                   response)
    for name in NUMBERS:
        status, errors = emulator.run_qemu(
            "-netdev", "user,id=n0", "-device",
            f"virtio-capture-pci,netdev=n0,{name}=1")
        tap.ok(status == 1 and "-device" in errors,
               f"-device with {name} is refused", status, errors)


def numbers(tap):
    """Counters of each listener, and in total over resets."""
    with Stage(buffers=0, features=QUEUES) as stage:
        cap = stage.cap
        tap.equal(read(stage, "tapped", *NUMBERS), (False, 0, 0, 0, 0),
                  "before LISTEN: not tapped, numbers are 0")
        cap.post(4096)
        cap.listen()
        tap.equal(read(stage, "tapped", "listeners"), (True, 1),
                  "after LISTEN: tapped, one listener")
        cap.listen(listener=3)
        stage.receive(frame(1), frame(2))
        cap.look(3)
        tap.equal(read(stage, *NUMBERS), (2, 2, 2, 0),
                  "frames count for each listener that wants them")
        inject(cap, frame(3))
        stage.link.receive()
        inject(cap, bytes(13))
        tap.equal(read(stage, *NUMBERS), (2, 3, 3, 1),
                  "an injected frame is counted, a refused one is not")
        cap.start(QUEUES)
        tap.equal(read(stage, "tapped", *NUMBERS), (False, 0, 3, 3, 1),
                  "after a reset: not tapped, no listener, numbers stay")
        cap.post(4096)
        cap.listen()
        stage.receive(frame(4))
        cap.flush()
        tap.equal(read(stage, *NUMBERS), (1, 4, 3, 1),
                  "after a reset: a frame is added to the numbers")
        cap.listen(0)
        tap.equal(read(stage, "tapped", *NUMBERS), (False, 0, 4, 3, 1),
                  "listener stopped: not tapped, numbers stay")


def state(tap):
    """The state of each listener."""
    with Stage(buffers=0, features=QUEUES) as stage:
        cap = stage.cap
        tap.equal(read(stage, "listener-state"), ([],),
                  "no listener: listener-state is empty")
        program = bpf.compiled("arp")
        cap.filter(program, listener=2)
        cap.listen(96, spec.L_RECEIVED | spec.L_PROMISC, listener=2)
        cap.post(4096)
        cap.listen(65535, BOTH)
        stage.receive(frame(1))
        stage.send(frame(2))
        cap.look(0)
        shared = {"listener": 0, "queue": 0, "snaplen": 65535,
                  "received": True, "sent": True, "promiscuous": False,
                  "instructions": 0, "seen": 2, "captured": 2, "dropped": 0}
        own = {"listener": 2, "queue": 4, "snaplen": 96, "received": True,
               "sent": False, "promiscuous": True,
               "instructions": len(program), "seen": 1, "captured": 0,
               "dropped": 0}
        tap.equal(read(stage, "listener-state"), ([shared, own],),
                  "two listeners, one with a program: listener-state shows both")
        cap.filter(bpf.ACCEPT, listener=2)
        stage.receive(frame(3))
        cap.look(2)
        own.update(instructions=1, seen=2, dropped=1)
        shared.update(seen=3, captured=3)
        tap.equal(read(stage, "listener-state"), ([shared, own],),
                  "another program, no buffer: listener-state shows both")
        cap.listen(0)
        tap.equal(read(stage, "listener-state"), ([own],),
                  "one listener stopped: listener-state shows the other")


def netdev_gone(tap):
    """The tap is removed with the netdev; the listener still exists."""
    with Stage() as stage:
        stage.cap.listen()
        stage.machine.qmp("netdev_del", id="n0")
        tap.equal(read(stage, "tapped", "listeners"), (False, 1),
                  "capture=off: one listener, not tapped")


def many(tap):
    """As many listeners as a device can have."""
    with Stage(buffers=0, features=QUEUES,
               capture_args=",listener-queues=64") as stage:
        for n in range(65):
            stage.cap.listen(listener=n)
        stage.receive(frame(1))
        stage.cap.look(64)
        found, = read(stage, "listener-state")
        tap.equal([(one["listener"], one["dropped"]) for one in found],
                  [(n, 1) for n in range(65)],
                  "65 listeners: listener-state shows them in order")
        tap.equal(read(stage, *NUMBERS), (65, 0, 65, 0),
                  "65 listeners: the numbers are their sums")


main = Tap()
main.run(described, version, read_only, numbers, state, netdev_gone, many)
sys.exit(main.done())
