#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener's own queue: its buffers rotate as those of /dev/bpf do."""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import bpf  # noqa: E402
import virtio_pci  # noqa: E402
from capture import BOTH, FLUSH, frame, records, spec  # noqa: E402
from qtest import wait_for  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

NONE = spec.DELAY_NONE
FEATURES = (virtio_pci.F_VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)
KEEP, DISCARD = spec.FLUSH_KEEP, spec.FLUSH_DISCARD
ONE = 96                        # bytes of the record of a frame of 60
WHO = 3                         # the listener that the tests are about


def stage_of(*sizes, delay=NONE, extra="", **wishes):
    """A machine with one listener, which has buffers of these sizes."""
    stage = Stage(buffers=0, features=FEATURES,
                  capture_args=",listener-queues=4" + extra)
    for size in sizes:
        stage.cap.post(size, listener=WHO)
    assert stage.cap.listen(delay=delay, listener=WHO, **wishes) == spec.E_OK
    return stage


def give(stage, size):
    """One more buffer, of which the device is told."""
    stage.cap.post(size, listener=WHO)
    stage.cap.queue_of(WHO).kick()


def numbers(data):
    """What frames are in a buffer, by their numbers."""
    return None if data is None else [struct.unpack(">I", r.data[14:18])[0]
                                      for r in records(data)]


def take(stage):
    """The frames in the next used buffer, or None."""
    return numbers(stage.cap.take(WHO))


def receive(stage, *which, size=60):
    """Frames of these numbers."""
    stage.receive(*[frame(i, size) for i in which])


def rotation(tap):
    """Store buffer, hold buffer, and the one that has been read."""
    with stage_of(3 * ONE, 2 * ONE) as stage:
        receive(stage, 1, 2)
        tap.equal(take(stage), None, "the store buffer has room")
        receive(stage, 3)
        tap.equal(take(stage), [1, 2, 3], "exactly full: it is used")
        receive(stage, 4, 5, 6, 7)
        tap.equal(take(stage), None,
                  "the last buffer is full, and kept [CAP-DEV-LQ-4]")
        tap.equal(stage.cap.look(WHO)[1:], (5, 2, 7, 1),
                  "frames that do not fit are dropped, and counted [CAP-DEV-LQ-3]")
        give(stage, 3 * ONE)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [4, 5],
                  "another is given: the full one is used [CAP-DEV-LQ-5]")
        receive(stage, 8)
        give(stage, 3 * ONE)
        receive(stage, 9, 10)
        tap.equal(take(stage), [8, 9, 10], "and capture goes on in the other")
        tap.equal(stage.cap.look(WHO)[1:], (8, 2, 10, 3), "all counts")


def last_goes_on(tap):
    """The last buffer is filled until nothing fits any more."""
    with stage_of(ONE, 2 * ONE + 56) as stage:
        receive(stage, 1, 2)
        tap.equal(take(stage), [1], "the first is used")
        receive(stage, 3, size=200)
        receive(stage, 4)
        receive(stage, 5)
        receive(stage, 6, size=18)
        tap.equal(stage.cap.look(WHO)[1:3], (4, 2),
                  "a long frame is dropped, a short one still fits [CAP-DEV-LQ-3]")
        give(stage, ONE)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2, 4, 6],
                  "in the same buffer")


def does_not_fit(tap):
    """A frame that does not fit into the rest."""
    with stage_of(2 * ONE, 2 * ONE, 2 * ONE) as stage:
        receive(stage, 1)
        receive(stage, 2, size=100)
        tap.equal(take(stage), [1],
                  "another buffer is there: used early [CAP-DEV-LQ-3]")
        receive(stage, 3, size=1500)
        found = stage.cap.take(WHO)
        tap.equal(numbers(found), [2], "too long for any: used early, too")
        receive(stage, 4, size=1500)
        tap.equal((take(stage), stage.cap.look(WHO)[1:3]), (None, (3, 1)),
                  "the whole of the last is cut to, never its rest")
        give(stage, ONE)
        found = records(wait_for(lambda: stage.cap.take(WHO), "buffer"))
        tap.equal([(r.caplen, r.datalen) for r in found],
                  [(2 * ONE - 32, 1500)], "it was cut to a whole buffer")


def immediate(tap):
    """No delay: at once, but for the last buffer."""
    with stage_of(4096, 4096, delay=0) as stage:
        receive(stage, 1)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1], "at once")
        receive(stage, 2)
        receive(stage, 3)
        for _ in range(5):
            stage.cap.look(WHO)
        tap.equal(take(stage), None, "the last buffer is kept")
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2, 3],
                  "until another is given [CAP-DEV-LQ-5]")
        give(stage, 4096)
        stage.cap.look(WHO)
        tap.equal(take(stage), None, "an empty one is not used")
        receive(stage, 4)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [4],
                  "and the next frame comes at once")


