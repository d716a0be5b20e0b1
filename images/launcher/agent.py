# SPDX-License-Identifier: GPL-2.0-or-later
"""The way into the guest by the QEMU guest agent, qemu-ga(8).

The agent's answers are untrusted: their length, their syntax, and the types of
their members are checked.
"""
import base64
import binascii
import json
import time

from .channel import Channel
from .errors import Failure

PORT = "org.qemu.guest_agent.0"

# Only the end of a longer answer is kept, which is not valid JSON.
MOST_BYTES = 1 << 20

ANSWER_SECONDS = 30
SYNC_SECONDS = 10
SCRIPT_SECONDS = 120


class Agent:
    """The guest agent. Data from its port goes to channel."""

    name = "agent"
    title = "the guest agent"
    missing = "no answer"

    def __init__(self, scale):
        self.channel = Channel(MOST_BYTES)
        self._scale = scale
        self._last_sync = 0     # when the last guest-sync-delimited was sent
        self._sync = 0          # its id
        self._is_ready = False

    def is_ready(self):
        """Whether the agent answers. The request is repeated, because it may be lost
        if the agent has not started yet. The agent answers in order, so after the
        answer to the last request no other answer is outstanding."""
        if not self._is_ready:
            while (line := self.channel.line(0)) is not None:
                answer = self._parsed(line.rpartition(b"\xff")[2])
                self._is_ready |= answer.get("return") == self._sync
            if self._is_ready:
                return True
            if time.monotonic() >= self._last_sync + SYNC_SECONDS:
                self._last_sync = time.monotonic()
                self._sync += 1
                # This byte, which is never in JSON, resets the agent's parser.
                self.channel.send(b"\xff")
                self._send("guest-sync-delimited", id=self._sync)
        return self._is_ready

    def run(self, script):
        """Runs a script as root. If the script fails, its last line of output is
        the reason."""
        started = self._ask("guest-exec", path="/bin/sh", arg=["-c", script],
                            **{"capture-output": True})
        pid = started.get("pid") if isinstance(started, dict) else None
        if not isinstance(pid, int):
            raise Failure("guest-exec: no process ID in the answer")
        end = time.monotonic() + SCRIPT_SECONDS * self._scale
        while time.monotonic() < end:
            state = self._ask("guest-exec-status", pid=pid)
            if isinstance(state, dict) and state.get("exited"):
                break
            time.sleep(0.2)
        else:
            raise Failure("the script did not end in time")
        if state.get("exitcode") != 0:
            raise Failure(self._output(state) or "the script failed")

    @staticmethod
    def _output(state):
        """The last line of a program's output."""
        for name in ("err-data", "out-data"):
            try:
                text = base64.b64decode(state.get(name, "")).decode(
                    errors="replace").strip()
            except (binascii.Error, TypeError, ValueError):
                continue
            if text:
                return text.splitlines()[-1][:200]
        return ""

    def _send(self, command, **arguments):
        message = {"execute": command, "arguments": arguments}
        self.channel.send(json.dumps(message).encode() + b"\n")

    def _ask(self, command, **arguments):
        """Executes a command of the agent and returns its result."""
        self._send(command, **arguments)
        end = time.monotonic() + ANSWER_SECONDS * self._scale
        while (left := end - time.monotonic()) > 0:
            line = self.channel.line(left)
            if line is None:
                break
            answer = self._parsed(line)
            if "return" in answer:
                return answer["return"]
            error = answer.get("error")
            why = error.get("desc") if isinstance(error, dict) else None
            raise Failure(f"{command}: {str(why or 'malformed answer')[:200]}")
        raise Failure(f"{command}: no answer")

    @staticmethod
    def _parsed(line):
        """Parses a JSON object; returns an empty one for anything else."""
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        return answer if isinstance(answer, dict) else {}
