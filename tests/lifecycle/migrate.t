#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine is saved and restored, or migrates to another QEMU, during a stream of
numbered frames: a reader sees every number once and in order, except those that
crossed the tap while the machine was stopped."""
import itertools
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from capture import frame  # noqa: E402
from lifecycle import Descriptor, dgram_guest, numbers  # noqa: E402
from tap import Tap  # noqa: E402
from waiting import wait_for  # noqa: E402

# The number of frames that are queued while QEMU does not read: those in the
# socket's queue (net.unix.max_dgram_qlen), one before it and one behind it.
QUEUED = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 3

# Not a multiple of 64 pages: QEMU before 9.0 does not notify TCG if it looks for
# changed pages 64 at a time. TCG then does not mark the next changes, and the guest
# arrives with stale memory, and crashes.
MEMORY = "262152K"

# The number of the frame that ends a reader.
END = 1 << 20

# Whether the device fills the buffers, or the driver.
DEVICE_FILLS = True


class Stream:
    """Numbered frames, one by one, to one link and later another."""

    def __init__(self, end):
        self.end = end
        self.ended = False
        self.sent = 0           # the next number
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        for number in itertools.count():
            while True:
                try:
                    self.end.send(frame(number))
                    break
                except (OSError, TimeoutError):
                    if self.ended:
                        return
            self.sent = number + 1
            if self.ended:
                return
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it; returns the number of the last frame."""
        self.ended = True
        self.thread.join()
        return self.sent - 1

    def wait(self, count):
        """Waits for a number of further frames."""
        goal = self.sent + count
        wait_for(lambda: self.sent > goal, f"{count} frames")


def judge(tap, what, seen, last, stats, stops):
    """Checks what a reader saw of a stream that ended with the frame last, while
    the machine was stopped so many times."""
    missing = sorted(set(range(last + 1)) - set(seen))
    gaps = [n for n in missing if n - 1 not in missing]
    tap.equal(seen, sorted(set(seen)),
              f"{what}: no frame is captured twice, all are in order")
    tap.equal(seen[-1], last, f"{what}: capture goes on to the end")
    # A device that fills the buffers uses the buffer in progress when it stops. If
    # the reader still has the other buffer, the device has none: frames are dropped
    # and counted until the reader is done. If the reader is slow with the next
    # buffer, this can happen again.
    received, dropped, captured = stats
    counted = dropped * DEVICE_FILLS
    tap.ok(len(gaps) <= stops + counted and
           len(missing) <= QUEUED * stops + counted,
           f"{what}: only frames of the stop and counted drops are missing",
           missing, stats)
    # The frame that ended the reader is counted, too. So are, as on the BSDs, frames
    # without space in a buffer, if they passed the filter.
    tap.ok(len(seen) + 1 == captured - dropped * DEVICE_FILLS,
           f"{what}: BIOCGSTATS counts the captured frames", stats, len(seen))
    tap.ok(received == captured + dropped * (not DEVICE_FILLS) and
           dropped <= len(missing),
           f"{what}: BIOCGSTATS counts no frame twice", stats, missing)


def job(guest, command, **arguments):
    """Runs a QMP command that works in the background, and waits for its end."""
    guest.qmp(command, job_id="job", **arguments)

    def concluded():
        return guest.qmp("query-jobs")[0]["status"] == "concluded"
    wait_for(concluded, command)
    error = guest.qmp("query-jobs")[0].get("error")
    guest.qmp("job-dismiss", id="job")
    assert not error, f"{command}: {error}"


def add_disk(guest):
    """Adds a disk that only holds the machine's state."""
    path = str(guest.folder / "disk")
    job(guest, "blockdev-create",
        options={"driver": "file", "filename": path, "size": 0})
    guest.qmp("blockdev-add", driver="file", node_name="file", filename=path)
    job(guest, "blockdev-create",
        options={"driver": "qcow2", "file": "file", "size": 1 << 20})
    guest.qmp("blockdev-add", driver="qcow2", node_name="disk", file="file")


