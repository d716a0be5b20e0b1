#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --gdb and --gdb-wait: QEMU's gdb server. This test speaks gdb's remote
protocol itself; tests/launcher/manual.t runs gdb."""
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
    """Connects to the server, and retries for up to a minute."""
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
    """Returns the server's answer to a packet."""
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
              "--gdb-wait: the message has gdb's command")
    while not path.exists():
        time.sleep(0.1)
    time.sleep(1)
    # Connecting stops a running guest, so it got the time to run before this.
    with connect(path) as server:
        tap.ok(ask(server, "?").startswith("T05"),
               "--gdb SOCKET: the server answers")
        # RIP is the 17th register of 8 bytes.
        place = bytes.fromhex(ask(server, "g"))[16 * 8:17 * 8]
        tap.equal(int.from_bytes(place, "little"), 0xfff0,
                  "--gdb-wait: not even the first instruction has run")
        server.sendall(packet("c"))
        status, out, err = finish(launcher)
    tap.equal((status, err), (5, ""),
              "--gdb-wait: after gdb's continue the guest runs to its end")
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
                (["--gdb", "65536"], "--gdb 65536: not a port (1 to 65535)"),
                (["--gdb="], "--gdb: the port or socket is empty")):
            done = vm(["--no-capture", *options], ["true"])
            what = " ".join(options).replace(taken, "PORT") \
                .replace(str(folder), "")
            tap.equal(done.returncode, 125, f"{what}: status 125")
            tap.contains(done.stderr, message, f"{what}: the error names the cause")


tap = Tap()
for test in (test_wait, test_signal, test_bad):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap.run(lambda tap: test(tap, folder))
sys.exit(tap.done())
