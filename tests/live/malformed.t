#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Malformed data from guests, from QEMU, from the guest agent and from viewers is
refused by the extcap and the launcher."""
import json
import os
import selectors
import socket
import struct
import sys
import tempfile
import threading
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS.parent / "images"),
                str(TESTS.parent / "images" / "extcap")]
sys.dont_write_bytecode = True
from launcher.live import Live, record  # noqa: E402
from live import Capture, ask  # noqa: E402
from tap import Tap  # noqa: E402
from virtio_capture_extcap.errors import Failure  # noqa: E402
from virtio_capture_extcap.stream import Stream  # noqa: E402

AGENT, VM = "virtio-capture-agent", "virtio-capture-vm"


def header(order="<", magic=0xa1b2c3d4, snaplen=100, linktype=1):
    """A pcap file's header."""
    return struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype)


def packet(data=b"frame", order="<", fraction=0, length=None, original=None):
    """A packet of a pcap file."""
    length = len(data) if length is None else length
    return struct.pack(f"{order}IIII", 1, fraction, length, length
                       if original is None else original) + data


def test_stream(tap):
    """Pcap files of guests."""
    for what, whole in (
            ("little-endian", header() + packet() * 2),
            ("big-endian", header(">") + packet(order=">") * 2),
            ("nanoseconds", header(magic=0xa1b23c4d) + packet(
                fraction=999999999) * 2)):
        stream = Stream()
        pieces = [stream.feed(whole[n:n + 1]) for n in range(len(whole))]
        tap.equal(b"".join(pieces), whole, f"pcap file, {what}: passed on as it is")
        tap.equal({len(piece) for piece in pieces} - {0}, {24, 21},
                  f"pcap file, {what}: passed on in whole packets")
    tap.equal(Stream().feed(header() + packet() + packet()[:-1]),
              header() + packet(), "pcap file: an incomplete packet is kept back")
    for what, data, message in (
            ("no pcap file", b"GET / HTTP/1.0\r\n\r\n      ", "not a pcap file"),
            ("pcapng", b"\n\r\r\n" + bytes(24), "not a pcap file"),
            ("another link type", header(linktype=113), "link type 113"),
            ("no snapshot length", header(snaplen=0), "snapshot length 0"),
            ("a large snapshot length", header(snaplen=1 << 31),
             "snapshot length 2147483648"),
            ("a packet longer than that", header() + packet(length=101),
             "packet 1 of the guest has 101 bytes"),
            ("a very large packet", header() + packet() + packet(
                length=0xffffffff), "packet 2 of the guest has 4294967295 bytes"),
            ("more bytes than the packet had", header() + packet(original=4),
             "packet 1 of the guest has 5 bytes of 4"),
            ("a second too long", header() + packet(fraction=1000000),
             "packet 1 of the guest has the time 1000000/1000000 s")):
        try:
            Stream().feed(data)
            tap.ok(False, f"pcap file, {what}: refused")
        except Failure as error:
            tap.contains(str(error), message, f"pcap file, {what}: refused")


def make_live(folder):
    """Returns a Live, the guest's end of its port, and a viewer with tcpdump 0."""
    port, guest = socket.socketpair()
    port.setblocking(False)
    live = Live(str(folder), {"pid": 1, "command": [], "nics": []})
    live.attach(port)
    viewer = connect(folder)
    viewer.sendall(record(b"s", 0, 3, b"-i\0"))
    turn(live)
    return live, guest, viewer


def connect(folder):
    viewer = socket.socket(socket.AF_UNIX)
    viewer.connect(f"{folder}/live")
    viewer.settimeout(10)
    return viewer


def turn(live):
    """Has the launcher handle all pending events."""
    events = True
    while events:
        with selectors.PollSelector() as selector:
            live.register(selector)
            events = [event for event in selector.select(0)]
        live.handle(events)


