#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requirements on the device that no other test covers."""
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import folders  # noqa: E402
import nics  # noqa: E402
import spectext  # noqa: E402
import virtio_pci  # noqa: E402
import waiting  # noqa: E402
from capture import CTRL, LISTEN, BOTH, frame, records, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE
VERSION_1 = virtio_pci.F_VERSION_1


def negotiate(cap, bits):
    """Resets the device and negotiates; returns whether it accepts the feature bits."""
    cap.set("status", 0)
    cap.set("status", 3)
    for half in (0, 1):
        cap.set("driver_select", half)
        cap.set("driver_feature", bits >> 32 * half & 0xffffffff)
    cap.set("status", 11)
    return bool(cap.get("status") & virtio_pci.FEATURES_OK)


def features(tap):
    """Required feature bits that are not accepted, and bits that were not offered."""
    with Stage() as stage:
        cap = stage.cap
        tap.ok(cap.offered() >> VERSION_1 & 1,
               "VIRTIO_F_VERSION_1 is offered [CAP-DEV-FEAT-1]")
        tap.equal(cap.offered() & 0xffffff,
                  1 << spec.F_NIC_PCI | 1 << spec.F_FILTER
                  | 1 << spec.F_LISTENER_QUEUES,
                  "of the device's own feature bits, only those defined are offered")
        for name, bits in (("none", 0), ("all there are", 2 ** 64 - 1),
                           ("one of virtio-net's", 1 << VERSION_1 | 1 << 5)):
            accepted = negotiate(cap, bits)
            cap.set("status", cap.get("status") | virtio_pci.DRIVER_OK)
            tap.ok(stage.machine.alive(),
                   f"features {name} ({'taken' if accepted else 'refused'}): QEMU goes on")
            stage.receive(frame(1))
            cap.start()
            cap.post(4096)
            cap.listen()
            stage.receive(frame(2))
            tap.equal([r.data for r in cap.wait_records(1)], [frame(2)],
                      f"features {name}: a driver that follows captures"
                      " [CAP-DEV-FEAT-1]")


def permanent_address(tap):
    """The guest changes the address of its NIC."""
    with Stage() as stage:
        stage.nic.address(bytes.fromhex("020000000077"))
        tap.contains(stage.machine.qmp.hmp("info network"), "02:00:00:00:00:77",
                     "address changed by the driver: QEMU shows it for the NIC")
        tap.equal(stage.cap.read_config().mac, nics.MAC_BYTES,
                  "address changed by the driver: the configuration has the permanent one"
                  " [CAP-DEV-CFG-1]")


def constant(tap):
    """Fields of the configuration that never change."""
    with Stage() as stage:
        cap, machine = stage.cap, stage.machine

        def now():
            config = cap.read_config()
            return config.link_type, config.max_frame
        first = now()
        cap.listen()
        machine.qmp("set_link", name="nic", up=False)
        seen = [now()]
        machine.qmp("netdev_del", id="n0")
        seen.append(now())
        cap.set("status", 0)
        seen.append(now())
        tap.equal(seen, [first] * 3,
                  "link_type and max_frame do not change [CAP-DEV-CFG-3]")


def read_only(tap):
    """Writes to the configuration have no effect."""
    with Stage() as stage:
        before = stage.cap.config_bytes(20)
        for offset in range(20):
            stage.machine.put("b", stage.cap.config + offset, 0xee)
        tap.equal(stage.cap.config_bytes(20), before,
                  "a write to the configuration does not change it")


def order(tap):
    """Alternating frames of both directions stay in order."""
    with Stage() as stage:
        stage.cap.listen(delay=NONE)
        frames = [frame(i, 60 + i) for i in range(12)]
        for i, data in enumerate(frames):
            (stage.send if i % 2 else stage.receive)(data)
        stage.cap.flush()
        tap.equal([(r.data, r.flags) for r in stage.cap.take_records()],
                  [(data, i % 2) for i, data in enumerate(frames)],
                  "sent and received frames are captured in the order in which they crossed"
                  " [CAP-DEV-TAP-3]")


