#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener that is not promiscuous captures frames that the NIC accepts."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import capture  # noqa: E402
import nics  # noqa: E402
from capture import BROADCAST, Capture, frame, spec  # noqa: E402
from links import link  # noqa: E402
from qtest import Machine  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

OTHER = bytes.fromhex("525400999999")
SECOND = bytes.fromhex("525400777777")
GROUP = bytes.fromhex("01005e000001")
GROUP2 = bytes.fromhex("01005e000002")
ALL = [nics.MAC_BYTES, BROADCAST, OTHER, SECOND, GROUP, GROUP2]
PROMISC = spec.L_RECEIVED | spec.L_PROMISC


def tagged(destination, vlan):
    """Returns a frame with a VLAN tag."""
    data = frame(1, 64, destination)
    return data[:12] + b"\x81\0" + vlan.to_bytes(2, "big") + data[12:]


def seen(stage, frames, flags):
    """Returns the frames that are captured, each with its R_OTHERHOST flag."""
    stage.cap.listen(flags=flags, delay=spec.DELAY_NONE)
    before = stage.cap.flush()
    stage.link.send(*frames)
    # A broadcast as the last frame: when it is captured, all have crossed.
    stage.link.send(frame(0xfffe))

    def all_crossed():
        stage.cap.flush()
        found.extend(stage.cap.take_records())
        return any(r.data == frame(0xfffe) for r in found)
    found = []
    wait_for(all_crossed, "last frame")
    stage.nic.drain()
    stage.cap.post(65536)
    after = stage.cap.flush()
    assert after.captured - before.captured == len(found)
    assert after.dropped == 0
    return [(r.data, bool(r.flags & spec.R_OTHERHOST)) for r in found[:-1]]


def check(tap, stage, accepted, name, frames=None):
    """A listener of each kind, for a NIC that accepts some of the frames."""
    # Twice: the second time the device uses the NIC's cached answer.
    frames = 2 * (frames or [frame(1, 64, mac) for mac in ALL])
    accepted = 2 * accepted
    tap.equal(seen(stage, frames, spec.L_RECEIVED),
              [(f, False) for f, a in zip(frames, accepted) if a],
              f"{name}, not promiscuous: frames that the NIC accepts are captured"
              " [CAP-DEV-SEL-2]")
    tap.equal(seen(stage, frames, PROMISC),
              [(f, not a) for f, a in zip(frames, accepted)],
              f"{name}, promiscuous: all frames are captured, flagged if not accepted"
              " [CAP-DEV-SEL-2]")


def virtio_net(tap):
    """A NIC whose receive filter can be queried."""
    with Stage() as stage:
        nic = stage.nic
        check(tap, stage, [1, 1, 1, 1, 1, 1], "virtio-net, promiscuous")
        nic.promiscuous(False)
        check(tap, stage, [1, 1, 0, 0, 0, 0],
              "virtio-net, own address [CAP-DEV-SEL-3]")
        nic.all_multicast(True)
        check(tap, stage, [1, 1, 0, 0, 1, 1], "virtio-net, all multicast")
        nic.all_multicast(False)
        nic.tables([SECOND], [GROUP])
        check(tap, stage, [1, 1, 0, 1, 1, 0],
              "virtio-net, tables of addresses")
        nic.tables([], [])
        check(tap, stage, [1, 1, 0, 0, 0, 0], "virtio-net, empty tables")
        groups = [bytes([1, 0, 94, 1, i >> 8, i & 255]) for i in range(70)]
        nic.tables([], groups)
        check(tap, stage, [1, 1, 0, 0, 1, 1],
              "virtio-net, too many groups for its table")
        others = [bytes([2, 0, 94, 1, i >> 8, i & 255]) for i in range(70)]
        nic.tables(others, [])
        check(tap, stage, [1, 1, 1, 1, 0, 0],
              "virtio-net, too many addresses for its table")
        nic.no_unicast(True)
        check(tap, stage, [0, 1, 0, 0, 0, 0],
              "virtio-net, too many addresses, and no unicast")
        nic.tables([], [])
        check(tap, stage, [0, 1, 0, 0, 0, 0], "virtio-net, no unicast")


def vlans(tap):
    """VLAN numbers that the NIC accepts."""
    frames = [tagged(nics.MAC_BYTES, 5), tagged(nics.MAC_BYTES, 4095),
              tagged(BROADCAST, 6), tagged(OTHER, 5), frame(1)]
    with Stage() as stage:
        stage.nic.promiscuous(False)
        check(tap, stage, [0, 0, 0, 0, 1], "virtio-net, no VLAN", frames)
        stage.nic.vlan(5)
        check(tap, stage, [1, 0, 0, 0, 1], "virtio-net, VLAN 5", frames)
        stage.nic.vlan(6)
        stage.nic.vlan(4095)
        check(tap, stage, [1, 1, 1, 0, 1], "virtio-net, three VLANs", frames)


def e1000(tap):
    """A NIC whose filter cannot be queried: own address, broadcast, multicast."""
    with Stage(model="e1000", driver=nics.E1000) as stage:
        check(tap, stage, [1, 1, 0, 0, 1, 1],
              "e1000, own address, broadcast, multicast [CAP-DEV-SEL-3]")


