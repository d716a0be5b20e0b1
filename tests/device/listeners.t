#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Listener queues: their buffers rotate as those of /dev/bpf do."""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import bpf  # noqa: E402
import virtio_pci  # noqa: E402
from capture import BOTH, FLUSH, frame, records, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

NONE = spec.DELAY_NONE
FEATURES = (virtio_pci.F_VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)
KEEP, DISCARD = spec.FLUSH_KEEP, spec.FLUSH_DISCARD
ONE = 96                        # size of the record of a frame of 60 bytes
WHO = 3                         # the listener under test


def stage_of(*sizes, delay=NONE, extra="", **wishes):
    """Returns a Stage with one listener, which has buffers of these sizes."""
    stage = Stage(buffers=0, features=FEATURES,
                  capture_args=",listener-queues=4" + extra)
    for size in sizes:
        stage.cap.post(size, listener=WHO)
    assert stage.cap.listen(delay=delay, listener=WHO, **wishes) == spec.E_OK
    return stage


def give(stage, size):
    """Makes a buffer available, and notifies the device."""
    stage.cap.post(size, listener=WHO)
    stage.cap.queue_of(WHO).kick()


def numbers(data):
    """Returns the numbers of the frames in a buffer."""
    return None if data is None else [struct.unpack(">I", r.data[14:18])[0]
                                      for r in records(data)]


def take(stage):
    """Returns the numbers of the frames in the next used buffer, or None."""
    return numbers(stage.cap.take(WHO))


def receive(stage, *which, size=60):
    """Sends frames with these numbers to the NIC."""
    stage.receive(*[frame(i, size) for i in which])


def rotation(tap):
    """Store buffer, hold buffer, free buffer."""
    with stage_of(3 * ONE, 2 * ONE) as stage:
        receive(stage, 1, 2)
        tap.equal(take(stage), None,
                  "buffer with room for one record: not used")
        receive(stage, 3)
        tap.equal(take(stage), [1, 2, 3], "buffer exactly full: used")
        receive(stage, 4, 5, 6, 7)
        tap.equal(take(stage), None, "last buffer full: kept [CAP-DEV-LQ-4]")
        tap.equal(stage.cap.look(WHO)[1:], (5, 2, 7, 1),
                  "last buffer full: frames that do not fit are dropped, and counted"
                  " [CAP-DEV-LQ-3]")
        give(stage, 3 * ONE)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [4, 5],
                  "last buffer full, another made available: the full one is used"
                  " [CAP-DEV-LQ-5]")
        receive(stage, 8)
        give(stage, 3 * ONE)
        receive(stage, 9, 10)
        tap.equal(take(stage), [8, 9, 10],
                  "last buffer full, another made available: it takes the next frames")
        tap.equal(stage.cap.look(WHO)[1:], (8, 2, 10, 3),
                  "counters of captured, dropped, seen and used")


def last_goes_on(tap):
    """The last buffer is filled until the next record does not fit."""
    with stage_of(ONE, 2 * ONE + 56) as stage:
        receive(stage, 1, 2)
        tap.equal(take(stage), [1],
                  "buffer full, another available: the full one is used")
        receive(stage, 3, size=200)
        receive(stage, 4)
        receive(stage, 5)
        receive(stage, 6, size=18)
        tap.equal(stage.cap.look(WHO)[1:3], (4, 2),
                  "last buffer: a long frame is dropped, a short one still fits"
                  " [CAP-DEV-LQ-3]")
        give(stage, ONE)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2, 4, 6],
                  "last buffer: it has the frames before and after the drop")


def does_not_fit(tap):
    """A frame that does not fit into the rest of the buffer."""
    with stage_of(2 * ONE, 2 * ONE, 2 * ONE) as stage:
        receive(stage, 1)
        receive(stage, 2, size=100)
        tap.equal(take(stage), [1],
                  "long frame, another buffer available: the first is used early"
                  " [CAP-DEV-LQ-3]")
        receive(stage, 3, size=1500)
        found = stage.cap.take(WHO)
        tap.equal(numbers(found), [2],
                  "frame longer than any buffer: the one in progress is used early")
        receive(stage, 4, size=1500)
        tap.equal((take(stage), stage.cap.look(WHO)[1:3]), (None, (3, 1)),
                  "frame longer than any buffer: not cut to what is left of the last")
        give(stage, ONE)
        found = records(wait_for(lambda: stage.cap.take(WHO), "buffer"))
        tap.equal([(r.caplen, r.datalen) for r in found],
                  [(2 * ONE - 32, 1500)],
                  "frame longer than any buffer: cut to a whole buffer")