def time_of_crossing(tap):
    """A record has the time of its frame, not of its buffer."""
    with Stage() as stage:
        stage.cap.listen(flags=BOTH | spec.L_NANOSECONDS, delay=NONE)
        marks = [stage.cap.clock().clock]
        for i in range(3):
            stage.receive(frame(i))
            marks.append(stage.cap.wait_counted(i + 1).clock)
        stage.cap.flush()
        times = [r.sec * 10 ** 9 + r.subsec for r in stage.cap.take_records()]
        tap.ok(len(times) == 3 and all(
            low <= time <= high for low, time, high in
            zip(marks, times, marks[1:])),
               "each record's time is between the CLOCKs before and after its frame"
               " [CAP-DEV-TAP-4]", marks, times)


def refused_buffers(tap):
    """Nothing is written to a capture buffer that is invalid."""
    for name, readable, writable in (("39 bytes", 0, 39),
                                     ("readable in front", 8, 4000)):
        with Stage(buffers=0) as stage:
            where = stage.machine.allocate(8192)
            stage.machine.command(f"memset {where} 8192 0xa5")
            stage.cap.captures.add([(where, readable)] if readable else [],
                                   [(where + 4096, writable)])
            stage.cap.listen()
            stage.receive(frame(1))
            waiting.wait_for(stage.cap.broken, "broken device")
            tap.equal(stage.machine.read(where, 8192), b"\xa5" * 8192,
                      f"{name}: a readable buffer is not written [CAP-DEV-BUF-7]")


def no_reply(tap):
    """A command without room for its reply is not executed."""
    for room in (0, 7):
        with Stage() as stage:
            cap = stage.cap
            cap.submit(CTRL.pack(spec.C_LISTEN, 0)
                       + LISTEN.pack(100, BOTH, 0, 0), room)
            cap.controls.kick()
            waiting.wait_for(cap.broken, "broken device")
            tap.ok(not cap.tap_exists(),
                   f"{room} bytes for the reply: LISTEN is not executed"
                   " [CAP-DEV-CTRL-6]")
            tap.equal(stage.machine.read(cap.answer, 8), b"\xa5" * 8,
                      f"{room} bytes for the reply: nothing is written")


def clock(tap):
    """The clock and resets of the device and of a queue, and a stop."""
    with Stage() as stage:
        seen = [stage.cap.clock().clock]
        stage.cap.start()
        seen.append(stage.cap.clock().clock)
        stage.machine.qmp("stop")
        stage.machine.qmp("cont")
        seen.append(stage.cap.clock().clock)
        tap.equal(seen, sorted(set(seen)),
                  "CLOCK: the time never goes back [CAP-DEV-CLK-1]")
    with Stage(buffers=0) as stage:
        stage.cap.listen()
        stage.receive(frame(1))
        tap.equal(stage.cap.clock()[1:], (0, 1),
                  "CLOCK without capture buffers succeeds [CAP-DEV-CLK-2]")


def last_buffer(tap):
    """The last buffer, after its delay."""
    with Stage(buffers=1) as stage:
        cap = stage.cap
        cap.listen(flags=BOTH | spec.L_NANOSECONDS)
        stage.receive(frame(1))
        found = cap.wait_records(1)
        tap.equal([r.data for r in found], [frame(1)],
                  "buffer due, no other available: it is used [CAP-DEV-LSN-7]")
        cap.post(4096)
        stage.receive(frame(2))
        cap.post(4096)
        cap.captures.kick()
        tap.equal([r.data for r in cap.wait_records(1)], [frame(2)],
                  "buffer due, another made available: it is used [CAP-DEV-LSN-7]")
        tap.equal(cap.flush()[1:], (2, 0),
                  "buffers due: no frame is dropped [CAP-DEV-LOSS-2]")


def busy_host(tap):
    """A driver that handles used buffers late."""
    with Stage(buffers=2) as stage:
        stage.cap.listen(flags=BOTH)
        stage.receive(frame(1))
        stage.cap.wait_records(1)
        stage.receive(frame(2))
        time.sleep(0.05)
        stage.receive(frame(3))
        tap.equal(stage.cap.flush()[1:], (3, 0),
                  "the last buffer takes frames after its delay of 50 ms"
                  " [CAP-DEV-LSN-7]")