def receiver(guest):
    """A descriptor for received frames, with enough buffers for a guest that is
    slow while its memory is copied."""
    guest.shell("rmmod virtio_capture && modprobe virtio_capture buffers=256 "
                f"offload={int(DEVICE_FILLS)}")
    return Descriptor(guest, "eth0", immediate=True, seesent=False)


def end_of_stream(one, reading, end, number=END):
    """Ends a reader with a last frame; returns the frames that it saw before."""
    end.send(frame(number))
    error, text = one.guest.result(reading)
    assert error == "0", error
    seen = numbers(text)
    assert seen.pop() == number
    return seen


def saved(tap):
    """Saves and restores the machine during a stream."""
    guest, end = dgram_guest("--memory", "256M")
    with guest:
        guest.ready()
        add_disk(guest)
        one = receiver(guest)
        reading = one.begin("drain", END)
        with Stream(end) as stream:
            stream.wait(100)
            job(guest, "snapshot-save", tag="one", vmstate="disk",
                devices=["disk"])
            stream.wait(100)
        seen = end_of_stream(one, reading, end)
        stats = one.stats()
        judge(tap, "saved", seen, stream.sent - 1, stats, 1)

        # The same state again: its reader has not answered yet.
        job(guest, "snapshot-load", tag="one", vmstate="disk",
            devices=["disk"])
        past = one.stats()
        tap.ok(past[0] < stats[0],
               "state loaded: the counts are those from before it was saved",
               past, stats)
        end.send(*[frame(END - 50 + i) for i in range(50)])
        seen = end_of_stream(one, reading, end, END + 1)
        tap.equal(seen[-50:], list(range(END - 50, END)),
                  "state loaded: frames sent since are captured in order")
        tap.equal(seen[:-50], list(range(len(seen) - 50)),
                  "state loaded: frames from before it was saved are there")
        tap.equal(one.stats()[2], past[2] + 51,
                  "state loaded: the counts go on")
        guest.end(tap)


def machines():
    """Two QEMUs for one guest, which starts in the first and moves to the second."""
    found = []
    for words in ([], ["--qemu-arg", "-incoming", "--qemu-arg", "defer"]):
        guest, end = dgram_guest("--memory", MEMORY, *words)
        found += [guest, end]
    return found


def moved(tap):
    """Live migration while a stream goes on."""
    source, end, target, new_end = machines()
    with source, target:
        source.ready()
        taint = source.shell("cat /proc/sys/kernel/tainted")
        one = receiver(source)
        waiting = Descriptor(source, "eth0", ethertype="9999")
        waiting = waiting.begin_blocked("read")
        reading = one.begin("drain", END)
        uri = f"unix:{target.folder}/migration"
        target.qmp("migrate-incoming", uri=uri)
        with Stream(end) as stream:
            stream.wait(100)
            source.qmp("migrate-set-parameters", max_bandwidth=1 << 30)
            source.qmp("migrate", uri=uri)
            wait_for(lambda: source.qmp("query-migrate")["status"] ==
                     "completed", "migration")
            wait_for(lambda: target.qmp("query-status")["running"], "target")
            stream.end = new_end
            source.qmp("quit")
            target.take_over(source)
            one.guest = target
            stream.wait(100)
        seen = end_of_stream(one, reading, new_end)
        judge(tap, "moved", seen, stream.sent - 1, one.stats(), 1)
        tap.ok("waiting" in target.shell("cat /proc/net/bpf"),
               "moved: a blocked reader is still blocked")
        one.call("write", 7, 1, 60)
        sent = new_end.receive()
        while sent[12:14] != b"\x88\xb5":
            sent = new_end.receive()
        tap.equal(sent[14:18], bytes([0, 0, 0, 7]),
                  "moved: write sends a frame")
        tap.equal(target.shell("cat /proc/sys/kernel/tainted"), taint,
                  "moved: the guest's kernel is not tainted by it")


TAP = Tap()
for DEVICE_FILLS in True, False:
    TAP.note(f"device fills buffers: {DEVICE_FILLS}")
    TAP.run(saved, moved)
sys.exit(TAP.done())