def immediate(tap):
    """Delay 0: a buffer is used at once, except the last one."""
    with stage_of(4096, 4096, delay=0) as stage:
        receive(stage, 1)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "delay 0: the buffer is used at once")
        receive(stage, 2)
        receive(stage, 3)
        for _ in range(5):
            stage.cap.look(WHO)
        tap.equal(take(stage), None, "delay 0: the last buffer is kept")
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2, 3],
                  "delay 0: the last buffer is used when another is made available"
                  " [CAP-DEV-LQ-5]")
        give(stage, 4096)
        stage.cap.look(WHO)
        tap.equal(take(stage), None, "delay 0: an empty buffer is not used")
        receive(stage, 4)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [4],
                  "delay 0: the next frame is in a used buffer at once")


def aged(tap):
    """A delay: a buffer is used after it, except the last one."""
    with stage_of(4096, 4096, delay=1000) as stage:
        receive(stage, 1)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "delay: the buffer is used in time")
        receive(stage, 2)
        start = stage.cap.clock().clock
        while stage.cap.clock().clock < start + 100 * 10 ** 6:
            pass
        receive(stage, 3)
        tap.equal(take(stage), None,
                  "delay: the last buffer is kept however old it is [CAP-DEV-LQ-4]")
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2, 3],
                  "delay: the last buffer is used when another is made available"
                  " [CAP-DEV-LQ-5]")


def nearly_full(tap):
    """Bytes are left, but too few for any record."""
    with stage_of(ONE + 24, 4096) as stage:
        receive(stage, 1)
        stage.cap.look(WHO)
        tap.equal(take(stage), None,
                  "24 bytes left in a buffer: not full [CAP-DEV-LQ-9]")
        receive(stage, 2)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "24 bytes left in a buffer: used for the next record [CAP-DEV-LQ-9]")


def changed(tap):
    """LISTEN with another delay while the last buffer is in progress."""
    with stage_of(4096, delay=0) as stage:
        receive(stage, 1)
        for _ in range(5):
            stage.cap.look(WHO)
        stage.cap.listen(delay=NONE, listener=WHO)
        give(stage, 4096)
        stage.cap.look(WHO)
        tap.equal(take(stage), None,
                  "delay changed to none: the buffer is not used")
        stage.cap.listen(delay=0, listener=WHO)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "delay changed to 0: the buffer is used")
    with stage_of(ONE, delay=0) as stage:
        receive(stage, 1)
        stage.cap.listen(delay=NONE, listener=WHO)
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "buffer full: it is used whatever the delay [CAP-DEV-LQ-5]")


def flush(tap):
    """FLUSH: the buffer in progress is used, kept or discarded."""
    with stage_of(4096, 4096) as stage:
        cap = stage.cap
        receive(stage, 1, 2)
        tap.equal(cap.look(WHO)[1:], (2, 0, 2, 0),
                  "FLUSH with KEEP: exact counts")
        tap.equal(take(stage), None,
                  "FLUSH with KEEP: the buffer stays in progress [CAP-DEV-FLS-4]")
        tap.equal(cap.flush(WHO)[1:], (2, 0, 2, 1),
                  "FLUSH: the reply counts the buffer as used [CAP-DEV-FLS-6]")
        tap.equal(take(stage), [1, 2], "FLUSH: the buffer in progress is used")
        receive(stage, 3)
        tap.equal(cap.flush(WHO)[1:], (3, 0, 3, 1),
                  "FLUSH with the last buffer in progress: it does not count as used")
        tap.equal(take(stage), None,
                  "FLUSH with the last buffer in progress: it is kept [CAP-DEV-LQ-4]")
        give(stage, 4096)
        cap.look(WHO)
        tap.equal(take(stage), None,
                  "FLUSH with the last buffer kept: not used when another is made available")
        tap.equal(cap.flush(WHO, DISCARD)[1:], (3, 0, 3, 1),
                  "FLUSH with DISCARD: the counts stay [CAP-DEV-FLS-4]")
        receive(stage, 4)
        cap.flush(WHO)
        tap.equal(take(stage), [4],
                  "FLUSH with DISCARD: the buffer begins again at its start"
                  " [CAP-DEV-FLS-4]")
        tap.equal(cap.flush(WHO, DISCARD)[1:], (4, 0, 4, 2),
                  "FLUSH with DISCARD without a buffer in progress succeeds")
        receive(stage, 5)
        cap.flush(0)
        cap.flush(2)
        tap.equal(take(stage), None,
                  "FLUSH of another listener: the buffer is not used")
        for name, body in (("listener 5", FLUSH.pack(5, 0)),
                           ("listener 2^32-1", FLUSH.pack(0xffffffff, 0)),
                           ("an unknown flag", FLUSH.pack(WHO, 4)),
                           ("both flags", FLUSH.pack(WHO, 3)),
                           ("no structure", b""),
                           ("half of it", FLUSH.pack(WHO, 0)[:4]),
                           ("more than it", FLUSH.pack(WHO, 0) + b"\0")):
            tap.equal(cap.control(spec.C_FLUSH, body), (spec.E_INVALID, b""),
                      f"FLUSH, {name}: refused [CAP-DEV-FLS-5]")


