#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's switch: property "capture" forbids and ends captures."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import bpf  # noqa: E402
import virtio_pci  # noqa: E402
from capture import (CTRL, Capture, frame, inject, injected,  # noqa: E402
                     offer, options, spec)
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

NONE = spec.DELAY_NONE
VERSION_1, RING_RESET = virtio_pci.F_VERSION_1, virtio_pci.F_RING_RESET
QUEUES = (VERSION_1, RING_RESET, spec.F_FILTER, spec.F_LISTENER_QUEUES)
OFF = ",capture=off"
PATH = "/machine/peripheral/cap"


def switch(stage, on):
    """Sets the property."""
    stage.machine.qmp("qom-set", path=PATH, property="capture", value=on)


def is_off(stage):
    """Whether the property and the device's status are off, and there is no tap."""
    status = stage.cap.read_config().status
    return (not stage.machine.qmp("qom-get", path=PATH, property="capture")
            and bool(status & spec.S_OFF) and not stage.cap.tap_exists())


def generation(cap):
    """Returns the configuration's generation, which each change notification changes."""
    return cap.get("generation")


def forbidden(tap):
    """Off from the start, on the command line."""
    with Stage(capture_args=OFF) as stage:
        cap = stage.cap
        tap.ok(is_off(stage),
               "capture=off: the status field shows it, there is no tap")
        tap.equal(cap.listen(), spec.E_OK,
                  "off: LISTEN succeeds [CAP-DEV-OFF-2]")
        tap.ok(is_off(stage), "off: LISTEN puts no tap on the path")
        stage.receive(frame(1))
        stage.send(frame(2))
        tap.equal(cap.flush()[1:], (0, 0),
                  "off: no frame is counted [CAP-DEV-OFF-1]")
        tap.equal(cap.take_records(), [],
                  "off: no frame is captured [CAP-DEV-OFF-1]")
        before = generation(cap)
        switch(stage, True)
        tap.ok(cap.tap_exists(), "on: the tap is on the path")
        tap.ok(not cap.read_config().status & spec.S_OFF,
               "on: the status field shows it [CAP-DEV-OFF-6]")
        wait_for(lambda: generation(cap) != before, "notification")
        stage.receive(frame(3))
        tap.equal([r.data for r in cap.wait_records(1)], [frame(3)],
                  "on: the listener of before captures [CAP-DEV-OFF-2]")
        tap.equal(cap.flush()[1:], (1, 0), "on: its frame is counted")


def unused(tap):
    """Switched without a listener."""
    with Stage() as stage:
        before = generation(stage.cap)
        switch(stage, False)
        wait_for(lambda: generation(stage.cap) != before, "notification")
        before = generation(stage.cap)
        switch(stage, False)
        stage.machine.qmp("query-status")
        tap.ok(is_off(stage), "capture=off twice: it is off")
        tap.equal(generation(stage.cap), before,
                  "capture=off twice: the driver is notified once")
        switch(stage, True)
        switch(stage, True)
        tap.ok(not stage.cap.tap_exists(),
               "on without a listener: there is no tap")
        stage.cap.listen()
        stage.receive(frame(1))
        tap.equal([r.data for r in stage.cap.wait_records(1)], [frame(1)],
                  "on: the next listener captures")


