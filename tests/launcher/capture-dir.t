#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --capture-dir has all frames, whatever ends the guest."""
import os
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
import pcapng  # noqa: E402
from guest import TOP, VM, vm  # noqa: E402
from tap import Tap  # noqa: E402

sys.path.insert(0, str(Path(TOP, "images")))
from launcher.captures import Capture  # noqa: E402

PING = "ping -q -c 3 -i 0.1 -I eth0 10.0.2.2"
PINGS = [("out", 8), ("in", 0)] * 3
PANIC = "echo c >/proc/sysrq-trigger"


def icmp(file):
    """Pings and answers: their directions and types."""
    return [(one.direction, one.data[34]) for one in file.packets
            if one.data[12:14] == b"\x08\0" and one.data[23] == 1]


def dhcp(file):
    """DHCP messages: their directions and operations (1: request, 2: reply)."""
    return [(one.direction, one.data[42]) for one in file.packets
            if one.data[12:14] == b"\x08\0" and one.data[23] == 17
            and struct.unpack(">H", one.data[36:38])[0] in (67, 68)]


def test_time_out(tap, folder):
    done = vm(["--timeout", "20", "--capture-dir", f"{folder}/new", "--nic",
               "e1000", "--nic", "none", "--nic", "virtio-net-pci",
               "--get", f"words:{folder}"],
              ["sh", "-c", f"{PING} >words; sleep 1000"])
    tap.equal(done.returncode, 124, "a time-out: status 124")
    names = ["capture1.pcapng", "eth0.pcapng", "eth1.pcapng"]
    tap.equal(sorted(os.listdir(folder / "new")), names,
              "--capture-dir with a new folder: a file for each NIC")
    files = [pcapng.read(folder / "new" / name) for name in names]
    tap.equal([file.name for file in files], ["capture1", "eth0", "eth1"],
              "--capture-dir: the files have the interfaces' names")
    tap.equal([dhcp(file) for file in files],
              [[], *[[("out", 1), ("in", 2)] * 2] * 2],
              "--capture-dir: DHCP frames of the boot, with directions")
    tap.equal([icmp(file) for file in files], [[], PINGS, []],
              "--capture-dir: pings at the end, only of their NIC")
    tap.equal([(file.received, file.dropped) for file in files],
              [(len(file.packets), 0) for file in files],
              "--capture-dir: all frames are counted, none is dropped")
    tap.contains((folder / "words").read_text(), "3 packets received",
                 "--capture-dir and --get: the file comes out")


def test_panic(tap, folder):
    (folder / "eth0.pcapng").write_text("something old")
    done = vm(["--capture-dir", str(folder)],
              ["sh", "-c", f"{PING} >/dev/null; {PANIC}"])
    tap.equal(done.returncode, 125, "a panic: status 125")
    tap.equal(icmp(pcapng.read(folder / "eth0.pcapng")), PINGS,
              "a panic: the file has the last frames before it")


def test_kill(tap, folder):
    with subprocess.Popen(
            [VM, "--capture-dir", folder, "--", "sh", "-c",
             f"{PING} >/dev/null; echo ready; ping -q -i 0.01 10.0.2.2"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(folder)}) as launcher:
        launches.wait_until(launcher, "ready")
        launcher.send_signal(signal.SIGKILL)
        # The end of the pipe, which QEMU has open, too: it ends with the launcher.
        launcher.stdout.read()
    file = pcapng.read(folder / "eth0.pcapng")
    tap.equal(icmp(file)[:6], PINGS, "SIGKILL to the launcher: the file has the frames before it")
    tap.equal((file.received, file.dropped), (len(file.packets), 0),
              "SIGKILL to the launcher: the file has the counts")


def test_qemu_killed(tap, folder):
    with subprocess.Popen(
            [VM, "--capture-dir", folder, "--get", f"words:{folder}", "--",
             "sh", "-c", f"{PING} >words; sleep 3; echo ready; sleep 1000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True) as launcher:
        launches.wait_until(launcher, "ready")
        qemu, = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children") \
            .read_text().split()
        os.kill(int(qemu), signal.SIGKILL)
        errors = launcher.stderr.read()
    tap.equal(launcher.returncode, 125, "QEMU is killed: status 125")
    tap.contains(errors, "QEMU ended with status -9", "QEMU is killed: the error has its status")
    tap.equal(icmp(pcapng.read(folder / "eth0.pcapng")), PINGS,
              "QEMU is killed: the file has all frames")
    tap.contains((folder / "words").read_text(), "3 packets received",
                 "QEMU is killed: --get has what was received before")
    tap.contains(errors, f"{folder}/words has the ",
                 "QEMU is killed: the error says that --get is incomplete")


def test_part_of_block(tap, folder):
    """Makes incomplete blocks, because SIGKILL leaves them too rarely."""
    whole = struct.pack("=IIII", 6, 16, 0, 16) * 2
    capture = Capture(folder, "eth0")
    for length in range(len(whole) // 2, len(whole)):
        Path(capture.path).write_bytes(whole[:length])
        capture.trim()
        if Path(capture.path).read_bytes() != whole[:16]:
            tap.ok(False, f"file with {length} bytes: only the first block is left",
                   Path(capture.path).read_bytes())
    tap.ok(not tap.fails, "an incomplete block at the end is removed")


def test_full_disk(tap, folder):
    target, kept = folder / "disk", folder / "kept"
    target.mkdir()
    done = subprocess.run(
        [*launches.small_disk(target, 4 * 4096), "sh", "-c",
         f'"$@"; status=$?; cp {target}/eth0.pcapng {kept}; exit $status', "sh",
         VM, "--capture-dir", target, "--", "ping", "-q", "-c", "20", "-i",
         "0.05", "-s", "1400", "10.0.2.2"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    file = pcapng.read(kept)
    tap.ok(file.dropped > 20 and len(file.packets) == file.received
           - file.dropped > 4, "a full disk: the file has the frames that fit", file[2:4])
    tap.equal(done.returncode, 125, "a full disk: status 125")
    tap.contains(done.stderr, f"images/vm: --capture-dir {target}: {target}/"
                 f"eth0.pcapng: {file.dropped} of {file.received} frames are "
                 "missing\n", "a full disk: the error has the number of lost frames")


def test_bad(tap, folder):
    (folder / "file").touch()
    (folder / "eth0.pcapng").mkdir()
    for name, errors in (
            ("", ["--capture-dir: the name of the folder is empty"]),
            (f"{folder}/file", [f"--capture-dir {folder}/file: File exists"]),
            (f"{folder}/file/sub",
             [f"--capture-dir {folder}/file/sub: Not a directory"]),
            (str(folder), [f"Could not create '{folder}/eth0.pcapng': Is a "
                           "directory", "QEMU ended with status 1"])):
        done = vm(["--capture-dir", name], ["true"])
        tap.equal(done.returncode, 125, f"--capture-dir, {errors[0]}: status 125")
        for error in errors:
            tap.contains(done.stderr, error, f"--capture-dir: the error {error!r}")


tap = Tap()
for test in (test_time_out, test_panic, test_kill, test_qemu_killed,
             test_part_of_block, test_full_disk, test_bad):
    with tempfile.TemporaryDirectory() as name:
        tap.run(lambda tap: test(tap, Path(name)))
sys.exit(tap.done())
