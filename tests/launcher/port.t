#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --port: TCP ports of the host that lead into the guest."""
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
    (["--port", "80"], "--port 80: '' is no port (0 to 65535)"),
    (["--port", "80:"], "--port 80:: '' is no port (1 to 65535)"),
    (["--port", "80:0"], "--port 80:0: '0' is no port (1 to 65535)"),
    (["--port", "65536:80"], "--port 65536:80: '65536' is no port"),
    (["--port", "http:80"], "--port http:80: 'http' is no port"),
    (["--port", "localhost:8080:80"],
     "--port localhost:8080:80: 'localhost' is no IPv4 address"),
    (["--port", ":8080:80"], "--port :8080:80: '' is no IPv4 address"),
    (["--port", "1.2.3.4,x=y:8080:80"], "'1.2.3.4,x=y' is no IPv4 address"),
    (["--port", "192.0.2.1:0:80"],
     "--port 192.0.2.1:0:80: 192.0.2.1:0: Cannot assign requested address"),
    (["--port", "8080:80", "--port", "127.0.0.1:8080:81"],
     "--port 127.0.0.1:8080:81: --port 8080:80 has the same port"),
    (["--port", "8080:80", "--netdev", "hubport,hubid=0"],
     f"--port 8080:80: {USER}"),
    (["--port", "8080:80", "--nic", "none"], f"--port 8080:80: {USER}"),
)


def ask(address, port):
    """What the service there answers."""
    with socket.create_connection((address, port), 60) as connection:
        connection.sendall(b"hello\n")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as answer:
            return answer.read()


def test_forward(tap):
    """On the second NIC: the first has another netdev."""
    with subprocess.Popen(
            [VM, "--no-capture", "--netdev", "hubport,hubid=0", "--netdev",
             "user", "--port", "0:7", "--port", "127.0.0.2:0:8",
             "--", "sh", "-c", SERVE],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as launcher:
        said = [launcher.stderr.readline() for _ in range(2)]
        told = [re.fullmatch(r"images/vm: (127\.0\.0\.\d):(\d+) leads to the "
                             r"guest's port (\d)\n", line) for line in said]
        if not tap.ok(all(told), "--port: the free ports are told", *said):
            launcher.kill()
            return
        tap.equal(launcher.stdout.readline(), "ready\n",
                  "--port: the guest's servers listen")
        (first, port, guest), (second, other, _) = map(re.Match.groups, told)
        tap.equal((first, guest, second), ("127.0.0.1", "7", "127.0.0.2"),
                  "--port: told in their order, the loopback where no address is given")

        done = vm(["--port", f"{port}:7"], ["true"])
        tap.equal((done.returncode, done.stderr),
                  (125, f"images/vm: --port {port}:7: 127.0.0.1:{port}: "
                        "Address already in use\n"),
                  "--port that is taken: the error says so")
        with socket.socket() as connection:
            tap.ok(connection.connect_ex(("127.0.0.3", int(port))) != 0,
                   "--port: another address of the host is not forwarded")
        tap.equal(ask(first, int(port)), "seven: hello\n",
                  "--port: a connection leads into the guest")
        tap.equal(ask(second, int(other)), "eight: hello\n",
                  "--port with an address: a connection leads into the guest")
        errors = launcher.stderr.read()
    tap.equal(launcher.returncode, 0, "--port: status 0")
    tap.ok("images/vm:" not in errors, "--port: no message at the end", errors)


def test_bad(tap):
    for options, message in BAD:
        done = vm(["--no-capture", *options], ["true"])
        what = " ".join(options)
        tap.equal(done.returncode, 125, f"{what}: status 125")
        tap.contains(done.stderr, message, f"{what}: the error says why")


tap = Tap()
tap.run(test_forward, test_bad)
sys.exit(tap.done())
