# SPDX-License-Identifier: GPL-2.0-or-later
"""The way into the guest by the QEMU guest agent, qemu-ga(8).

Nothing that it says is trusted: it is a program of the guest's.
"""
import base64
import binascii
import json
import time

from .channel import Channel
from .errors import Failure

PORT = "org.qemu.guest_agent.0"

# The longest answer, to what is asked of it here; a longer one loses its start.
MOST_BYTES = 1 << 20

ANSWER_SECONDS = 30
SYNC_SECONDS = 10
SCRIPT_SECONDS = 120


class Agent:
    """The guest agent; its port's data goes to channel."""

    name = "agent"
    title = "the guest agent"
    missing = "no answer"

    def __init__(self, scale):
        self.channel = Channel(MOST_BYTES)
        self._scale = scale
        self._last_sync = 0     # when it was sent
        self._sync = 0          # the last one's number
        self._is_ready = False

    def is_ready(self):
        """Whether it answers; asks again from time to time, as what was asked
        before its start may be lost. With the answer to what was asked last there
        are no more to come."""
        if not self._is_ready:
            while (line := self.channel.line(0)) is not None:
                answer = self._parsed(line.rpartition(b"\xff")[2])
                self._is_ready |= answer.get("return") == self._sync
            if self._is_ready:
                return True
            if time.monotonic() >= self._last_sync + SYNC_SECONDS:
                self._last_sync = time.monotonic()
                self._sync += 1
                # A byte that JSON never has: it drops what it has of a message.
                self.channel.send(b"\xff")
                self._send("guest-sync-delimited", id=self._sync)
        return self._is_ready

    def run(self, script):
        """Runs a script as root; fails with what it says when it fails."""
        started = self._ask("guest-exec", path="/bin/sh", arg=["-c", script],
                            **{"capture-output": True})
        pid = started.get("pid") if isinstance(started, dict) else None
        if not isinstance(pid, int):
            raise Failure("it does not tell what it has started")
        end = time.monotonic() + SCRIPT_SECONDS * self._scale
        while time.monotonic() < end:
            state = self._ask("guest-exec-status", pid=pid)
            if isinstance(state, dict) and state.get("exited"):
                break
            time.sleep(0.2)
        else:
            raise Failure("the script does not end")
        if state.get("exitcode") != 0:
            raise Failure(self._output(state) or "the script failed")

    @staticmethod
    def _output(state):
        """The last line that a program has written."""
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
        """What it returns for a command."""
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
            raise Failure(f"{command}: {str(why or 'no sense')[:200]}")
        raise Failure(f"{command}: no answer")

    @staticmethod
    def _parsed(line):
        """An object in JSON; an empty one for anything else."""
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        return answer if isinstance(answer, dict) else {}