def aged(tap):
    """A delay: the same, after that time."""
    with stage_of(4096, 4096, delay=1000) as stage:
        receive(stage, 1)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1], "in time")
        receive(stage, 2)
        start = stage.cap.clock().clock
        while stage.cap.clock().clock < start + 100 * 10 ** 6:
            pass
        receive(stage, 3)
        tap.equal(take(stage), None,
                  "the last buffer is kept for any time [CAP-DEV-LQ-4]")
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2, 3],
                  "until another is given [CAP-DEV-LQ-5]")


def nearly_full(tap):
    """Bytes are left, but too few for any record."""
    with stage_of(ONE + 24, 4096) as stage:
        receive(stage, 1)
        stage.cap.look(WHO)
        tap.equal(take(stage), None,
                  "24 bytes left: it is not full [CAP-DEV-LQ-9]")
        receive(stage, 2)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "24 bytes left: the next record has it used [CAP-DEV-LQ-9]")


def changed(tap):
    """LISTEN with another delay, while the last buffer is kept."""
    with stage_of(4096, delay=0) as stage:
        receive(stage, 1)
        for _ in range(5):
            stage.cap.look(WHO)
        stage.cap.listen(delay=NONE, listener=WHO)
        give(stage, 4096)
        stage.cap.look(WHO)
        tap.equal(take(stage), None, "no delay any more: nothing is due")
        stage.cap.listen(delay=0, listener=WHO)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "a delay of 0: it is")
    with stage_of(ONE, delay=0) as stage:
        receive(stage, 1)
        stage.cap.listen(delay=NONE, listener=WHO)
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [1],
                  "a full one is due whatever the delay [CAP-DEV-LQ-5]")


def flush(tap):
    """FLUSH: used, kept, discarded."""
    with stage_of(4096, 4096) as stage:
        cap = stage.cap
        receive(stage, 1, 2)
        tap.equal(cap.look(WHO)[1:], (2, 0, 2, 0), "KEEP: exact counts")
        tap.equal(take(stage), None,
                  "KEEP: the buffer goes on [CAP-DEV-FLS-4]")
        tap.equal(cap.flush(WHO)[1:], (2, 0, 2, 1),
                  "counted as used [CAP-DEV-FLS-6]")
        tap.equal(take(stage), [1, 2], "FLUSH: it is used")
        receive(stage, 3)
        tap.equal(cap.flush(WHO)[1:], (3, 0, 3, 1), "the last buffer")
        tap.equal(take(stage), None,
                  "FLUSH: the last one is kept [CAP-DEV-LQ-4]")
        give(stage, 4096)
        cap.look(WHO)
        tap.equal(take(stage), None, "and not due when another is given")
        tap.equal(cap.flush(WHO, DISCARD)[1:], (3, 0, 3, 1),
                  "DISCARD: the counts stay [CAP-DEV-FLS-4]")
        receive(stage, 4)
        cap.flush(WHO)
        tap.equal(take(stage), [4],
                  "DISCARD: it begins again at its start [CAP-DEV-FLS-4]")
        tap.equal(cap.flush(WHO, DISCARD)[1:], (4, 0, 4, 2),
                  "DISCARD without a buffer in progress")
        receive(stage, 5)
        cap.flush(0)
        cap.flush(2)
        tap.equal(take(stage), None, "FLUSH of other listeners: not of this")
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
    """The flags count for listener 0, too."""
    with stage_of() as stage:
        cap = stage.cap
        cap.post(4096)
        cap.listen(delay=NONE)
        receive(stage, 1)
        cap.look(0)
        tap.equal(cap.take(), None, "listener 0: KEEP")
        cap.flush(0, DISCARD)
        receive(stage, 2)
        tap.equal(cap.flush(0)[1:], (2, 0, 2, 1), "listener 0: counts")
        tap.equal(numbers(cap.take()), [2], "listener 0: its last is used")


def programs(tap):
    """FILTER with the number of a listener."""
    with stage_of(2 * ONE, 4096) as stage:
        receive(stage, 1, 2, 3)
        status, counters = stage.cap.filter(bpf.compiled("ether[17] & 1 = 1"),
                                            spec.FILTER_DISCARD,
                                            listener=WHO)
        tap.equal((status, counters[1:]), (0, (3, 0, 3, 1)),
                  "one buffer was used before the program")
        receive(stage, 4, 5, 6, 7)
        give(stage, 4096)
        stage.cap.flush(WHO)
        tap.equal((take(stage), take(stage)), ([1, 2], [5, 7]),
                  "the frames of that, and those that the program accepts")
        for name, listener in (("listener 5", 5), ("2^32-1", 0xffffffff)):
            tap.equal(stage.cap.filter(bpf.ACCEPT, listener=listener)[0],
                      spec.E_INVALID, f"FILTER, {name}: refused")