def shared_flush(tap):
    """The flags of FLUSH apply to listener 0, too."""
    with stage_of() as stage:
        cap = stage.cap
        cap.post(4096)
        cap.listen(delay=NONE)
        receive(stage, 1)
        cap.look(0)
        tap.equal(cap.take(), None,
                  "listener 0, FLUSH with KEEP: no buffer is used")
        cap.flush(0, DISCARD)
        receive(stage, 2)
        tap.equal(cap.flush(0)[1:], (2, 0, 2, 1),
                  "listener 0, FLUSH: exact counts")
        tap.equal(numbers(cap.take()), [2],
                  "listener 0, FLUSH: its last buffer is used")


def programs(tap):
    """FILTER with the number of a listener."""
    with stage_of(2 * ONE, 4096) as stage:
        receive(stage, 1, 2, 3)
        status, counters = stage.cap.filter(bpf.compiled("ether[17] & 1 = 1"),
                                            spec.FILTER_DISCARD,
                                            listener=WHO)
        tap.equal((status, counters[1:]), (0, (3, 0, 3, 1)),
                  "FILTER with DISCARD: one buffer was used before the program")
        receive(stage, 4, 5, 6, 7)
        give(stage, 4096)
        stage.cap.flush(WHO)
        tap.equal((take(stage), take(stage)), ([1, 2], [5, 7]),
                  "FILTER with DISCARD: that buffer's frames, and those of the program")
        for name, listener in (("listener 5", 5), ("2^32-1", 0xffffffff)):
            tap.equal(stage.cap.filter(bpf.ACCEPT, listener=listener)[0],
                      spec.E_INVALID, f"FILTER, {name}: refused")


def given_back(tap):
    """LISTEN with a snaplen of 0: all buffers are used."""
    with stage_of(4096, 4096, 4096) as stage:
        cap = stage.cap
        receive(stage, 1, 2)
        tap.equal(cap.listen(0, listener=WHO), spec.E_OK,
                  "LISTEN to nothing succeeds")
        queue = cap.queue_of(WHO)
        used = [queue.take() for _ in range(4)]
        tap.equal([one and one[1] for one in used], [2 * ONE, 0, 0, None],
                  "LISTEN to nothing: all buffers are used, empty ones with a length of 0"
                  " [CAP-DEV-LQ-6]")
        tap.ok(not cap.tap_exists(),
               "LISTEN to nothing by the last listener: the tap is gone")
        tap.equal(cap.flush(WHO)[1:], (2, 0, 2, 3),
                  "LISTEN to nothing: the counter of used buffers has them")
        receive(stage, 3)
        cap.post(4096, listener=WHO)
        tap.equal(cap.listen(delay=NONE, listener=WHO), spec.E_OK,
                  "LISTEN after that succeeds")
        receive(stage, 4)
        cap.listen(0, listener=WHO)
        tap.equal(numbers(cap.take(WHO)), [4],
                  "LISTEN after that: frames are captured")
        stage.machine.qmp("netdev_del", id="n0")
        cap.post(4096, listener=WHO)
        tap.equal(cap.listen(delay=NONE, listener=WHO), spec.E_GONE,
                  "netdev gone: LISTEN is refused")
        tap.equal(cap.listen(0, listener=WHO), spec.E_OK,
                  "netdev gone: LISTEN to nothing succeeds")
        tap.equal(cap.take(WHO), b"",
                  "netdev gone: LISTEN to nothing uses the buffers")


def stopped(tap):
    """When the machine stops, even the last buffer is used."""
    with stage_of(4096, delay=0) as stage:
        receive(stage, 1)
        stage.machine.qmp("stop")
        tap.equal(take(stage), [1],
                  "stop: the buffer in progress is used [CAP-DEV-MIG-1]")
        stage.machine.qmp("cont")
        stage.cap.post(4096, listener=WHO)
        receive(stage, 2)
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2],
                  "cont: capture goes on")
        receive(stage, 3)
        stage.cap.flush(WHO, DISCARD)
        stage.machine.qmp("stop")
        tap.equal(take(stage), None,
                  "stop after a DISCARD: the empty buffer is not used")
        stage.machine.qmp("cont")
        receive(stage, 4)
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [4],
                  "cont after a DISCARD: the buffer takes the next frame")


