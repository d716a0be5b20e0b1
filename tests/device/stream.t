#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
A saved state is input: each field of the device's is made wrong on purpose. QEMU
refuses the state with an error, or goes on and can use the device after a reset.
The device runs under ASan and UBSan.
"""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import qtest  # noqa: E402
import sanitizer  # noqa: E402
from capture import frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

SNAPLEN, FLAGS, DELAY = 0x0badcafe, spec.L_ALL, 0x0defaced
OWN = struct.pack(">III", SNAPLEN, FLAGS, DELAY)

# All of the configuration space: the last part is the NIC's place on PCI.
CONFIG_LEN = spec.CONFIG_BASE + 4

# What virtio_save() writes before the device's own fields, and how much of it is
# for each queue.
BEFORE = (("config_vector", "H"), ("status", "B"), ("isr", "B"),
          ("queue_sel", "H"), ("features", "I"), ("config_len", "I"),
          ("config", f"{CONFIG_LEN}s"), ("queues", "I"))
QUEUE = (("size", "I"), ("desc", "Q"), ("last_avail", "H"),
         ("vector", "H"))
AFTER = (("snaplen", "I"), ("listen_flags", "I"), ("delay", "I"),
         ("clock_offset", "Q"), ("captured", "Q"), ("dropped", "Q"))

MANY = {"B": (0, 0x7f, 0xff), "H": (0, 0x8000, 0xffff),
        "I": (0, 1, 0xffffffff), "Q": (0, 1 << 63, (1 << 64) - 16)}


class State:
    """The bytes of a saved state, and where the fields are in it."""

    def __init__(self, data):
        self.data = data
        self.fields = {}
        self.own = data.index(OWN)
        names = list(BEFORE)
        for i in range(spec.NUM_VQS):
            names += [(f"queue {i} {name}", code) for name, code in QUEUE]
        names += AFTER
        size = sum(struct.calcsize(">" + code) for _, code in
                   names[:-len(AFTER)])
        offset = self.own - size
        for name, code in names:
            self.fields[name] = offset, code
            offset += struct.calcsize(">" + code)
        self.subsections(offset)

    def subsections(self, start):
        """Those of virtio, each behind its name and version."""
        for name, field, code in (
                ("virtio/64bit_features", "features, all", "Q"),
                ("virtio/virtqueues", "queue 0 avail", "Q")):
            offset = self.data.index(name.encode(), start) + len(name) + 4
            self.fields[field] = offset, code
        self.fields["queue 0 used"] = offset + 8, "Q"

    def get(self, name):
        """The value of a field."""
        offset, code = self.fields[name]
        return struct.unpack_from(">" + code, self.data, offset)[0]

    def put(self, **values):
        """A state with other values."""
        changed = bytearray(self.data)
        for name, value in values.items():
            offset, code = self.fields[name.replace("__", " ")]
            struct.pack_into(">" + code, changed, offset, value)
        return bytes(changed)


def save(stage):
    """The state of a machine that captures."""
    file = qtest.scratch() / "state"
    stage.machine.qmp("migrate", uri=f"exec:cat >{file}")
    qtest.wait_for(lambda: stage.machine.qmp("query-migrate").get("status")
                   == "completed", "migration")
    return State(file.read_bytes())


def load(stage, data, check):
    """
    Has another QEMU read a state, and calls check(target) if it goes on. Gives
    its exit status and what it said.
    """
    file = qtest.scratch() / "state"
    file.write_bytes(data)
    target = Stage("-incoming", "defer", adopt=stage, plugin=sanitizer.PLUGIN)
    machine = target.machine
    machine.qmp("migrate-incoming", uri=f"exec:cat {file}")
    try:
        qtest.wait_for(lambda: machine.qmp("query-status")["running"],
                       "arrival")
        check(target)
    except (EOFError, OSError):
        pass                    # it has ended
    status = machine.close()
    return status, (machine.folder / "log").read_text(errors="replace")


def used(target):
    """Frames, notifications and a stop, then a reset and a new driver."""
    for queue in target.cap.queues:
        queue.kick()
    target.receive(frame(1))
    target.nic.send(frame(2))
    while target.link.receive() != frame(2):
        pass                    # QEMU announces the NIC
    target.machine.qmp("stop")
    target.machine.qmp("cont")
    target.cap.start()
    target.cap.post(4096)
    target.cap.listen()
    target.receive(frame(3))
    target.cap.flush()
    assert frame(3) in [r.data for r in target.cap.take_records()]


def layout(tap, stage, state):
    """The fields are where the test takes them to be."""
    tap.equal([state.get(name) for name in
               ("status", "config_len", "queues", "queue 1 size",
                "queue 2 desc", "queue 0 avail", "queue 0 used",
                "features, all", "delay")],
              [15, CONFIG_LEN, spec.NUM_VQS, stage.cap.queues[1].size,
               stage.cap.queues[2].desc, stage.cap.captures.avail,
               stage.cap.captures.used, 1 << 32, DELAY],
              "the fields are where they are looked for")


def refused(tap, stage, state):
    """What is never a state of a device: an error that says so."""
    cut = state.own - 16 * spec.NUM_VQS - 4
    more = (state.data[:cut] + struct.pack(">I", spec.NUM_VQS + 1)
            + state.data[cut + 4:state.own]
            + struct.pack(">IQHH", 256, 1 << 20, 0, 0xffff)
            + state.data[state.own:])
    for name, data, error in (
            ("an unknown flag", state.put(listen_flags=0x10),
             "unknown listen_flags 0x10"),
            ("all flags", state.put(listen_flags=0xffffffff),
             "unknown listen_flags 0xffffffff"),
            ("a listener without a driver", state.put(status=11),
             f"snaplen is {SNAPLEN}, but no driver has set DRIVER_OK"),
            ("a queue of size 0", state.put(queue__0__size=0),
             "queue 0 has a size of 0"),
            ("a queue of size 1025", state.put(queue__1__size=1025),
             "queue 1 has a size of 1025"),
            ("a queue of size 2^32-1", state.put(queue__2__size=0xffffffff),
             "queue 2 has a size of 4294967295"),
            ("another queue", more,
             "queue 3, which does not exist, is set up"),
            ("too many queues", state.put(queues=1025),
             "Invalid number of virtqueues: 0x401"),
            ("a feature that is not offered",
             state.put(**{"features, all": 1 << 32 | 1 << 50}),
             "unsupported. Allowed features"),
            ("a vector that there is not", state.put(config_vector=77),
             "Failed to load virtio-capture"),
            ("a state cut short", state.data[:state.own + 6], "")):
        status, said = load(stage, data, lambda target: None)
        tap.ok(status == 1 and error in said
               and not sanitizer.complaint(said),
               f"{name} is refused", status, said[-3000:])


def packed(tap):
    """Ring indices beyond a packed ring."""
    with Stage(capture_args=",packed=on") as stage:
        cap = stage.cap
        cap.set("status", 0)
        cap.set("status", 3)
        for half, bits in ((0, 0), (1, 1 | 1 << 34 - 32)):
            cap.set("driver_select", half)
            cap.set("driver_feature", bits)
        cap.set("status", 11)
        for queue in cap.queues:
            queue._enable()
        cap.set("status", 15)
        file = qtest.scratch() / "state"
        stage.machine.qmp("migrate", uri=f"exec:cat >{file}")
        qtest.wait_for(lambda: stage.machine.qmp("query-migrate")
                       .get("status") == "completed", "migration")
        data = bytearray(file.read_bytes())
        name = b"virtio/packed_virtqueues"
        at = data.index(name) + len(name) + 4
        for index in (cap.queues[0].size, 0x7fff):
            struct.pack_into(">H", data, at, index)
            file.write_bytes(data)
            target = Stage("-incoming", "defer", adopt=stage,
                           capture_args=",packed=on", plugin=sanitizer.PLUGIN)
            target.machine.qmp("migrate-incoming", uri=f"exec:cat {file}")
            status = target.machine.process.wait(qtest.PATIENCE)
            tap.ok(status == 1 and "bad saved state: queue 0 of" in
                   target.machine.output(), f"index {index} is refused",
                   status, target.machine.output())


def harmless(tap, stage, state):
    """
    Each field with extreme values. Those that a driver may set are believed:
    capture goes on.
    """
    free = {"snaplen", "delay", "clock_offset", "captured", "dropped"}
    for name, (_, code) in state.fields.items():
        if name[:7] in ("queue 1", "queue 2"):
            continue            # they are like the first
        for value in MANY.get(code, ()):
            # QEMU skips so many bytes of a state that has ended; no more.
            if name == "config_len" and value >= 0x80000000:
                continue
            status, said = load(stage, state.put(**{name: value}), used)
            fine = status == 0 or (status == 1 and name not in free
                                   and "load of migration failed" in said)
            tap.ok(fine and not sanitizer.complaint(said),
                   f"{name} {value:#x}: "
                   + ("goes on" if status == 0 else "refused"),
                   status, said[-3000:])


def check(tap):
    """All of it, from one saved state."""
    complaints = sanitizer.build()
    if not tap.ok(not complaints, "the device is built with sanitizers",
                  complaints):
        return
    sanitizer.preload()
    with Stage(plugin=sanitizer.PLUGIN) as stage:
        stage.cap.listen(SNAPLEN, FLAGS, DELAY)
        state = save(stage)
        for part in (layout, refused, harmless):
            part(tap, stage, state)
    packed(tap)


main = Tap()
main.run(check)
sys.exit(main.done())