def ended(tap):
    """Off while listeners have buffers in progress, with each kind of delay."""
    for delay in (NONE, 0, 50000):
        with Stage(buffers=0, features=QUEUES) as stage:
            cap = stage.cap
            for n in (0, 1, 2):
                for _ in range(3):
                    cap.post(4096, listener=n)
                cap.listen(delay=delay, listener=n)
            cap.filter(bpf.compiled("arp"), listener=2)
            stage.receive(frame(1))
            counts = [cap.look(n)[1:] for n in (0, 1, 2)]
            before = generation(cap)
            switch(stage, False)
            tap.ok(is_off(stage),
                   f"delay {delay}: off at once [CAP-DEV-OFF-1]")
            wait_for(lambda: generation(cap) != before, "notification")
            tap.ok(True,
                   f"delay {delay}: the driver is notified [CAP-DEV-CFG-4]")
            stage.receive(frame(2))
            stage.send(frame(3))
            tap.equal([cap.look(n)[1:][:3] for n in (0, 1, 2)],
                      [c[:3] for c in counts],
                      f"delay {delay}, off: no frame is counted [CAP-DEV-OFF-1]")
            for n in (0, 1, 2):
                cap.flush(n)
            tap.equal([[r.data for r in cap.take_records(n)]
                       for n in (0, 1, 2)], [[frame(1)], [frame(1)], []],
                      f"delay {delay}, off: FLUSH gives what was captured before"
                      " [CAP-DEV-OFF-4]")
            switch(stage, True)
            stage.receive(frame(4))
            for n in (0, 1, 2):
                cap.flush(n)
            tap.equal([[r.data for r in cap.take_records(n)]
                       for n in (0, 1, 2)], [[frame(4)], [frame(4)], []],
                      f"delay {delay}, on: listeners and programs are as before"
                      " [CAP-DEV-OFF-2]")


def untouched(tap):
    """The device no longer writes to a buffer in progress."""
    with Stage(buffers=0, features=QUEUES) as stage:
        cap, machine = stage.cap, stage.machine
        where = machine.allocate(4096)
        cap.queue_of(1).add([], [(where, 4096)], [(where, 4096)])
        cap.listen(delay=0, listener=1)
        stage.receive(frame(1))
        cap.look(1)
        switch(stage, False)
        before = machine.read(where, 4096)
        for n in range(2, 60):
            stage.receive(frame(n))
        cap.look(1)
        tap.equal(machine.read(where, 4096), before,
                  "off: no record is written to the buffers [CAP-DEV-OFF-1]")
        cap.listen(0, listener=1)
        tap.equal([r.data for r in cap.take_records(1)], [frame(1)],
                  "off: LISTEN to nothing uses the buffer in progress")


def no_way_round(tap):
    """A driver cannot override the switch."""
    with Stage(buffers=0, features=QUEUES, capture_args=OFF) as stage:
        cap, machine = stage.cap, stage.machine

        def tries():
            for n in (0, 1, 16):
                cap.post(4096, listener=n)
                cap.filter(bpf.ACCEPT, listener=n)
                cap.listen(listener=n)
                cap.listen(0, listener=n)
                cap.listen(7, spec.L_ALL, NONE, listener=n)
                cap.queue_of(n).kick()
                cap.flush(n)

        def quiet(what):
            """Checks that nothing is captured."""
            stage.receive(frame(1))
            stage.send(frame(2))
            tap.ok(is_off(stage),
                   f"{what}: it is off [CAP-DEV-OFF-5 CAP-DEV-OFF-6]")
            tap.equal([cap.look(n)[1:4] for n in (0, 1, 16)], [(0, 0, 0)] * 3,
                      f"{what}: no frame is captured [CAP-DEV-OFF-5]")
        tries()
        quiet("LISTEN and FILTER")
        for queue in cap.queues:
            queue.reset()
        tries()
        quiet("resets of queues")
        cap.start(QUEUES)
        tries()
        quiet("a reset of the device")
        for offset in range(28):
            machine.put("b", cap.config + offset, 0)
        quiet("writes to the configuration")
        machine.qmp("set_link", name="nic", up=False)
        machine.qmp("set_link", name="nic", up=True)
        quiet("the link goes, and comes back")
        machine.qmp("system_reset")
        machine.qmp.event("RESET")
        machine.next_bar = 0xe0000000
        stage.nic = type(stage.nic)(machine)
        stage.cap = cap = Capture(machine, 0, features=QUEUES)
        tries()
        quiet("a reset of the machine")


