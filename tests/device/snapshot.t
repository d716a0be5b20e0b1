#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine can be used after the device refused to load a snapshot."""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import folders  # noqa: E402
import waiting  # noqa: E402
from capture import Capture, frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

PATH = "/machine/peripheral/cap"


def job(machine, **options):
    """Makes a block device; waits for the job."""
    machine.qmp("blockdev-create", job_id="job", options=options)
    waiting.wait_for(lambda: machine.qmp("query-jobs")[0]["status"]
                     == "concluded", "blockdev-create")
    machine.qmp("job-dismiss", id="job")


def add_disk(machine):
    """Adds a disk for the machine's state; returns its file."""
    path = folders.scratch() / "disk"
    job(machine, driver="file", filename=str(path), size=0)
    machine.qmp("blockdev-add", driver="file", node_name="file",
                filename=str(path))
    job(machine, driver="qcow2", file="file", size=1 << 20)
    machine.qmp("blockdev-add", driver="qcow2", node_name="disk", file="file")
    return path


def snapshot(stage):
    """Saves a snapshot, and changes it: the listener has an unknown flag."""
    stage.cap.listen(0x0badcafe, spec.L_SENT)
    disk = add_disk(stage.machine)
    said = stage.machine.qmp.hmp("savevm one")
    assert not said, said
    data = disk.read_bytes()
    good = struct.pack(">II", 0x0badcafe, spec.L_SENT)
    assert data.count(good) == 1
    with open(disk, "r+b") as file:
        file.seek(data.index(good))
        file.write(struct.pack(">II", 0x0badcafe, 0x10))


def refused(tap):
    """The snapshot is not loaded; then the machine is reset."""
    with Stage() as stage:
        machine = stage.machine
        snapshot(stage)
        tap.contains(machine.qmp.hmp("loadvm one"), "virtio-capture: bad saved "
                     "state: unknown listen_flags 0x10",
                     "loadvm of a state with an unknown flag is refused")
        tap.equal([machine.qmp("qom-get", path=PATH, property=name)
                   for name in ("listener-state", "listeners", "tapped")],
                  [[], 0, False],
                  "after a refused loadvm: no listener, no tap")
        machine.qmp("system_reset")
        machine.qmp("cont")
        machine.next_bar = 0xe0000000
        stage.nic = type(stage.nic)(machine)
        stage.cap = Capture(machine)
        stage.cap.listen()
        stage.receive(frame(1))
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(1)],
                  "after a refused loadvm: capture goes on when the device was reset"
                  " [CAP-DEV-MIG-3]")


def without_reset(tap):
    """The driver uses the device after a refused load, without a machine reset."""
    with Stage() as stage:
        snapshot(stage)
        stage.machine.qmp.hmp("loadvm one")
        stage.machine.qmp("cont")
        stage.machine.next_bar = 0xe0000000
        stage.cap._find_capabilities()
        for snaplen in (0, 0, 60, 60, 0):
            stage.cap.start()
            stage.cap.listen(snaplen)
        tap.ok(stage.machine.alive(), "after a refused loadvm: QEMU goes on")
        tap.ok(not stage.cap.tap_exists(),
               "after a refused loadvm: there is no tap")


main = Tap()
main.run(refused, without_reset)
sys.exit(main.done())