def many_parts(tap):
    """A buffer of 1024 pages, in an indirect table longer than the queue."""
    features = FEATURES + (28,)         # VIRTIO_F_INDIRECT_DESC
    with Stage(buffers=0, features=features,
               capture_args=",listener-queues=4") as stage:
        machine, queue = stage.machine, stage.cap.queue_of(WHO)
        parts, size = 1024, 40
        where = machine.allocate(parts * 64)
        table = machine.allocate(parts * 16)
        # In descending order, with gaps between the parts.
        places = [where + 64 * (parts - 1 - i) for i in range(parts)]
        machine.write(table, b"".join(
            struct.pack("<QIHH", place, size,
                        virtio_pci.WRITE | (virtio_pci.NEXT if i + 1 < parts
                                            else 0), (i + 1) % parts)
            for i, place in enumerate(places)))
        index = queue.add([], [(table, parts * 16)])
        machine.put("w", queue.desc + 16 * index + 12, 4)
        stage.cap.listen(delay=NONE, listener=WHO)
        frames = [frame(i, 60 + 7 * i) for i in range(60)]
        for data in frames:
            stage.receive(data)
        stage.cap.listen(0, listener=WHO)
        length = queue.wait()[1]
        data = b"".join(machine.read(place, size) for place in places)
        tap.equal([r.data for r in records(data[:length])], frames,
                  f"{length} bytes of records in a buffer in parts of {size}")


def bare(tap):
    """Fields of a record that readers of /dev/bpf do not have are zero."""
    with stage_of(ONE, 4096, flags=BOTH | spec.L_PROMISC) as stage:
        cap = stage.cap
        stage.nic.promiscuous(False)
        cap.post(4096)
        cap.listen(flags=BOTH | spec.L_PROMISC, delay=NONE)
        receive(stage, 1)
        stage.send(frame(2))
        stage.link.send(frame(3, destination=b"\2\0\0\0\0\1"))
        receive(stage, 4, size=3900)
        receive(stage, 5)
        cap.flush()
        tap.equal([r.flags for r in cap.take_records()][:3],
                  [0, spec.R_SENT, spec.R_OTHERHOST],
                  "listener 0: records have their flags")
        tap.equal(cap.look(WHO)[1:3], (4, 1),
                  "own listener: a frame is dropped")
        cap.listen(0, listener=WHO)
        found = cap.take_records(WHO)
        tap.equal([(r.flags, r.dropped, r.hdrlen) for r in found],
                  [(0, 0, 32)] * 4,
                  "own listener: flags and dropped of its records are zero"
                  " [CAP-DEV-LQ-8]")


def units(tap):
    """Each listener has its unit of times, without a flag in its records."""
    with stage_of(4096, flags=spec.L_RECEIVED) as stage:
        cap = stage.cap
        cap.post(4096, listener=1)
        cap.listen(flags=spec.L_RECEIVED | spec.L_NANOSECONDS, delay=NONE,
                   listener=1)
        low = cap.clock(10 ** 18).clock
        receive(stage, 1)
        high = cap.clock().clock
        for n, unit in ((1, 1), (WHO, 1000)):
            cap.listen(0, listener=n)
            record = cap.take_records(n)[0]
            time = record.sec * 10 ** 9 + record.subsec * unit
            tap.ok(low - unit < time - 10 ** 18 <= high
                   and record.flags == 0,
                   f"own listener: times in units of {unit} ns [CAP-DEV-LQ-8]",
                   low, time, high)


def flags_of_others(tap):
    """The flags of one listener do not affect another."""
    with stage_of(4096, 4096, flags=spec.L_SENT) as stage:
        cap = stage.cap
        cap.post(4096, listener=1)
        cap.listen(20, spec.L_RECEIVED, NONE, 1)
        cap.post(4096)
        cap.listen(30, BOTH, NONE)
        receive(stage, 1)
        stage.send(frame(2))
        tap.equal([cap.look(n)[1:] for n in (0, 1, 2, WHO)],
                  [(2, 0, 2, 0), (1, 0, 1, 0), (0, 0, 0, 0), (1, 0, 1, 0)],
                  "four listeners: each has its own counts [CAP-DEV-LQ-1]")
        cap.listen(0, listener=1)
        cap.listen(0, listener=WHO)
        tap.ok(cap.tap_exists(),
               "own listeners stop: the tap stays for listener 0")
        cap.listen(0)
        tap.ok(not cap.tap_exists(),
               "the last listener stops: the tap is gone [CAP-DEV-LQ-7]")
        tap.equal([[r.data for r in cap.take_records(n)] for n in (0, 1, WHO)],
                  [[frame(1)[:30], frame(2)[:30]], [frame(1)[:20]], [frame(2)]],
                  "three listeners: each has its own direction and snapshot length")


main = Tap()
main.run(rotation, last_goes_on, does_not_fit, immediate, aged, nearly_full, changed, flush,
         shared_flush, programs, given_back, stopped, many_parts, bare, units,
         flags_of_others)
sys.exit(main.done())