def injection(tap):
    """Frames are injected neither to the backend nor to the NIC."""
    with Stage() as stage:
        cap = stage.cap
        tap.equal(inject(cap, frame(1)), spec.E_OK, "on: INJECT succeeds")
        tap.equal(stage.link.receive(), frame(1),
                  "on: the injected frame arrives")
        switch(stage, False)
        for flags in range(4):
            tap.equal(inject(cap, frame(2), flags), spec.E_OFF,
                      f"off: INJECT with flags {flags} is refused [CAP-DEV-OFF-3]")
        tap.equal(inject(cap, bytes(13)), spec.E_INVALID,
                  "off: INJECT of no frame is invalid as ever")
        for i in range(100):            # more than are handled at a time
            offer(cap, frame(i))
        cap.queues[2].kick()
        tap.equal(cap.flush()[1:], (0, 0),
                  "off, behind 100 INJECTs: FLUSH succeeds")
        tap.equal({injected(cap) for _ in range(100)}, {spec.E_OFF},
                  "off: 100 INJECTs are refused")
        stage.receive(frame(3))         # feedback would arrive before it
        tap.ok(stage.link.empty(),
               "off: no injected frame arrives [CAP-DEV-OFF-3]")
        switch(stage, True)
        tap.equal(inject(cap, frame(4)), spec.E_OK,
                  "on again: INJECT succeeds")
        tap.equal(stage.link.receive(), frame(4),
                  "on again: the injected frame alone arrives")


def waiting(tap):
    """Injected frames wait for the backend when capture is switched off."""
    with Stage() as stage:
        cap = stage.cap
        for i in range(60):
            offer(cap, frame(i))
        cap.queues[2].kick()
        cap.flush()
        switch(stage, False)
        tap.equal(cap.flush()[1:], (0, 0),
                  "off with frames waiting: FLUSH succeeds")
        got = []
        for _ in range(60):
            while not stage.link.empty():
                got.append(stage.link.receive())
            stage.machine.qmp("query-status")
        statuses = [injected(cap) for _ in range(60)]
        count = statuses.count(spec.E_OK)
        tap.equal(statuses, [spec.E_OK] * count + [spec.E_OFF] * (60 - count),
                  "off with frames waiting: those not yet given to the backend are refused"
                  " [CAP-DEV-OFF-3]")
        tap.ok(0 < count < 60,
               "off with frames waiting: some were given to the backend, some not",
               count)
        tap.equal(got, [frame(i) for i in range(count)],
                  "off with frames waiting: those given to the backend are sent")


def under_way(tap):
    """A FLUSH that is answered after the switch."""
    with Stage() as stage:
        cap = stage.cap
        cap.listen(delay=NONE)
        for turn in range(20):
            switch(stage, True)
            stage.receive(frame(turn))
            cap.wait_counted(turn + 1)
            cap.submit(CTRL.pack(spec.C_FLUSH, 0), 32)
            cap.controls.kick()
            switch(stage, False)
            status, rest = cap.result()
            if status or cap.counters(rest)[1:] != (turn + 1, 0):
                tap.ok(False,
                       "20 times FLUSH and the switch at once: FLUSH has what was captured",
                       status, rest)
            cap.post(4096)
        tap.ok(True,
               "20 times FLUSH and the switch at once: FLUSH has what was captured"
               " [CAP-DEV-OFF-2]")
        tap.equal([r.data for r in cap.take_records()],
                  [frame(turn) for turn in range(20)],
                  "20 times FLUSH and the switch at once: buffers have all captured frames"
                  " [CAP-DEV-OFF-4]")


def stopped(tap):
    """Switched while the machine is stopped."""
    with Stage() as stage:
        cap = stage.cap
        cap.listen()
        before = generation(cap)
        stage.machine.qmp("stop")
        switch(stage, False)
        tap.ok(is_off(stage), "off while stopped: it is off")
        tap.equal(generation(cap), before,
                  "off while stopped: the driver is not notified yet")
        stage.machine.qmp("cont")
        wait_for(lambda: generation(cap) != before, "notification")
        tap.ok(is_off(stage), "off while stopped, cont: it is off")
        stage.receive(frame(1))
        tap.equal(cap.flush()[1:], (0, 0),
                  "off while stopped, cont: no frame is captured")