def test_port(tap):
    """Malformed data that a guest can write to the port."""
    for what, data in (
            ("text", b"not a record at all\n"),
            ("another kind", record(b"s", 0, 0)),
            ("the number of no viewer", record(b"d", 1, 1, b"x")),
            ("a viewer's number below 0", b"d -1         1\nx"),
            ("a length below 0", b"d  0        -1\n"),
            ("too much at a time", record(b"d", 0, 1 << 20)),
            ("more than the window",
             record(b"d", 0, 32000, bytes(32000)) * 40),
            ("two ends", record(b"x", 0, 0) * 2)):
        with tempfile.TemporaryDirectory() as folder:
            live, guest, viewer = make_live(folder)
            live.feed(data)
            turn(live)
            tap.equal(live.error, "malformed record on the port live",
                      f"port live, {what}: refused")
            live.feed(record(b"d", 0, 1, b"x"))
            viewer.close()
            another = connect(folder)
            another.sendall(record(b"s", 0, 3, b"-i\0"))
            turn(live)
            tap.contains(another.recv(100).decode(), "the guest sent a malformed record",
                         f"port live, {what}: no viewer is served after it")
            live.close()
            for end in (guest, another):
                end.close()


def test_pieces(tap):
    """A port that delivers a byte at a time, and a viewer's own records."""
    with tempfile.TemporaryDirectory() as folder:
        live, guest, viewer = make_live(folder)
        whole = record(b"d", 0, 5, b"frame") + record(b"t", 0, 4, b"text") \
            + record(b"x", 0, 3)
        for n in range(len(whole)):
            live.feed(whole[n:n + 1])
        turn(live)
        got = b""
        while more := viewer.recv(100):
            got += more
        tap.equal((live.error, got), (None, whole), "port live: records that come byte by byte")
        tap.equal(guest.recv(100), record(b"s", 0, 3, b"-i\0")
                  + record(b"c", 0, 20) + record(b"c", 0, 19),
                  "port live: the guest gets credit for each record")
        live.close()
        guest.close()
        viewer.close()


def test_requests(tap):
    """Malformed requests of a viewer."""
    with tempfile.TemporaryDirectory() as folder:
        live, guest, viewer = make_live(folder)
        guest.recv(100)
        for what, data in (
                ("text", b"GET / HTTP/1.0\r\n\r\n"),
                ("no words", record(b"s", 0, 0)),
                ("another kind", record(b"e", 0, 1, b"\0")),
                ("too long", record(b"s", 0, 8193)),
                ("too many words", record(b"s", 0, 33, bytes(33))),
                ("no end of the last word", record(b"s", 0, 1, b"x")),
                ("more behind", record(b"s", 0, 1, b"\0x"))):
            asking = connect(folder)
            asking.sendall(data)
            turn(live)
            tap.equal(asking.recv(100), b"", f"socket live, a request with {what}: closed")
            asking.close()
        many = [connect(folder) for _ in range(100)]
        turn(live)
        guest.setblocking(False)
        try:
            tap.equal(guest.recv(100), b"", "bad requests do not reach the guest")
        except BlockingIOError:
            tap.ok(True, "bad requests do not reach the guest")
        live.feed(record(b"d", 0, 1, b"x"))
        tap.equal(viewer.recv(100), record(b"d", 0, 1, b"x"),
                  "a viewer is served beside many idle connections")
        live.close()
        for end in (*many, viewer, guest):
            end.close()


class Peer:
    """A context manager: a server that answers each line with the value of a
    function, until that is None."""

    def __init__(self, path, answer, greeting=b""):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._answer = answer
        self._greeting = greeting

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def _serve(self):
        try:
            while True:
                connection = self._listener.accept()[0]
                connection.sendall(self._greeting)
                for line in connection.makefile("rb"):
                    connection.sendall(self._answer(line))
        except (OSError, TypeError):
            pass

    def __exit__(self, *_):
        self._listener.close()


