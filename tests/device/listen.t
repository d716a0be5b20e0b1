#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""LISTEN adds the tap to the NIC's path and removes it again."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import BOTH, LISTEN, Capture, frame, records, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402


def off(tap):
    """Without a listener nothing is in the NIC's path."""
    with Stage() as stage:
        network = stage.machine.qmp.hmp("info network")
        tap.ok("filters:" not in network and not stage.cap.tap_exists(),
               "before LISTEN: there is no tap on the NIC's path", network)
        for turn in range(3):
            tap.equal(stage.cap.listen(delay=spec.DELAY_NONE), spec.E_OK,
                      f"turn {turn}: LISTEN succeeds")
            network = stage.machine.qmp.hmp("info network")
            tap.contains(network, "type=virtio-capture-tap",
                         f"turn {turn}: LISTEN puts the tap on the NIC's path")
            tap.equal(network.count("type="), 3,
                      f"turn {turn}: the path has NIC, netdev and one filter")
            stage.receive(frame(turn))
            stage.cap.wait_counted(turn + 1)
            tap.ok(stage.cap.take() is None,
                   f"turn {turn}: the buffer with a frame is in progress")
            tap.equal(stage.cap.listen(0, delay=spec.DELAY_NONE), spec.E_OK,
                      f"turn {turn}: LISTEN to nothing succeeds")
            tap.equal([r.data for r in records(stage.cap.take() or b"")],
                      [frame(turn)],
                      f"turn {turn}: LISTEN to nothing completes the buffer"
                      " [CAP-DEV-LSN-4]")
            network = stage.machine.qmp.hmp("info network")
            tap.ok("filters:" not in network and not stage.cap.tap_exists(),
                   f"turn {turn}: LISTEN to nothing takes the tap from the path",
                   network)
            stage.receive(frame(100))
            stage.send(frame(101))
            tap.equal(stage.cap.flush()[1:], (turn + 1, 0),
                      f"turn {turn}: after it no frame is captured or counted"
                      " [CAP-DEV-TAP-5]")


def place(tap):
    """With other filters: frames are captured as the NIC sees them, each once."""
    with Stage("-object", "filter-buffer,id=f0,netdev=n0,interval=1000") as \
            stage:
        stage.cap.listen()
        stage.receive(frame(1))
        stage.send(frame(2))
        stage.cap.flush()
        tap.equal([(r.data, r.flags) for r in stage.cap.take_records()],
                  [(frame(1), 0), (frame(2), spec.R_SENT)],
                  "beside filter-buffer: each frame is captured once")
    with Stage("-object", "filter-buffer,id=f0,netdev=n0,interval=1000000000")\
            as stage:
        stage.cap.listen()
        stage.nic.send(frame(1))
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(1)],
                  "beside filter-buffer: a sent frame is captured before it")
        stage.link.send(frame(2))
        stage.machine.qmp("qom-set", path="/objects/f0", property="status",
                          value="off")
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(2)],
                  "beside filter-buffer: a received frame is captured behind it")


def nic_down(tap):
    """A NIC whose link is down receives nothing."""
    with Stage() as stage:
        stage.cap.listen()
        stage.machine.qmp("set_link", name="nic", up=False)
        stage.link.send(frame(1))
        for _ in range(3):              # by then QEMU has read the frame
            stage.cap.flush()
        stage.machine.qmp("set_link", name="nic", up=True)
        stage.receive(frame(2))
        stage.cap.flush()
        tap.equal([r.data for r in stage.cap.take_records()], [frame(2)],
                  "link down: a frame is not captured before it is up [CAP-DEV-SEL-5]")


def fields(tap):
    """Unknown flags are an error and change nothing."""
    with Stage() as stage:
        stage.cap.listen(delay=spec.DELAY_NONE)
        for flags in (0x10, 0x80000000, spec.L_ALL | 0x20):
            tap.equal(stage.cap.listen(0, flags), spec.E_INVALID,
                      f"LISTEN with unknown flags {flags:#x} is refused"
                      " [CAP-DEV-LSN-1]")
        tap.ok(stage.cap.tap_exists(),
               "a refused LISTEN leaves the old one [CAP-DEV-CTRL-5]")
        body = LISTEN.pack(100, BOTH, 0, 0xffffffff)
        tap.equal(stage.cap.control(spec.C_LISTEN, body)[0], spec.E_OK,
                  "LISTEN with a reserved field set succeeds [CAP-DEV-CTRL-2]")


def two(tap):
    """Two devices on one netdev are independent."""
    with Stage("-device", "virtio-capture-pci,netdev=n0,id=cap2") as stage:
        other = Capture(stage.machine, skip=1)
        stage.cap.listen(flags=spec.L_RECEIVED)
        other.listen(20, flags=spec.L_SENT)
        stage.receive(frame(1))
        stage.send(frame(2))
        stage.cap.flush()
        other.flush()
        tap.equal([r.data for r in stage.cap.take_records()], [frame(1)],
                  "two devices on a netdev: the first captures what it wants")
        tap.equal([r.data for r in other.take_records()], [frame(2)[:20]],
                  "two devices on a netdev: the second captures what it wants")
        stage.cap.listen(0)
        stage.send(frame(3))
        other.flush()
        tap.equal([r.data for r in other.take_records()], [frame(3)[:20]],
                  "two devices on a netdev: the second goes on when the first stops")


main = Tap()
main.run(off, place, nic_down, fields, two)
sys.exit(main.done())