def moved(tap):
    """The switch does not migrate: each host has its own."""
    for source, target, name in ((OFF, "", "from off to on"),
                                 ("", OFF, "from on to off")):
        with Stage(capture_args=source) as stage:
            # The destination's QEMU announces the NIC, by frames of direction sent.
            stage.cap.listen(flags=spec.L_RECEIVED)
            stage.receive(frame(1))
            count = stage.cap.flush().captured
            stage.cap.take_records()
            before = generation(stage.cap)
            with stage.moved(capture_args=target) as other:
                cap = other.cap
                wait_for(lambda: generation(cap) != before, "notification")
                tap.equal(is_off(other), bool(target),
                          f"{name}: the switch is the target's own")
                other.receive(frame(2))
                got = cap.flush().captured
                tap.equal((count, got), (1, 1) if target else (0, 1),
                          f"{name}: the listener captures where it may [CAP-DEV-OFF-5]")
                switch(other, not target)
                switch(other, True)
                other.receive(frame(3))
                cap.flush()
                tap.equal([r.data for r in cap.take_records()][-1:],
                          [frame(3)],
                          f"{name}, switched on again: the listener captures")


def without_netdev(tap):
    """The netdev is removed while capture is off."""
    with Stage() as stage:
        cap = stage.cap
        cap.listen()
        switch(stage, False)
        stage.machine.qmp("netdev_del", id="n0")
        tap.equal(cap.listen(), spec.E_GONE,
                  "netdev removed while off: LISTEN is refused as gone")
        tap.equal(inject(cap, frame(1)), spec.E_GONE,
                  "netdev removed while off: INJECT is refused as gone")
        switch(stage, True)
        tap.ok(not cap.tap_exists(), "netdev removed, on again: there is no tap")
        tap.equal(inject(cap, frame(1)), spec.E_GONE,
                  "netdev removed, on again: INJECT is refused as gone")
        tap.equal(cap.listen(), spec.E_GONE,
                  "netdev removed, on again: LISTEN is refused as gone")
        tap.equal(cap.flush()[1:], (0, 0), "netdev removed, on again: FLUSH succeeds")
        tap.equal(cap.listen(0), spec.E_OK,
                  "netdev removed, on again: LISTEN to nothing succeeds")


def unplugged(tap):
    """The device is unplugged while it is off; the next has its own switch."""
    with Stage(capture_args=OFF) as stage:
        machine = stage.machine
        stage.cap.listen()
        for on in (True, False):
            machine.qmp("device_del", id="cap")
            machine.command(f"outl 0xae08 {1 << stage.cap.slot}")
            while machine.qmp.event("DEVICE_DELETED").get("device") != "cap":
                pass
            machine.qmp("device_add", driver="virtio-capture-pci",
                        netdev="n0", id="cap", capture=on)
            stage.cap = Capture(machine)
            stage.cap.listen()
            tap.equal(is_off(stage), not on,
                      f"device_add with capture={on}: it is {'on' if on else 'off'}")


def several(tap):
    """Two devices on a netdev have a switch each."""
    with Stage("-device", options(device_id="cap2")[1]) as stage:
        cap, other = stage.cap, Capture(stage.machine, skip=1)
        cap.listen()
        other.listen()
        switch(stage, False)
        stage.receive(frame(1))
        tap.equal([r.data for r in other.wait_records(1)], [frame(1)],
                  "two devices on a netdev, one off: the other one captures")
        tap.equal(cap.flush()[1:], (0, 0),
                  "two devices on a netdev, one off: that one does not capture")


def traced(tap):
    """The human monitor's output, and the trace event."""
    with Stage() as stage:
        stage.machine.qmp("trace-event-set-state",
                          name="virtio_capture_switch", enable=True)
        for value in "off", "on":
            tap.equal(stage.machine.qmp.hmp(f"qom-set {PATH} capture {value}"),
                      "",
                      f"the monitor's qom-set of capture to {value} succeeds")
        lines = [line.rpartition(" ")[2]
                 for line in stage.machine.output().splitlines()
                 if "virtio_capture_switch" in line]
        tap.equal(lines, ["0", "1"], "off and on are traced")


main = Tap()
main.run(forbidden, unused, ended, untouched, no_way_round, injection, waiting,
         under_way, stopped, moved, without_netdev, unplugged, several, traced)
sys.exit(main.done())
