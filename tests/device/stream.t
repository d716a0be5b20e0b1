#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
A saved state is untrusted input: the test changes each field of the device's. QEMU
refuses the state with an error, or runs, and the device works after a reset. The
device runs under ASan and UBSan.
"""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import folders  # noqa: E402
import sanitizer  # noqa: E402
import virtio_pci  # noqa: E402
import waiting  # noqa: E402
from capture import frame, spec  # noqa: E402
from stage import Stage  # noqa: E402
from tap import Tap  # noqa: E402

SNAPLEN, FLAGS, DELAY = 0x0badcafe, spec.L_ALL, 0x0defaced
OWN = struct.pack(">III", SNAPLEN, FLAGS, DELAY)

# The properties, and constants that depend on them.
OWN_QUEUES = 2
CAPTURE_ARGS = f",listener-queues={OWN_QUEUES}"
QUEUES = spec.NUM_VQS + OWN_QUEUES
CONFIG_LEN = spec.CONFIG_PCI + 4
FEATURES = (virtio_pci.F_VERSION_1, spec.F_FILTER, spec.F_LISTENER_QUEUES)
BITS = sum(1 << bit for bit in FEATURES)

# The fields that virtio_save() writes before the device's own, and for each queue.
BEFORE = (("config_vector", "H"), ("status", "B"), ("isr", "B"),
          ("queue_sel", "H"), ("features", "I"), ("config_len", "I"),
          ("config", f"{CONFIG_LEN}s"), ("queues", "I"))
QUEUE = (("size", "I"), ("desc", "Q"), ("last_avail", "H"),
         ("vector", "H"))
AFTER = (("snaplen", "I"), ("listen_flags", "I"), ("delay", "I"),
         ("clock_offset", "Q"), ("captured", "Q"), ("dropped", "Q"))

# The fields of subsections, behind their names and versions: those of listener 0,
# and of each other listener. A program has three instructions.
PROGRAM = [(0x28, 0, 0, 12), (0x15, 0, 0, 0x806), (6, 0, 0, 0xffffffff)]
INSNS = tuple((f"{part} {i}", code) for i in range(len(PROGRAM))
              for part, code in (("code", "H"), ("jt", "B"), ("jf", "B"),
                                 ("k", "I")))
FILTERED = (("seen", "Q"), ("used", "Q"), ("count", "I"))
LISTENER = (("snaplen", "I"), ("flags", "I"), ("delay", "I"),
            ("captured", "Q"), ("dropped", "Q"), *FILTERED)

MANY = {"B": (0, 0x7f, 0xff), "H": (0, 0x8000, 0xffff),
        "I": (0, 1, 0xffffffff), "Q": (0, 1 << 63, (1 << 64) - 16)}


class State:
    """The bytes of a saved state, and the offsets of its fields."""

    def __init__(self, data):
        self.data = data
        self.fields = {}
        self.own = data.index(OWN)
        names = list(BEFORE)
        for i in range(QUEUES):
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
        """Finds the subsections of virtio, each behind its name and version."""
        for name, field, code in (
                ("virtio/64bit_features", "features, all", "Q"),
                ("virtio/virtqueues", "queue 0 avail", "Q")):
            offset = self.data.index(name.encode(), start) + len(name) + 4
            self.fields[field] = offset, code
        self.fields["queue 0 used"] = offset + 8, "Q"
        self.listeners()

    def listeners(self):
        """Finds the subsections with programs, and with listeners."""
        name = b"virtio-capture-device/filter"
        offset = self.data.index(name) + len(name) + 4
        self.place("shared", FILTERED + INSNS, offset)
        name = b"virtio-capture-device/listeners"
        offset = self.data.index(name) + len(name) + 4
        for i in range(1, OWN_QUEUES + 2):
            offset = self.place(f"own {i}", LISTENER + (
                INSNS if i == OWN_QUEUES else ()), offset)

    def place(self, prefix, names, offset):
        """Adds consecutive fields; returns the end offset."""
        for name, code in names:
            self.fields[f"{prefix} {name}"] = offset, code
            offset += struct.calcsize(">" + code)
        return offset

    def get(self, name):
        """Returns the value of a field."""
        offset, code = self.fields[name]
        return struct.unpack_from(">" + code, self.data, offset)[0]

    def put(self, **values):
        """Returns the state with other values."""
        changed = bytearray(self.data)
        for name, value in values.items():
            offset, code = self.fields[name.replace("__", " ")]
            struct.pack_into(">" + code, changed, offset, value)
        return bytes(changed)


def save(stage):
    """Returns the state of a machine that captures."""
    file = folders.scratch() / "state"
    stage.machine.qmp("migrate", uri=f"exec:cat >{file}")
    waiting.wait_for(lambda: stage.machine.qmp("query-migrate").get("status")
                     == "completed", "migration")
    return State(file.read_bytes())


def load(stage, data, check):
    """
    Has another QEMU load a state, and calls check(target) if it runs. Returns its
    exit status and output.
    """
    file = folders.scratch() / "state"
    file.write_bytes(data)
    target = Stage("-incoming", "defer", adopt=stage, plugin=sanitizer.PLUGIN,
                   capture_args=CAPTURE_ARGS)
    machine = target.machine
    machine.qmp("migrate-incoming", uri=f"exec:cat {file}")
    try:
        waiting.wait_for(lambda: machine.qmp("query-status")["running"],
                         "arrival")
        check(target)
    except (EOFError, OSError):
        pass                    # QEMU has exited
    status = machine.close()
    return status, (machine.folder / "log").read_text(errors="replace")


def used(target):
    """Uses the device: notifications, frames and a stop, a reset and a new driver."""
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
    """The fields are at the offsets that the test uses."""
    tap.equal([state.get(name) for name in
               ("status", "config_len", "queues", "queue 1 size",
                "queue 2 desc", "queue 0 avail", "queue 0 used",
                "features, all", "delay", "shared count", "shared k 1",
                "own 1 snaplen", "own 2 snaplen", "own 2 k 1")],
              [15, CONFIG_LEN, QUEUES, stage.cap.queues[1].size,
               stage.cap.queues[2].desc, stage.cap.captures.avail,
               stage.cap.captures.used, BITS, DELAY, 3, 0x806, 0,
               SNAPLEN + 1, 0x806],
              "the fields are where they are looked for")


def refused(tap, stage, state):
    """States that are invalid for any device are refused with an error."""
    cut = state.own - 16 * QUEUES - 4
    more = (state.data[:cut] + struct.pack(">I", QUEUES + 1)
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
             "queue 0 has the invalid size 0"),
            ("a queue of size 1025", state.put(queue__1__size=1025),
             "queue 1 has the invalid size 1025"),
            ("a queue of size 2^32-1", state.put(queue__2__size=0xffffffff),
             "queue 2 has the invalid size 4294967295"),
            ("another queue", more,
             f"queue {QUEUES} is set up, but does not exist"),
            ("too many queues", state.put(queues=1025),
             "Invalid number of virtqueues: 0x401"),
            ("a feature that is not offered",
             state.put(**{"features, all": BITS | 1 << 50}),
             "unsupported. Allowed features"),
            ("a vector that there is not", state.put(config_vector=77),
             "Failed to load virtio-capture"),
            ("a program too long", state.put(shared__count=513),
             "a program has 0 to 512 instructions"),
            ("a program of negative length",
             state.put(**{"own 2 count": 0xffffffff}),
             "a program has 0 to 512 instructions"),
            ("a program that is none", state.put(**{"shared jt 1": 2}),
             "the program of listener 0 is not valid"),
            ("another's, that is none", state.put(**{"own 2 code 2": 0}),
             "the program of listener 2 is not valid"),
            ("another's unknown flag", state.put(**{"own 1 flags": 0x10}),
             "unknown listen_flags 0x10"),
            ("a listener that does not exist",
             state.put(**{"own 3 snaplen": 1}),
             "listener 3 is active, but has no queue"),
            ("a listener whose queue is not set up",
             state.put(**{f"queue {QUEUES - 1} desc": 0}),
             "listener 2 is active, but has no queue"),
            ("listeners without the feature",
             state.put(**{"features, all": BITS & ~(
                 1 << spec.F_LISTENER_QUEUES)}),
             "listener 2 needs a feature that was not negotiated"),
            ("programs without the feature",
             state.put(**{"features, all": BITS & ~(1 << spec.F_FILTER)}),
             "listener 0 needs a feature that was not negotiated"),
            ("a state cut short", state.data[:state.own + 6], "")):
        status, said = load(stage, data, lambda target: None)
        tap.ok(status == 1 and error in said
               and not sanitizer.complaint(said),
               f"{name} is refused [CAP-DEV-MIG-3]", status, said[-3000:])


def packed(tap):
    """Ring indices outside of a packed ring."""
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
        file = folders.scratch() / "state"
        stage.machine.qmp("migrate", uri=f"exec:cat >{file}")
        waiting.wait_for(lambda: stage.machine.qmp("query-migrate")
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
            status = target.machine.process.wait(waiting.PATIENCE)
            tap.ok(status == 1 and "bad saved state: queue 0 of" in
                   target.machine.output(), f"index {index} is refused [CAP-DEV-MIG-3]",
                   status, target.machine.output())


def harmless(tap, stage, state):
    """
    Each field with extreme values. Any value is accepted that a driver may set: QEMU
    runs.
    """
    free = {"snaplen", "delay", "clock_offset", "captured", "dropped",
            "shared seen", "shared used", "own 2 snaplen", "own 2 delay",
            "own 2 captured", "own 2 dropped", "own 2 seen", "own 2 used"}
    for name, (_, code) in state.fields.items():
        if name.startswith(("queue ", "own ")) and \
                not name.startswith(("queue 0", "own 2")) or \
                name.endswith((" 1", " 2")):
            continue            # another field like these is tested
        for value in MANY.get(code, ()):
            # QEMU would try to skip that many bytes, beyond the end of the state.
            if name == "config_len" and value >= 0x80000000:
                continue
            status, said = load(stage, state.put(**{name: value}), used)
            fine = status == 0 or (status == 1 and name not in free
                                   and "load of migration failed" in said)
            outcome = "goes on" if status == 0 else "refused"
            tap.ok(fine and not sanitizer.complaint(said),
                   f"{name} {value:#x}: {outcome} [CAP-DEV-MIG-3]",
                   status, said[-3000:])


def check(tap):
    """Runs all tests with one saved state."""
    complaints = sanitizer.build()
    if not tap.ok(not complaints, "the device is built with sanitizers",
                  complaints):
        return
    sanitizer.preload()
    with Stage(plugin=sanitizer.PLUGIN, capture_args=CAPTURE_ARGS,
               features=FEATURES) as stage:
        cap = stage.cap
        cap.listen(SNAPLEN, FLAGS, DELAY)
        cap.filter(PROGRAM)
        cap.listen(SNAPLEN + 1, FLAGS, DELAY, OWN_QUEUES)
        cap.filter(PROGRAM, listener=OWN_QUEUES)
        state = save(stage)
        for part in (layout, refused, harmless):
            part(tap, stage, state)
    packed(tap)


main = Tap()
main.run(check)
sys.exit(main.done())