def agent_answers(**answers):
    """An agent that answers some commands in a malformed way."""
    def answer(line):
        ask_for = json.loads(line.lstrip(b"\xff"))
        command = ask_for["execute"]
        if command in answers:
            return answers[command]
        if command == "guest-sync-delimited":
            return b"\xff" + json.dumps(
                {"return": ask_for["arguments"]["id"]}).encode() + b"\n"
        value = {"guest-exec": {"pid": 7}, "guest-file-open": 5,
                 "guest-exec-status": {"exited": False}}.get(command, {})
        return json.dumps({"return": value}).encode() + b"\n"
    return answer


def test_agent(tap):
    """The agent is in the guest, so its answers are untrusted."""
    read, status = "guest-file-read", "guest-exec-status"
    for what, answers, message in (
            ("no end", {read: b"x" * (1 << 20)}, "more than 524288 bytes"),
            ("no JSON", {read: b"<html>\n"}, "the answer is not JSON"),
            ("deep JSON", {read: b"[" * 100000 + b"\n"},
             "the answer is not JSON"),
            ("no object", {read: b"[]\n"}, "the answer is not a JSON object"),
            ("no bytes", {read: b'{"return": {"buf-b64": "%"}}\n'},
             "buf-b64 is not valid base64"),
            ("a list for bytes", {read: b'{"return": {"buf-b64": []}}\n'},
             "buf-b64 is not valid base64"),
            ("no pcap file",
             {read: b'{"return": {"buf-b64": "' + b"QUJD" * 8 + b'"}}\n'},
             "the guest's data is not a pcap file"),
            ("no number of a process", {"guest-exec": b'{"return": {}}\n'},
             "the answer has no pid"),
            ("a disabled command",
             {"guest-exec": b'{"error": {"desc": "\\u001b[2Jis disabled"}}\n'},
             "guest-exec: ?[2Jis disabled"),
            ("an error that is none", {"guest-exec": b'{"error": 5}\n'},
             "guest-exec: 5"),
            ("an end that is none",
             {status: b'{"return": {"exited": true, "exitcode": "x"}}\n'},
             "the answer has no exitcode")):
        with tempfile.TemporaryDirectory() as folder, \
                Peer(f"{folder}/agent", agent_answers(**answers)), \
                Capture(folder, AGENT, agent=f"{folder}/agent") as capture:
            done = capture.finish()
            tap.ok(done[0] == 1 and message in done[1] and "\n" not in done[1],
                   f"answer of an agent, {what}: refused", *done)


def qmp_answers(line):
    """A QEMU with a capture device and an agent's port."""
    command = json.loads(line)
    arguments = command.get("arguments", {})
    value = {"qmp_capabilities": {}, "query-chardev": [
        {"label": "agent", "filename": "pty:/dev/pts/7"}]}.get(command["execute"])
    if command["execute"] == "qom-list":
        value = {"/machine/peripheral": [{"name": "a", "type": "child<x>"},
                                         {"name": "b", "type": "child<x>"}],
                 "/machine/peripheral-anon": []}.get(
                     arguments["path"], [{"name": "chardev", "type": "str"}])
    elif command["execute"] == "qom-get":
        value = {"a/type": "virtio-capture-pci", "a/capture": True,
                 "b/type": "virtserialport", "b/chardev": "agent",
                 "b/name": "org.qemu.guest_agent.0"}[
                     f"{arguments['path'][-1]}/{arguments['property']}"]
    return b'{"event": "NIC_RX"}\n' + json.dumps({"return": value}
                                                 ).encode() + b"\n"


def test_qmp(tap):
    for what, greeting, answer, message in (
            ("an agent's end that is no socket", b'{"QMP": {}}\n', qmp_answers,
             "the guest agent's chardev is 'pty:/dev/pts/7'"),
            ("another program's socket", b"220 mail\n", None,
             "the answer is not JSON"),
            ("a server without greeting", b'{"hello": 1}\n', None,
             "the server sends no QMP greeting"),
            ("a list without end", b'{"QMP": {}}\n', lambda _: b"[" * (1 << 23),
             "more than 4194304 bytes"),
            ("other answers", b'{"QMP": {}}\n', lambda _: b'{"return": {}}\n',
             "there is no device virtio-capture-pci"),
            ("lists of no objects", b'{"QMP": {}}\n',
             lambda _: b'{"return": [1]}\n',
             "malformed answer to a command")):
        with tempfile.TemporaryDirectory() as folder, \
                Peer(f"{folder}/qmp", answer, greeting), \
                Capture(folder, AGENT, qmp=f"{folder}/qmp") as capture:
            done = capture.finish()
            tap.ok(done[0] == 1 and message in done[1],
                   f"QMP, {what}: refused", *done)


