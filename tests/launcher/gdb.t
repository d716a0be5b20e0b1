#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --gdb and --gdb-wait: QEMU's server for gdb. Here its protocol is
spoken by the test; tests/launcher/manual.t has gdb itself do it."""
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import vm  # noqa: E402
from launches import finish, readable, start  # noqa: E402
from tap import Tap  # noqa: E402


def packet(text):
    """A packet of gdb's remote protocol."""
    return f"${text}#{sum(text.encode()) % 256:02x}".encode()


def connect(path):
    """Connects to the server when it is there, for a minute at most."""
    end = time.monotonic() + 60
    while True:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(path))
            return server
        except OSError:
            server.close()
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


def ask(server, text):
    """What the server answers to a packet."""
    server.sendall(packet(text))
    answer = b""
    while answer[-3:-2] != b"#":
        answer += server.recv(4096)
    server.sendall(b"+")
    return answer.lstrip(b"+")[1:-3].decode()


def test_wait(tap, folder):
    path = folder / "g,d b"
    launcher = start("--gdb", path, "--gdb-wait",
                     command=["sh", "-c", "cat /proc/cmdline; exit 5"])
    tap.equal(launcher.stderr.readline(),
              f"images/vm: the guest waits for gdb: target remote {path}\n",
              "--gdb-wait: the error tells how to start gdb")
    while not path.exists():
        time.sleep(0.1)
    time.sleep(1)
    # A connection stops the guest; what it would have done, it has done.
    with connect(path) as server:
        tap.ok(ask(server, "?").startswith("T05"),
               "--gdb SOCKET: the server answers")
        # The 17th of the registers of 8 bytes is RIP.
        place = bytes.fromhex(ask(server, "g"))[16 * 8:17 * 8]
        tap.equal(int.from_bytes(place, "little"), 0xfff0,
                  "--gdb-wait: not even the first instruction has run")
        server.sendall(packet("c"))
        status, out, err = finish(launcher)
    tap.equal((status, err), (5, ""),
              "--gdb-wait: when gdb says so the guest runs to its end")
    tap.ok("nokaslr" in out.split(), "--gdb-wait: the kernel has nokaslr", out)
    tap.ok(not path.exists(), "--gdb-wait: the socket is removed at the end")


def test_signal(tap, folder):
    path = folder / "socket"
    launcher = start("--gdb-wait", "--gdb", path, command=["true"])
    readable(launcher.stderr)
    connect(path).close()
    launcher.send_signal(signal.SIGTERM)
    tap.equal(finish(launcher)[0], 128 + signal.SIGTERM,
              "--gdb-wait: SIGTERM ends the launcher")
    tap.ok(not path.exists(),
           "--gdb-wait: the socket is removed after SIGTERM")


def test_bad(tap, folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        for options, message in (
                (["--gdb", taken], "Address already in use"),
                (["--gdb", f"{folder}/no/socket"],
                 f"{folder}/no/socket: No such file or directory"),
                (["--gdb", "65536"], "--gdb 65536: no port (1 to 65535)"),
                (["--gdb="], "--gdb: neither a port nor a socket's name")):
            done = vm(["--no-capture", *options], ["true"])
            what = " ".join(options).replace(taken, "PORT") \
                .replace(str(folder), "")
            tap.equal(done.returncode, 125, f"{what}: status 125")
            tap.contains(done.stderr, message, f"{what}: the error says why")


tap = Tap()
for test in (test_wait, test_signal, test_bad):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap.run(lambda tap: test(tap, folder))
sys.exit(tap.done())
