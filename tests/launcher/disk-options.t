#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --disk: its options, the format of an image, and invalid answers of the
guest agent."""
import base64
import json
import socket
import sys
import tempfile
import threading
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS.parent / "images")]
sys.dont_write_bytecode = True
from guest import vm  # noqa: E402
from launcher import agent, disks, ssh  # noqa: E402
from launcher.errors import Failure  # noqa: E402
from launcher.options import parse  # noqa: E402
from tap import Tap  # noqa: E402

KERNEL = ("--kernel", __file__)

# Options and a part of the error; {disk} is an image.
BAD = (
    (("--keep",), "--keep: only with --disk IMAGE"),
    (("--snapshot",), "--snapshot: only with --disk IMAGE"),
    (("--firmware", "uefi"), "--firmware: only with --disk IMAGE"),
    (("--initrd", "x"), "--initrd: only with --disk IMAGE"),
    (("--via", "agent"), "--via: only with --disk IMAGE"),
    (("--ssh",), "--ssh: only with --disk IMAGE"),
    (("--ssh-key", "x"), "--ssh-key: only with --disk IMAGE"),
    (("--boot-timeout", "9"), "--boot-timeout: only with --disk IMAGE"),
    (("--boot-timeout", "soon"), "argument --boot-timeout: invalid"),
    (("--disk", ""), "--disk : no IMAGE"),
    (("--disk", "/no/image"), "--disk /no/image: No such file"),
    (("--disk", "/"), "--disk /: a folder, not a disk image"),
    (("--disk", "{disk},format=iso"),
     "--disk {disk}: format=iso: not one of qcow2, raw, vdi, vhdx, vmdk, vpc"),
    (("--disk", "{disk}", "--firmware", "open"), "--firmware: invalid choice"),
    (("--disk", "{disk}", "--via", "telnet"), "--via: invalid choice"),
    (("--disk", "{disk}", "--snapshot", "--keep"),
     "--snapshot and --keep exclude each other"),
    (("--disk", "{disk}", "--modules", "x"), "--modules: not with --disk"),
    (("--disk", "{disk}", "--driver", "x"), "--driver: not with --disk"),
    (("--disk", "{disk}", "--root", "/"),
     "--root /: not with --disk, which has its own root file system"),
    (("--disk", "{disk}", "--arch", "s390x"),
     "--disk: only with --arch x86_64, not s390x"),
    (("--disk", "{disk}", "--append", "quiet"),
     "--append quiet: with --disk only with --kernel FILE"),
    (("--disk", "{disk}", "--initrd", "x"), "--initrd x: only with --kernel FILE"),
    (("--disk", "{disk}", "--kernel", "/no/kernel"),
     "--kernel /no/kernel: no such file"),
    (("--disk", "{disk}", "--kernel", "/"),
     "--kernel /: a folder; with --disk it must be a kernel's file"),
    (("--disk", "{disk}", *KERNEL),
     "no --initrd: no root file system is given (--append root=/dev/vda1"),
    (("--disk", "{disk}", *KERNEL, "--initrd", "/no/initrd"),
     "--initrd /no/initrd: no such file"),
    (("--disk", "{disk}", *KERNEL, "--firmware", "uefi"),
     "--firmware uefi: not with --kernel, which QEMU loads itself"),
    (("--disk", "{disk}", "--ssh-key", "/no/key"),
     "--ssh-key /no/key: no such file"),
    (("--disk", "{disk}", "--ssh", "--via", "agent"),
     "--ssh and --via agent exclude each other"),
)

# File names, the first bytes, and the format that is chosen; None: an error.
IMAGES = (
    ("a.raw", b"\0\0\0\0", "raw"), ("a.RAW", b"QFI\xfb", "raw"),
    ("a.qcow2", b"QFI\xfb", "qcow2"), ("a.qcow2", b"\0\0\0\0", "qcow2"),
    ("a.vhd", b"conectix", "vpc"), ("a.img", b"\0\0\0\0", "raw"),
    ("a.img", b"QFI\xfb", None), ("a", b"KDMV", None), ("a", b"<<< Q", None),
    ("a.img", b"", "raw"), ("a,b.c", b"\xeb", "raw"))

# Answers of an agent, and the error; only the last answer is valid.
ANSWERS = (
    (b'{"error": {"class": "CommandNotFound", "desc": "it is disabled"}}\n',
     "guest-exec: it is disabled"),
    (b'{"error": 7}\n', "guest-exec: malformed answer"),
    (b'{"error": {"desc": ["x"]}}\n', "guest-exec: ['x']"),
    (b"\xff\xfe no JSON\n", "guest-exec: malformed answer"),
    (b"[" * 100000 + b"\n", "guest-exec: malformed answer"),
    (b'{"return": {}}\n', "guest-exec: no process ID in the answer"),
    (b'{"return": {"pid": "1"}}\n', "guest-exec: no process ID in the answer"),
    (b'{"return": []}\n', "guest-exec: no process ID in the answer"),
    (b"x" * 3000000 + b"\n", "guest-exec: malformed answer"),
    (b'{"return": {"pid": 5}}\n', "the reason"),
)


def refused(options):
    """Returns why options are refused, or None."""
    try:
        parse([*options, "--", "true"])
    except Failure as error:
        return str(error)
    return None


def test_bad(tap):
    with tempfile.NamedTemporaryFile() as disk:
        for options, message in BAD:
            options = [word.format(disk=disk.name) for word in options]
            message = message.format(disk=disk.name)
            what = " ".join(options).replace(disk.name, "IMAGE")
            tap.contains(str(refused(options)), message,
                         f"{what}: the error names the cause")
    done = vm(["--keep"], ["true"])
    tap.equal((done.returncode, done.stderr),
              (125, "images/vm: --keep: only with --disk IMAGE\n"),
              "--keep without --disk: status 125, the error names --disk")


def test_formats(tap):
    with tempfile.TemporaryDirectory() as folder:
        for name, start, format_taken in IMAGES:
            path = Path(folder, name)
            path.write_bytes(start)
            what = f"{name} that begins with {start!r}"
            if format_taken:
                disk = parse(["--disk", str(path), "--", "true"]).disk
                tap.equal((disk.path, disk.format), (str(path), format_taken),
                          f"--disk takes {what} for {format_taken}")
            else:
                tap.contains(str(refused(["--disk", str(path)])),
                             f"use --disk {path},format=", f"--disk refuses {what}")
            given = parse(["--disk", f"{path},format=vdi", "--", "true"]).disk
            tap.equal((given.path, given.format), (str(path), "vdi"),
                      f"--disk takes {what} for the format= given")


def answered(data):
    """Returns the error of a script if the agent answers guest-exec with data."""
    ours, theirs = socket.socketpair()
    line = agent.Agent(0.1)
    line.channel.attach(ours)
    status = {"exited": True, "exitcode": 1, "err-data":
              base64.b64encode(b"more\nthe reason\n").decode()}

    def guest():
        theirs.recv(1 << 16)
        line.channel.feed(data)
        theirs.recv(1 << 16)
        line.channel.feed(json.dumps({"return": status}).encode() + b"\n")
    threading.Thread(target=guest, daemon=True).start()
    try:
        line.run("exit 1")
    except Failure as error:
        return str(error)
    finally:
        ours.close()
    return None


def test_agent(tap):
    for data, message in ANSWERS:
        tap.equal(answered(data), message, f"answer {data[:30]!r} of an agent: {message}")


def test_sync(tap):
    """Stray errors and late answers are not taken for the answer."""
    ours, theirs = socket.socketpair()
    line = agent.Agent(1)
    line.channel.attach(ours)
    tap.ok(not line.is_ready(), "an agent that has not answered is not ready")
    tap.equal(theirs.recv(1000)[:1], b"\xff", "a request to an agent begins with the byte 0xff")
    line.channel.feed(b'{"error": {"desc": "stray"}}\n\xff{"return": 99}\n')
    tap.ok(not line.is_ready(), "an agent that answers with another id is not ready")
    line.channel.feed(b'{"error": {"desc": "stray"}}\n\xff{"return": 1}\n')
    tap.ok(line.is_ready(), "an agent that answers with the request's id is ready")


def test_no_firmware(tap):
    disks.UEFI = ()
    with tempfile.NamedTemporaryFile() as disk:
        options = parse(["--disk", disk.name, "--firmware", "uefi", "--",
                         "true"])
        try:
            output = options.disk.options(str, "/tmp")
        except Failure as error:
            output = str(error)
    tap.contains(output, "install Debian's package ovmf",
                 "--firmware uefi without OVMF: the error names the package")


def test_ssh(tap):
    """The output of ssh may be large or endless."""
    status, output = ssh.run_program(
        ["sh", "-c", "cat; head -c 1000000 /dev/zero; echo last; exit 3"],
        "first\n", 60)
    tap.equal((status, len(output), output[-5:]), (3, ssh.MOST_BYTES, "last\n"),
              "output of ssh that is too long: only the end is kept")
    try:
        output = ssh.run_program(["yes"], "", 1)
    except Failure as error:
        output = str(error)
    tap.equal(output, "the script did not end in time",
              "ssh that prints without end is killed when its time limit expires")


tap = Tap()
tap.run(test_bad, test_formats, test_agent, test_sync, test_no_firmware, test_ssh)
sys.exit(tap.done())
