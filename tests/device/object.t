#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tap as a QEMU object: commands list its type, but users cannot create it."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

TYPE = "virtio-capture-tap"
PATH = "/machine/peripheral/cap/virtio-backend/tap"


def names(machine, **arguments):
    """Returns the types that QEMU lists."""
    return [one["name"] for one in
            machine.qmp("qom-list-types", **arguments)]


def walks(tap, stage, when):
    """All commands of QEMU's that iterate over types and objects."""
    machine = stage.machine
    tap.ok(TYPE in names(machine),
           f"{when}: qom-list-types has the tap's type")
    tap.ok(TYPE in names(machine, implements="netfilter"),
           f"{when}: qom-list-types of netfilter has the tap's type")
    creatable = names(machine, implements="user-creatable", abstract=True)
    tap.ok(TYPE not in creatable and "filter-dump" in creatable,
           f"{when}: the types that a user can create do not have it",
           creatable)
    properties = machine.qmp("qom-list-properties", typename=TYPE)
    tap.ok("netdev" in [one["name"] for one in properties],
           f"{when}: qom-list-properties of the tap's type has netdev",
           properties)
    machine.qmp.hmp("info qom-tree")
    for command in ("object-add", "device_add"):
        key = "driver" if command == "device_add" else "qom_type"
        response = machine.qmp.raw(command, **{key: TYPE}, id="t0")
        tap.ok("error" in response,
               f"{when}: {command} of the tap's type is refused")
    tap.contains(machine.qmp.hmp(f"object_add {TYPE},id=t0,netdev=n0"), "Error:",
                 f"{when}: the monitor's object_add of the tap's type is refused")


def found(tap):
    """Before there is a tap, while there is one, and after it."""
    with Stage() as stage:
        walks(tap, stage, "never used")
        for turn in range(3):
            stage.cap.listen()
            walks(tap, stage, f"turn {turn}")
            tap.equal(stage.machine.qmp("qom-get", path=PATH,
                                        property="netdev"), "n0",
                      f"turn {turn}: the tap's netdev property can be read")
            tap.contains(stage.machine.qmp.hmp("info network"), TYPE,
                         f"turn {turn}: 'info network' shows the tap at the netdev")
            stage.receive(frame(turn))
            tap.equal([r.data for r in stage.cap.wait_records(1)],
                      [frame(turn)], f"turn {turn}: a frame is captured")
            stage.cap.listen(0)
        walks(tap, stage, "used")


def beside_others(tap):
    """Filters that a user creates before the tap and while it exists."""
    with Stage("-object", "filter-replay,id=f0,netdev=n0") as stage:
        machine = stage.machine
        stage.cap.listen()
        machine.qmp("object-add", qom_type="filter-buffer", id="f1",
                    netdev="n0", interval=1000)
        stage.receive(frame(1))
        machine.qmp("object-del", id="f1")
        machine.qmp("object-del", id="f0")
        stage.receive(frame(2))
        tap.equal([r.data for r in stage.cap.wait_records(2)],
                  [frame(1), frame(2)],
                  "other filters come and go: capture goes on")
        machine.qmp("netdev_del", id="n0")
        tap.ok(not stage.cap.tap_exists() and machine.alive(),
               "netdev_del takes the tap along")


main = Tap()
main.run(found, beside_others)
sys.exit(main.done())
