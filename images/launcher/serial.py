# SPDX-License-Identifier: GPL-2.0-or-later
"""The way into the guest by its serial console, on which root can log in without a
password or a shell runs."""
import re
import time

from .channel import Channel
from .errors import Failure

MOST_BYTES = 1 << 16
SHELL_SECONDS = 60
SCRIPT_SECONDS = 120

LOGIN = re.compile(rb"login:\s*$|login: (?=\r?\n|\[)")
ENTER = re.compile(rb"press enter to activate", re.IGNORECASE)
PROMPT = re.compile(rb"[#$] (\x1b\[[0-9;?]*[a-zA-Z])*$")
REFUSED = re.compile(rb"assword: *$|login incorrect|permission denied\s*$",
                     re.IGNORECASE)

# The terminal's echo of the command does not contain its output.
QUESTION, ANSWER = b"echo vm-$((6 * 7))-shell\n", b"vm-42-shell"
END = "virtio-capture-end"


class Serial:
    """The serial console. Its data goes to channel."""

    name = "serial"
    title = "the serial console"
    missing = "no login prompt and no shell"

    def __init__(self, scale):
        self.channel = Channel(MOST_BYTES)
        self._scale = scale

    def is_ready(self):
        """Whether there is a prompt."""
        data = self.channel.data()
        if ENTER.search(data):
            self.channel.clear()
            self.channel.send(b"\n")
            return False
        return bool(LOGIN.search(data[-2000:]) or PROMPT.search(data))

    def run(self, script):
        """Runs a script as root. If the script fails, its last line of output is
        the reason."""
        self._log_in()
        self.channel.clear()
        # A terminal limits the length of lines, so those of the script are short.
        self.channel.send(f"stty -echo 2>/dev/null; sh <<'{END}'\n".encode())
        time.sleep(1)
        self.channel.send(f"{script}{END}\n".encode())
        self.channel.send(b"echo vm-$((6 * 7))-status-$?\n")
        found = self.channel.expect(
            lambda data: re.search(rb"(?s)(.*)vm-42-status-(\d+)", data),
            SCRIPT_SECONDS * self._scale)
        if not found:
            raise Failure("the script did not end in time")
        if found[2] != b"0":
            lines = [line for line in found[1].decode(
                errors="replace").splitlines() if re.search(r"\w", line)]
            raise Failure(lines[-1].lstrip("> ")[:200] if lines
                          else "the script failed")
        self.channel.send(b"stty echo; exit\n")

    def _log_in(self):
        """Logs in as root, unless a shell runs already."""
        if LOGIN.search(self.channel.data()[-2000:]):
            self.channel.clear()
            self.channel.send(b"root\n")
        end = time.monotonic() + SHELL_SECONDS * self._scale
        while time.monotonic() < end:
            found = self.channel.expect(
                lambda data: "refused" if REFUSED.search(data)
                else PROMPT.search(data), 5)
            if found == "refused":
                raise Failure("root needs a password")
            self.channel.send(QUESTION)
            if self.channel.expect(
                    lambda data: True if ANSWER in data else None, 10):
                return
        raise Failure("no shell answers")
