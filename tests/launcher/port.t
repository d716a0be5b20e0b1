#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --port: TCP ports of the host that are forwarded to the guest."""
import re
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import VM, vm  # noqa: E402
from tap import Tap  # noqa: E402

# Two services, each for one connection.
SERVE = """
nc -l -p 7 -e sed 's/^/seven: /' &
nc -l -p 8 -e sed 's/^/eight: /' &
until netstat -ltn | grep -q :7 && netstat -ltn | grep -q :8; do
    sleep 0.1
done
echo ready
wait
"""

USER = 'no NIC has a netdev "user"'
BAD = (
    (["--port", "80"], "--port 80: '' is not a port (0 to 65535)"),
    (["--port", "80:"], "--port 80:: '' is not a port (1 to 65535)"),
    (["--port", "80:0"], "--port 80:0: '0' is not a port (1 to 65535)"),
    (["--port", "65536:80"], "--port 65536:80: '65536' is not a port"),
    (["--port", "http:80"], "--port http:80: 'http' is not a port"),
    (["--port", "localhost:8080:80"],
     "--port localhost:8080:80: 'localhost' is not an IPv4 address"),
    (["--port", ":8080:80"], "--port :8080:80: '' is not an IPv4 address"),
    (["--port", "1.2.3.4,x=y:8080:80"],
     "'1.2.3.4,x=y' is not an IPv4 address"),
    (["--port", "192.0.2.1:0:80"],
     "--port 192.0.2.1:0:80: 192.0.2.1:0: Cannot assign requested address"),
    (["--port", "8080:80", "--port", "127.0.0.1:8080:81"],
     "--port 127.0.0.1:8080:81: --port 8080:80 has the same host port"),
    (["--port", "8080:80", "--netdev", "hubport,hubid=0"],
     f"--port 8080:80: {USER}"),
    (["--port", "8080:80", "--nic", "none"], f"--port 8080:80: {USER}"),
)


def ask(address, port):
    """Returns the answer of the service at an address."""
    with socket.create_connection((address, port), 60) as connection:
        connection.sendall(b"hello\n")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as answer:
            return answer.read()


def test_forward(tap):
    """The second NIC forwards; the first has another netdev."""
    with subprocess.Popen(
            [VM, "--no-capture", "--netdev", "hubport,hubid=0", "--netdev",
             "user", "--port", "0:7", "--port", "127.0.0.2:0:8",
             "--", "sh", "-c", SERVE],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as launcher:
        lines = [launcher.stderr.readline() for _ in range(2)]
        ports = [re.fullmatch(r"images/vm: (127\.0\.0\.\d):(\d+) is forwarded to "
                              r"the guest's port (\d)\n", line) for line in lines]
        if not tap.ok(all(ports), "--port 0:GUEST twice: both free ports are printed",
                      *lines):
            launcher.kill()
            return
        tap.equal(launcher.stdout.readline(), "ready\n",
                  "--port: servers listen in the guest")
        (first, port, guest), (second, other, _) = map(re.Match.groups, ports)
        tap.equal((first, guest, second), ("127.0.0.1", "7", "127.0.0.2"),
                  "--port 0:GUEST twice: printed in order, 127.0.0.1 by default")

        done = vm(["--port", f"{port}:7"], ["true"])
        tap.equal((done.returncode, done.stderr),
                  (125, f"images/vm: --port {port}:7: 127.0.0.1:{port}: "
                        "Address already in use\n"),
                  "--port with a port that is in use: status 125, an error that names it")
        with socket.socket() as connection:
            tap.ok(connection.connect_ex(("127.0.0.3", int(port))) != 0,
                   "--port: the same port of 127.0.0.3 is not forwarded")
        tap.equal(ask(first, int(port)), "seven: hello\n",
                  "--port: a connection reaches the guest's server")
        tap.equal(ask(second, int(other)), "eight: hello\n",
                  "--port with an address: a connection reaches the guest's server")
        errors = launcher.stderr.read()
    tap.equal(launcher.returncode, 0, "--port: the launcher ends with status 0")
    tap.ok("images/vm:" not in errors, "--port: no message when the launcher ends", errors)


def test_bad(tap):
    for options, message in BAD:
        done = vm(["--no-capture", *options], ["true"])
        what = " ".join(options)
        tap.equal(done.returncode, 125, f"{what}: status 125")
        tap.contains(done.stderr, message, f"{what}: the error names the cause")


tap = Tap()
tap.run(test_forward, test_bad)
sys.exit(tap.done())