def given_back(tap):
    """LISTEN with a snaplen of 0: all buffers return."""
    with stage_of(4096, 4096, 4096) as stage:
        cap = stage.cap
        receive(stage, 1, 2)
        tap.equal(cap.listen(0, listener=WHO), spec.E_OK, "LISTEN")
        queue = cap.queue_of(WHO)
        used = [queue.take() for _ in range(4)]
        tap.equal([one and one[1] for one in used], [2 * ONE, 0, 0, None],
                  "all are used, those without records with a length of 0 [CAP-DEV-LQ-6]")
        tap.ok(not cap.tap_exists(), "nobody listens: the tap is gone")
        tap.equal(cap.flush(WHO)[1:], (2, 0, 2, 3), "used counts them all")
        receive(stage, 3)
        cap.post(4096, listener=WHO)
        tap.equal(cap.listen(delay=NONE, listener=WHO), spec.E_OK, "again")
        receive(stage, 4)
        cap.listen(0, listener=WHO)
        tap.equal(numbers(cap.take(WHO)), [4], "it begins as before")
        stage.machine.qmp("netdev_del", id="n0")
        cap.post(4096, listener=WHO)
        tap.equal(cap.listen(delay=NONE, listener=WHO), spec.E_GONE,
                  "without a netdev: gone")
        tap.equal(cap.listen(0, listener=WHO), spec.E_OK, "to stop is not")
        tap.equal(cap.take(WHO), b"", "and brings the buffer")


def stopped(tap):
    """The machine stops: even the last buffer is used."""
    with stage_of(4096, delay=0) as stage:
        receive(stage, 1)
        stage.machine.qmp("stop")
        tap.equal(take(stage), [1],
                  "the buffer is there when it has stopped [CAP-DEV-MIG-1]")
        stage.machine.qmp("cont")
        stage.cap.post(4096, listener=WHO)
        receive(stage, 2)
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [2],
                  "and capture goes on")
        receive(stage, 3)
        stage.cap.flush(WHO, DISCARD)
        stage.machine.qmp("stop")
        tap.equal(take(stage), None, "one that was discarded is none")
        stage.machine.qmp("cont")
        receive(stage, 4)
        give(stage, 4096)
        tap.equal(wait_for(lambda: take(stage), "buffer"), [4],
                  "and is still there afterwards")


def many_parts(tap):
    """A buffer of 1024 pages, by an indirect table longer than the queue."""
    features = FEATURES + (28,)         # VIRTIO_F_INDIRECT_DESC
    with Stage(buffers=0, features=features,
               capture_args=",listener-queues=4") as stage:
        machine, queue = stage.machine, stage.cap.queue_of(WHO)
        parts, size = 1024, 40
        where = machine.allocate(parts * 64)
        table = machine.allocate(parts * 16)
        # Backwards, and with gaps between them.
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
                  f"{length} bytes in parts of {size}")


def bare(tap):
    """A record says nothing but what a program reads."""
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
                  [0, spec.R_SENT, spec.R_OTHERHOST], "flags for listener 0")
        tap.equal(cap.look(WHO)[1:3], (4, 1), "a frame is dropped")
        cap.listen(0, listener=WHO)
        found = cap.take_records(WHO)
        tap.equal([(r.flags, r.dropped, r.hdrlen) for r in found],
                  [(0, 0, 32)] * 4, "flags and dropped are zero [CAP-DEV-LQ-8]")


def units(tap):
    """Each listener's unit of times, which its records do not tell."""
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
                   and record.flags == 0, f"in units of {unit} ns [CAP-DEV-LQ-8]",
                   low, time, high)


def flags_of_others(tap):
    """What one listener wants is not for another."""
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
                  "each counts for itself [CAP-DEV-LQ-1]")
        cap.listen(0, listener=1)
        cap.listen(0, listener=WHO)
        tap.ok(cap.tap_exists(), "listener 0 is left")
        cap.listen(0)
        tap.ok(not cap.tap_exists(),
               "nobody is left: the tap is gone [CAP-DEV-LQ-7]")
        tap.equal([[r.data for r in cap.take_records(n)] for n in (0, 1, WHO)],
                  [[frame(1)[:30], frame(2)[:30]], [frame(1)[:20]], [frame(2)]],
                  "directions and snapshot lengths are their own")


main = Tap()
main.run(rotation, last_goes_on, does_not_fit, immediate, aged, nearly_full, changed, flush,
         shared_flush, programs, given_back, stopped, many_parts, bare, units,
         flags_of_others)
sys.exit(main.done())
