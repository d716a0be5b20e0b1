#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --get when the guest ends before COMMAND: a time-out, a signal, a
panic, a kernel that hangs."""
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
import pcap  # noqa: E402
from guest import vm  # noqa: E402
from tap import Tap  # noqa: E402

FAULT = launches.build_fault()
PANIC = "echo c >/proc/sysrq-trigger"
# init checks files for new data many times in this time.
LET_COME = "sleep 3"


def icmp_frames(path):
    """The number of pings and replies in a pcap file, which must be complete."""
    return sum(frame[12:14] == b"\x08\0" and frame[23] == 1
               for frame in pcap.read(path).frames())


def test_time_out(tap, folder):
    status, out, err = launches.run(
        "--timeout", 20, "--get", f"/root:{folder}/got", "--get",
        f"later:{folder}", command=[
            "sh", "-c", "trap 'echo end >>file; exit' TERM; echo out;"
                        "echo start >file; sleep 1000 & wait"])
    tap.equal((status, out), (124, "out\n"), "a time-out: status 124")
    tap.equal((folder / "got/file").read_text(), "start\nend\n",
              "a time-out: what COMMAND writes on SIGTERM comes out")
    tap.contains(err, "images/vm: the guest was ended after 20 s\n",
                 "a time-out: the message names the limit")
    tap.contains(err, "guest: --get /root/later: No such file",
                 "a time-out: the error names the file that did not come out")


def test_time_out_of_tcpdump(tap, folder):
    # Without -U tcpdump keeps the packets in memory until it ends.
    done = vm(["--timeout", "30", "--get", f"file:{folder}"],
              ["sh", "-c", "tcpdump -i eth0 -w file 2>/dev/null &"
                           "sleep 3; ping -q -c 3 10.0.2.2; sleep 1000"])
    tap.equal(done.returncode, 124, "tcpdump and a time-out: status 124")
    tap.equal(icmp_frames(folder / "file"), 6,
              "tcpdump and a time-out: its file is whole")


def test_panic(tap, folder):
    done = vm(["--get", f"file:{folder}", "--get", f"other/deep:{folder}",
               "--get", f"nothing:{folder}"],
              ["sh", "-c", "tcpdump -U -i eth0 -w file 2>/dev/null & "
                           "mkdir -p other/deep/er; echo in >other/deep/er/it;"
                           f"sleep 3; ping -q -c 3 10.0.2.2; {LET_COME};"
                           f"{PANIC}"])
    tap.equal(done.returncode, 125, "a panic: status 125")
    tap.equal(icmp_frames(folder / "file"), 6,
              "a panic: a file that grew comes out with all that was in it")
    tap.equal((folder / "deep/er/it").read_text(), "in\n",
              "a panic: a file in a folder comes out")
    for name, what in (("file", f"it was sent; {folder}/file has the "),
                       ("other/deep", f"it was sent; {folder}/deep has the "),
                       ("nothing", "it was sent; nothing was received")):
        tap.contains(done.stderr,
                     f"--get /root/{name}: the guest ended before {what}",
                     f"a panic: the error names {name}, which is not complete")
    tap.equal(len(launches.leftovers(folder)), 0,
              "a panic: no temporary file is left")


def test_changes(tap, folder):
    big = "head -c 3000000 /dev/zero"
    status, _, err = launches.run(
        *[word for name in ("shorter", "again", "same", "gone", "link", "big",
                            "new\nline")
          for word in ("--get", f"{name}:{folder}")], command=[
            "sh", "-c", "echo a long line >shorter; echo old >again;"
                        "echo old >same; echo old >gone; echo x >'new\nline';"
                        f"ln -s /etc/passwd link; {big} >big; {LET_COME};"
                        "echo short >shorter; echo newer >again.new;"
                        "mv again.new again; rm gone;"
                        f"printf new | dd of=same conv=notrunc; {big} >>big;"
                        f"{LET_COME}; {PANIC}"])
    tap.equal(status, 125, "files that change, and a panic: status 125")
    for name, text in (("shorter", "short\n"), ("again", "newer\n"),
                       ("same", "new\n"), ("gone", "old\n"),
                       ("new\nline", "x\n")):
        tap.equal((folder / name).read_text(), text,
                  f"files that change, and a panic: {name!r} is as it was last")
    tap.ok((folder / "big").read_bytes() == bytes(6000000),
           "files that change, and a panic: a large file is whole")
    tap.ok(not (folder / "link").is_symlink(),
           "files that change, and a panic: a symbolic link is not followed")
    tap.contains(err, "--get /root/new?line: the guest ended",
                 "files that change, and a panic: a message is one line, whatever the name")


def test_stuck(tap, folder):
    guest = launches.start(
        "--timeout", 300, "--add", FAULT, "--get", f"file:{folder}", command=[
            "sh", "-c", "echo there >file; insmod fault.ko kind=stuck &"
                        "sleep 1; echo ready; exec insmod fault.ko kind=stuck"])
    launches.wait_until(guest, "ready")
    guest.send_signal(signal.SIGTERM)
    tap.equal(launches.finish(guest), (143, "", ""),
              "SIGTERM while COMMAND cannot be killed: status 143")
    tap.equal((folder / "file").read_text(), "there\n",
              "SIGTERM while COMMAND cannot be killed: the file comes out")


def test_blocked(tap, folder):
    # The output is not read, so COMMAND blocks when all buffers are full.
    guest = launches.start("--get", f"file:{folder}", command=[
        "sh", "-c", "echo there >file; echo ready; cat /dev/zero"])
    launches.wait_until(guest, "ready")
    guest.send_signal(signal.SIGTERM)
    tap.equal(guest.wait(), 143,
              "SIGTERM while the output has no reader: status 143")
    tap.equal((folder / "file").read_text(), "there\n",
              "SIGTERM while the output has no reader: the file comes out")
    guest.communicate()


def test_dead(tap, folder):
    status, _, err = launches.run(
        "--timeout", 30, "--add", FAULT, "--get", f"file:{folder}", command=[
            "sh", "-c", f"echo there >file; {LET_COME};"
                        "insmod fault.ko kind=dead"])
    tap.equal(status, 124, "a kernel that hangs: status 124")
    tap.equal((folder / "file").read_text(), "there\n",
              "a kernel that hangs: the part of the file that was sent comes out")
    tap.contains(err, "--get /root/file: the guest ended before it was sent; "
                 f"{folder}/file has the 6 bytes",
                 "a kernel that hangs: the error names the file that is incomplete")


tap = Tap()
for test in (test_time_out, test_time_out_of_tcpdump, test_panic, test_changes,
             test_stuck, test_blocked, test_dead):
    with tempfile.TemporaryDirectory() as name:
        tap.run(lambda tap: test(tap, Path(name)))
sys.exit(tap.done())