def test_folders(tap):
    """Malformed files and other files in the folder of the launchers' folders."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, text in enumerate((
                "no JSON", "[]", '{"pid": "x", "command": [], "nics": []}',
                '{"pid": 1, "command": 5, "nics": []}',
                '{"pid": 1, "command": [], "nics": ["a}{b"]}',
                '{"pid": 1, "command": [], "nics": []}',
                '{"pid": 4, "command": ["a}{value=b\\u001b"], "nics": ["eth0"]}')):
            name = Path(folder, f"virtio-capture-vm-{number}")
            name.mkdir()
            (name / "live.json").write_text(text)
            server = socket.socket(socket.AF_UNIX)
            server.bind(f"{name}/live")
            server.listen()
            names.append(server)
        Path(folder, "virtio-capture-vm-x").symlink_to(names and "/")
        os.mkfifo(f"{folder}/virtio-capture-vm-y")
        status, lines, errors = ask(folder, "--extcap-config",
                                    "--extcap-interface", VM)
        tap.equal((status, errors), (0, ""), "malformed descriptions of guests are "
                  "no error")
        tap.equal([line for line in lines.splitlines()
                   if line.startswith("value {arg=0}")],
                  ["value {arg=0}{value=}{display=the only one}{default=true}",
                   "value {arg=0}{value=4}{display=4: a)(value=b?}"
                   "{default=false}"],
                  "of several descriptions the valid one is listed, in one line")
        for server in names:
            server.close()


def test_questions(tap):
    """Queries of Wireshark, and malformed ones."""
    with tempfile.TemporaryDirectory() as folder:
        status, lines, _ = ask(folder, "--extcap-interfaces",
                               "--extcap-version=4.0")
        tap.equal((status, lines.count("interface {")), (0, 3),
                  "--extcap-interfaces lists three interfaces")
        tap.equal(ask(folder, "--extcap-dlts", "--extcap-interface", AGENT)[:2],
                  (0, "dlt {number=1}{name=EN10MB}{display=Ethernet}\n"),
                  "--extcap-dlts has Ethernet")
        tap.equal(ask(folder, "--extcap-capture-filter", "icmp",
                      "--extcap-interface", VM)[:2], (0, ""),
                  "a question about a filter has an empty answer")
        for what, words, message in (
                ("nothing", [], "this is an extcap, for Wireshark to run"),
                ("another interface", ["--extcap-interface", "eth0"],
                 "interface 'eth0': not one of virtio-capture-vm,"),
                ("no FIFO", ["--extcap-interface", VM, "--capture"],
                 "--capture needs --fifo"),
                ("a FIFO that is not there",
                 ["--extcap-interface", VM, "--capture", "--fifo", "/no/fifo"],
                 "/no/fifo: No such file or directory"),
                ("an option of another interface",
                 ["--extcap-interface", VM, "--host", "x"],
                 "unrecognized arguments: --host x")):
            status, _, errors = ask(folder, *words)
            tap.ok(status == 1 and message in errors, f"extcap with {what}: an error",
                   status, errors)
        with Capture(folder, VM, promiscuous="perhaps") as capture:
            tap.contains(capture.finish()[1], "promiscuous mode: 'perhaps' is "
                         "neither true nor false", "extcap with an invalid boolean: an error")


tap = Tap()
tap.run(test_stream, test_port, test_pieces, test_requests, test_agent, test_qmp,
        test_folders, test_questions)
sys.exit(tap.done())