def hub(tap):
    """A hub at the netdev accepts everything."""
    option, end = link()
    with Machine("-netdev", f"{option},id=n0",
                 "-netdev", "hubport,hubid=0,id=h0,netdev=n0",
                 "-netdev", "hubport,hubid=0,id=h1",
                 *nics.options(netdev="h1"), *capture.options()) as machine:
        nic = nics.VirtioNet(machine)
        cap = Capture(machine)
        tap.equal(cap.read_config().status, 0,
                  "netdev at a hub: the status says that there is no NIC")
        cap.listen(flags=spec.L_RECEIVED)
        end.send(frame(1, 64, OTHER))
        tap.equal(nic.receive(), frame(1, 64, OTHER),
                  "netdev at a hub: the NIC receives the frame")
        tap.equal([(r.flags, r.data) for r in cap.wait_records(1)],
                  [(0, frame(1, 64, OTHER))],
                  "netdev at a hub: a frame for another host is captured without a flag"
                  " [CAP-DEV-SEL-3]")


def changes(tap):
    """The NIC's filter changes while a listener is active."""
    with Stage(buffers=64) as stage:
        stage.nic.promiscuous(False)
        stage.cap.listen(flags=spec.L_RECEIVED)

        def captured(mac):
            before = stage.cap.flush().captured
            stage.link.send(frame(1, 64, mac), frame(2))
            wait_for(lambda: frame(2) in [
                r.data for r in stage.cap.take_records()], "last frame")
            stage.nic.drain()
            stage.cap.post(256)
            stage.cap.post(256)
            return stage.cap.flush().captured - before == 2

        tap.ok(not captured(GROUP),
               "a frame to a group that the NIC did not join is not captured")
        stage.nic.tables([], [GROUP])
        # The device caches the NIC's answer for a while.
        wait_for(lambda: captured(GROUP), "frame of the group")
        tap.ok(True,
               "a frame to a group is captured when the NIC has joined it"
               " [CAP-DEV-SEL-3]")
        tap.ok(captured(nics.MAC_BYTES),
               "a frame to the NIC's address is captured")
        stage.nic.address(OTHER)
        wait_for(lambda: not captured(nics.MAC_BYTES),
                 "loss of interest in the former address")
        tap.ok(captured(OTHER),
               "a frame to an address that the NIC added is captured")


def events(tap):
    """The device's queries do not cause NIC_RX_FILTER_CHANGED events."""
    with Stage() as stage:
        machine = stage.machine
        stage.nic.promiscuous(False)    # QEMU reports the first change
        machine.qmp.event("NIC_RX_FILTER_CHANGED")
        stage.cap.listen(flags=spec.L_RECEIVED)
        stage.receive(frame(1))
        stage.nic.promiscuous(True)
        machine.qmp("query-status")
        tap.equal([e for e in machine.qmp.events
                   if e["event"] == "NIC_RX_FILTER_CHANGED"], [],
                  "the device's look at the NIC's tables makes no NIC_RX_FILTER_CHANGED")


def pieces(tap):
    """Frames that another NIC sends in small pieces."""
    option, end = link()
    with Machine("-netdev", f"{option},id=far",
                 "-netdev", "hubport,hubid=0,id=h0,netdev=far",
                 "-netdev", "hubport,hubid=0,id=n0",
                 "-netdev", "hubport,hubid=0,id=n1", *nics.options(),
                 *nics.options(netdev="n1", device_id="other"),
                 *capture.options()) as machine:
        nic, other = nics.VirtioNet(machine), nics.VirtioNet(machine, skip=1)
        cap = Capture(machine)
        nic.promiscuous(False)
        nic.vlan(5)
        for step in (1, 5, 15, 16, 17, 24, 26, 27, 28, 60):
            sent = [tagged(nics.MAC_BYTES, 5), tagged(nics.MAC_BYTES, 6),
                    tagged(BROADCAST, 6),
                    *(frame(i, 60, mac) for i, mac in enumerate(ALL))]
            accepted = [True, False, False, True, True, *[False] * 4]
            cap.listen(flags=PROMISC, delay=spec.DELAY_NONE)
            for data in sent:
                other.send(data, step=step)
                end.receive()           # it has crossed the hub
            cap.flush()
            tap.equal([(r.data, r.flags) for r in cap.take_records()],
                      [(f, 0 if a else spec.R_OTHERHOST)
                       for f, a in zip(sent, accepted)],
                      f"frames in pieces of {step} bytes: those for others are flagged")
            nic.drain()
            cap.post(65536)


def runts(tap):
    """The NIC accepts no frames that are too short for an address."""
    with Stage() as stage:
        check(tap, stage, [0, 0, 1], "frames shorter than an Ethernet header",
              [b"\xff", nics.MAC_BYTES[:5], BROADCAST + nics.MAC_BYTES])


main = Tap()
main.run(virtio_net, vlans, e1000, hub, changes, events, pieces, runts)
sys.exit(main.done())