def goes_on(tap):
    """Buffers after a drop: neither a command nor a notification is needed."""
    with Stage(buffers=0) as stage:
        stage.cap.listen(delay=0)
        stage.receive(frame(1))
        stage.cap.wait_counted(1)
        stage.cap.post(4096)
        stage.cap.post(4096)
        stage.receive(frame(2))
        tap.equal([(r.data, r.dropped) for r in stage.cap.wait_records(1)],
                  [(frame(2), 1)],
                  "after a drop capture goes on when there is a buffer"
                  " [CAP-DEV-LOSS-3]")
        tap.equal(stage.cap.flush()[1:], (1, 1),
                  "each frame is counted once, as captured or dropped [CAP-DEV-LOSS-1]")


def flush_always(tap):
    """FLUSH without a listener, without buffers, without a netdev."""
    with Stage(buffers=0) as stage:
        tap.equal(stage.cap.flush()[1:], (0, 0),
                  "FLUSH without a listener succeeds [CAP-DEV-FLS-3]")
        stage.cap.listen()
        tap.equal(stage.cap.flush()[1:], (0, 0),
                  "FLUSH without buffers succeeds [CAP-DEV-FLS-3]")
        stage.machine.qmp("netdev_del", id="n0")
        tap.equal(stage.cap.flush()[1:], (0, 0),
                  "FLUSH without a netdev succeeds [CAP-DEV-FLS-3]")


def saved_state(tap):
    """A saved state with flags that LISTEN does not accept."""
    with Stage() as stage:
        stage.cap.listen(0x0badcafe, spec.L_SENT)
        file = folders.scratch() / "state"
        stage.machine.qmp("migrate", uri=f"exec:cat >{file}")
        waiting.wait_for(lambda: stage.machine.qmp("query-migrate")
                         .get("status") == "completed", "migration")
    state = file.read_bytes()
    good = struct.pack(">II", 0x0badcafe, spec.L_SENT)
    tap.equal(state.count(good), 1, "the saved state has snaplen and flags")
    file.write_bytes(state.replace(good, struct.pack(">II", 0x0badcafe,
                                                     0x10)))
    with Stage("-incoming", "defer", adopt=stage) as target:
        target.machine.qmp("migrate-incoming", uri=f"exec:cat {file}")
        target.machine.process.wait(waiting.PATIENCE)
        tap.contains(target.machine.output(),
                     "bad saved state: unknown listen_flags 0x10",
                     "a saved state with an unknown flag is refused [CAP-DEV-MIG-3]")


def example(tap):
    """The command in the specification's example."""
    with Stage() as stage:
        stage.cap.submit(spectext.dumps()[0], 8)
        stage.cap.controls.kick()
        stage.cap.controls.wait("reply")
        tap.equal(stage.machine.read(stage.cap.answer, 8), bytes(8),
                  "the LISTEN of the specification's example succeeds")
        stage.receive(frame(1, 98))
        tap.equal([(r.caplen, r.datalen) for r in stage.cap.wait_records(1)],
                  [(64, 98)],
                  "after the LISTEN of the example frames are cut to 64 bytes")


def one_buffer_each(tap):
    """Records do not overlap and fill a buffer without gaps."""
    with Stage(buffers=1) as stage:
        stage.cap.listen(delay=NONE)
        frames = [frame(i, 60 + i) for i in range(9)]
        stage.receive(*frames)
        stage.cap.flush()
        used = stage.cap.take()
        sizes = [(32 + len(data) + 7) // 8 * 8 for data in frames]
        tap.equal(len(used), sum(sizes),
                  "a used buffer is as long as its records [CAP-DEV-BUF-5]")
        tap.equal([r.data for r in records(used)], frames,
                  "a used buffer has the records of all frames [CAP-DEV-REC-1]")


main = Tap()
main.run(features, permanent_address, constant, read_only, order,
         time_of_crossing, refused_buffers, no_reply, clock, last_buffer,
         busy_host, goes_on, flush_always, saved_state, example, one_buffer_each)
sys.exit(main.done())
