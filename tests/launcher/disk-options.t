#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --disk: its options, an image's format, and what the guest agent may
say."""
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

# Options, and what the error must say; {disk} is an image.
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
    (("--disk", "/"), "--disk /: a folder, and no disk image"),
    (("--disk", "{disk},format=iso"),
     "--disk {disk}: format=iso: not one of qcow2, raw, vdi, vhdx, vmdk, vpc"),
    (("--disk", "{disk}", "--firmware", "open"), "--firmware: invalid choice"),
    (("--disk", "{disk}", "--via", "telnet"), "--via: invalid choice"),
    (("--disk", "{disk}", "--snapshot", "--keep"),
     "--snapshot and --keep: one or the other"),
    (("--disk", "{disk}", "--modules", "x"), "--modules: not with --disk"),
    (("--disk", "{disk}", "--driver", "x"), "--driver: not with --disk"),
    (("--disk", "{disk}", "--root", "/"),
     "--root /: not with --disk, whose system is on the disk"),
    (("--disk", "{disk}", "--arch", "s390x"),
     "--disk: only in guests of x86_64, and --arch is s390x"),
    (("--disk", "{disk}", "--append", "quiet"),
     "--append quiet: the disk's own boot loader gives the kernel its"),
    (("--disk", "{disk}", "--initrd", "x"), "--initrd x: for which kernel?"),
    (("--disk", "{disk}", "--kernel", "/no/kernel"),
     "--kernel /no/kernel: no such file"),
    (("--disk", "{disk}", "--kernel", "/"),
     "--kernel /: no build tree with --disk, only a kernel's file"),
    (("--disk", "{disk}", *KERNEL), "no --initrd: where is the root file system"),
    (("--disk", "{disk}", *KERNEL, "--initrd", "/no/initrd"),
     "--initrd /no/initrd: no such file"),
    (("--disk", "{disk}", *KERNEL, "--firmware", "uefi"),
     "--firmware uefi: not with --kernel, which needs none"),
    (("--disk", "{disk}", "--ssh-key", "/no/key"),
     "--ssh-key /no/key: no such file"),
    (("--disk", "{disk}", "--ssh", "--via", "agent"),
     "--ssh and --via agent: one or the other"),
)

# Names, how the files begin, and the format that is taken; None: refused.
IMAGES = (
    ("a.raw", b"\0\0\0\0", "raw"), ("a.RAW", b"QFI\xfb", "raw"),
    ("a.qcow2", b"QFI\xfb", "qcow2"), ("a.qcow2", b"\0\0\0\0", "qcow2"),
    ("a.vhd", b"conectix", "vpc"), ("a.img", b"\0\0\0\0", "raw"),
    ("a.img", b"QFI\xfb", None), ("a", b"KDMV", None), ("a", b"<<< Q", None),
    ("a.img", b"", "raw"), ("a,b.c", b"\xeb", "raw"))

# What an agent may send, and what is told of it; the last one is an answer.
ANSWERS = (
    (b'{"error": {"class": "CommandNotFound", "desc": "it is disabled"}}\n',
     "guest-exec: it is disabled"),
    (b'{"error": 7}\n', "guest-exec: no sense"),
    (b'{"error": {"desc": ["x"]}}\n', "guest-exec: ['x']"),
    (b"\xff\xfe no JSON\n", "guest-exec: no sense"),
    (b"[" * 100000 + b"\n", "guest-exec: no sense"),
    (b'{"return": {}}\n', "it does not tell what it has started"),
    (b'{"return": {"pid": "1"}}\n', "it does not tell what it has started"),
    (b'{"return": []}\n', "it does not tell what it has started"),
    (b"x" * 3000000 + b"\n", "guest-exec: no sense"),
    (b'{"return": {"pid": 5}}\n', "said why"),
)


def refused(options):
    """Why a launch is refused, or None."""
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
                         f"{what}: the error tells what is wrong")
    done = vm(["--keep"], ["true"])
    tap.equal((done.returncode, done.stderr),
              (125, "images/vm: --keep: only with --disk IMAGE\n"),
              "--keep without --disk: status 125, and one line tells why")


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
                             f"say --disk {path},format=", f"--disk refuses {what}")
            given = parse(["--disk", f"{path},format=vdi", "--", "true"]).disk
            tap.equal((given.path, given.format), (str(path), "vdi"),
                      f"--disk takes {what} for the format= given")


def answered(data):
    """What becomes of a script whose start the agent answers with that."""
    ours, theirs = socket.socketpair()
    line = agent.Agent(0.1)
    line.channel.attach(ours)
    status = {"exited": True, "exitcode": 1, "err-data":
              base64.b64encode(b"more\nsaid why\n").decode()}

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
        tap.equal(answered(data), message, f"an agent that says {data[:30]!r}: {message}")


def test_sync(tap):
    """Errors for what came before, and late answers, are nobody's answer."""
    ours, theirs = socket.socketpair()
    line = agent.Agent(1)
    line.channel.attach(ours)
    tap.ok(not line.is_ready(), "an agent that has not answered is not ready")
    tap.equal(theirs.recv(1000)[:1], b"\xff", "what is asked of an agent begins with the byte 0xff")
    line.channel.feed(b'{"error": {"desc": "stray"}}\n\xff{"return": 99}\n')
    tap.ok(not line.is_ready(), "an agent that answers something else is not ready")
    line.channel.feed(b'{"error": {"desc": "stray"}}\n\xff{"return": 1}\n')
    tap.ok(line.is_ready(), "an agent that answers is ready")


def test_no_firmware(tap):
    disks.UEFI = ()
    with tempfile.NamedTemporaryFile() as disk:
        options = parse(["--disk", disk.name, "--firmware", "uefi", "--",
                         "true"])
        try:
            said = options.disk.options(str, "/tmp")
        except Failure as error:
            said = str(error)
    tap.contains(said, "install Debian's package ovmf",
                 "--firmware uefi without OVMF: the error tells what to install")


def test_ssh(tap):
    """What ssh runs may say anything, and for ever."""
    status, said = ssh.run_program(
        ["sh", "-c", "cat; head -c 1000000 /dev/zero; echo last; exit 3"],
        "first\n", 60)
    tap.equal((status, len(said), said[-5:]), (3, ssh.MOST_BYTES, "last\n"),
              "of what ssh prints only the last part is kept")
    try:
        said = ssh.run_program(["yes"], "", 1)
    except Failure as error:
        said = str(error)
    tap.equal(said, "the script does not end", "ssh is ended when its time is up")


tap = Tap()
tap.run(test_bad, test_formats, test_agent, test_sync, test_no_firmware, test_ssh)
sys.exit(tap.done())
