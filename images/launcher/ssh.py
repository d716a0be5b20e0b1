# SPDX-License-Identifier: GPL-2.0-or-later
"""The way into the guest by ssh(1), through a forwarded port."""
import os
import select
import shlex
import socket
import subprocess
import time

from .errors import Failure, describe

TRIES = 3
SECONDS_BETWEEN = 5
CONNECT_SECONDS = 60
SCRIPT_SECONDS = 120

# ssh's exit status for its own errors.
SSH_FAILED = 255

MOST_BYTES = 1 << 16

# The script must run as root, also if ssh logs in as another user.
BECOME_ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh; else exec sudo -n sh; fi'


def run_program(words, script, seconds):
    """Runs a program with script as its input; returns its status and its output.
    Only the last MOST_BYTES of the output, which is the guest's, are kept."""
    end = time.monotonic() + seconds
    output = b""
    try:
        with subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True) as program:
            try:
                program.stdin.write(script.encode())
                program.stdin.close()
                while True:
                    left = end - time.monotonic()
                    if left <= 0 or not select.select([program.stdout], [], [],
                                                      left)[0]:
                        raise Failure("the script did not end in time")
                    data = os.read(program.stdout.fileno(), MOST_BYTES)
                    if not data:
                        break
                    output = (output + data)[-MOST_BYTES:]
            except BaseException:
                program.kill()
                raise
    except OSError as error:
        raise Failure(describe(error)) from None
    return program.returncode, output.decode(errors="replace")


class Ssh:
    """An SSH server in the guest."""

    name = "ssh"
    title = "ssh"
    missing = "no server answers"

    def __init__(self, port, user, key, scale):
        self.port = port        # a forwards.Port
        self.user = user
        self.key = key
        self._scale = scale
        self._probe = None
        self._is_ready = False

    def is_ready(self):
        """Whether a server sends its greeting. An accepted connection is not enough:
        QEMU accepts it before it connects to the guest."""
        if self._is_ready:
            return True
        try:
            if not self._probe:
                self._probe = socket.create_connection(
                    (self.port.address, self.port.host), timeout=1)
                self._probe.setblocking(False)
            greeting = self._probe.recv(64)
            self._is_ready = greeting.startswith(b"SSH-")
            self._close()
        except BlockingIOError:
            pass
        except OSError:
            self._close()
        return self._is_ready

    def _close(self):
        if self._probe:
            self._probe.close()
        self._probe = None

    def command(self, *words, terminal=False):
        """ssh and its arguments. The host key is unknown and not checked; the
        connection is to the launcher's own QEMU."""
        options = {"StrictHostKeyChecking": "no",
                   "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR",
                   "ConnectTimeout": round(CONNECT_SECONDS * self._scale),
                   "BatchMode": "yes"}
        if self.key:
            options["IdentitiesOnly"] = "yes"
        return ["ssh", "-F", "/dev/null", "-p", str(self.port.host),
                "-l", self.user, "-t" if terminal else "-T",
                *(["-i", self.key] if self.key else []),
                *(word for name, value in options.items()
                  for word in ("-o", f"{name}={value}")),
                self.port.address, *words]

    def run(self, script):
        """Runs a script as root. If the script fails, its last line of output is
        the reason."""
        for number in range(TRIES):
            if number:
                # A system that is still starting may refuse logins.
                time.sleep(SECONDS_BETWEEN)
            status, output = run_program(self.command(BECOME_ROOT), script,
                                         SCRIPT_SECONDS * self._scale)
            if not status:
                return
            if status != SSH_FAILED:
                break
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        raise Failure(lines[-1][:200] if lines
                      else f"ssh ended with status {status}")

    def session(self, variables):
        """Runs an interactive shell on the terminal and returns its status."""
        words = []
        if variables:
            words = ["exec env " + " ".join(map(shlex.quote, variables))
                     + ' "${SHELL:-sh}" -l']
        return subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", "--",
             *self.command(*words, terminal=True)], check=False).returncode


def check_key(path):
    """Fails if the file of a private key is not readable."""
    if not os.path.isfile(path):
        raise Failure(f"--ssh-key {path}: no such file")
    if not os.access(path, os.R_OK):
        raise Failure(f"--ssh-key {path}: no permission to read it")
