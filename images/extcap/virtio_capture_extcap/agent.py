# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with the QEMU guest agent. It can run a program and read files, but cannot
stream a program's output, so tcpdump writes to a file in the guest, which is read
as it grows.

The agent's socket is given, or found by QMP. A script in the guest ends tcpdump and
removes the file when it is not read any longer, even if this program was killed."""
import base64
import binascii
import os
import time

from . import tcpdump
from .errors import Failure, plain
from .messages import Agent, Qmp, Refused

AGENT_PORT = "org.qemu.guest_agent.0"
DEVICE = "virtio-capture-pci"

# The most that is read at a time, and the longest answer that is accepted: base64
# takes a third more.
CHUNK = 1 << 18
MOST_ANSWER = 2 * CHUNK
# How often a file is read that has not grown, and how often the script is told how
# much was read.
LOOK_SECONDS = 0.2
TELL_SECONDS = 2
START_SECONDS = 15

# For sh in the guest; its arguments are a folder, how many KiB of unread frames the
# file may have, how many seconds it may go unread, and tcpdump's arguments. The file
# "read" has a counter and the number of bytes read so far, which fallocate frees,
# where it can. tcpdump's AppArmor profile lets it write to *.pcap.
SCRIPT = """
folder=$1 most=$2 patience=$3
shift 3
umask 077
@CHOOSE@
mkdir "$folder" || exit 125
echo 0 0 >"$folder/read"
"$@" >"$folder/frames.pcap" &
program=$!
trap 'kill "$program" 2>/dev/null' TERM
last= silent=0 freed=0
while kill -0 "$program" 2>/dev/null; do
    sleep 1
    read -r number offset <"$folder/read"
    silent=$((silent + 1))
    [ "$number" = "$last" ] || silent=0
    last=$number
    if [ "$((offset - freed))" -gt 1048576 ] && fallocate -p -o 0 -l "$offset" \\
        "$folder/frames.pcap" 2>/dev/null; then
        freed=$offset
    fi
    used=$(du -k "$folder/frames.pcap")
    if [ "$silent" -ge "$patience" ]; then
        kill "$program"
    elif [ "${used%%[!0-9]*}" -gt "$most" ]; then
        echo "the guest's file of frames has $most KiB that were not read, or that" \\
            "fallocate cannot give back" >&2
        kill "$program"
        failed=125
    fi
done
wait "$program"
status=${failed:-$?}
rm -rf "$folder"
exit "$status"
""".replace("@CHOOSE@\n", tcpdump.CHOOSE)
MOST_KIB = 1 << 16
SILENCE = 20

# Seconds for an answer, and for one at the end.
PATIENCE = 10
END_PATIENCE = 3


def find_agent(path):
    """The agent's socket, of the QEMU with that QMP socket, whose devices are to
    be able to capture."""
    qmp = Qmp(path)
    try:
        chardev = None
        capturing = []
        for device, properties in qmp.devices():
            kind = qmp.get(device, "type")
            if kind == DEVICE:
                capturing.append(qmp.get(device, "capture"))
            if kind == "virtserialport" and "chardev" in properties \
                    and qmp.get(device, "name") == AGENT_PORT:
                chardev = qmp.get(device, "chardev")
        if not capturing:
            raise Failure(f"{qmp.name}: there is no device {DEVICE}")
        if not any(capturing):
            raise Failure(f"{qmp.name}: capture is switched off for all devices "
                          f"{DEVICE}")
        if chardev is None:
            raise Failure(f"{qmp.name}: there is no port {AGENT_PORT}, which a "
                          "guest agent needs")
        name = next((str(item["filename"]) for item in qmp.ask("query-chardev")
                     if item["label"] == chardev), "")
    except (KeyError, TypeError):
        raise Failure(f"{qmp.name}: the answer is not what QMP gives") from None
    finally:
        qmp.close()
    name = name.replace("disconnected:", "", 1)
    if not name.startswith("unix:") or ",server" not in name:
        raise Failure(f"{qmp.name}: the guest agent's end is {plain(name)!r}, and "
                      "not a Unix socket that QEMU listens on")
    name = name[5:].split(",server")[0]
    if not os.path.isabs(name):
        raise Failure(f"{qmp.name}: the guest agent's socket {plain(name)!r} is "
                      "in QEMU's folder, which QMP does not tell: name the "
                      "socket")
    return name


class Source:
    """The frames of such a guest."""

    interval = LOOK_SECONDS

    def __init__(self, options):
        words = tcpdump.arguments(options)
        if not options.agent and not options.qmp:
            raise Failure("neither a QMP socket nor the guest agent's: they are "
                          "options of the interface (tshark -o "
                          "extcap.virtio_capture_agent.qmp:SOCKET)")
        self._path = options.agent or find_agent(options.qmp)
        self._agent = Agent(self._path, MOST_ANSWER, PATIENCE)
        self.status = None
        self.text = b""
        self._pid = None
        self._handles = []      # the files frames.pcap and read
        self._offset = 0
        self._told = (0, 0.0)   # how often, and when
        try:
            self._start(words)
        except BaseException:
            self.close()
            raise

    def descriptors(self):
        """There is nothing to poll."""
        return []

    def _start(self, words):
        """Starts tcpdump and opens the files."""
        folder = f"/run/virtio-capture-{os.urandom(8).hex()}"
        self._pid = self._field(self._agent.ask(
            "guest-exec", path="/bin/sh",
            arg=["-c", SCRIPT, "sh", folder, str(MOST_KIB), str(SILENCE), *words],
            **{"capture-output": True}), "pid", int)
        end = time.monotonic() + START_SECONDS
        while len(self._handles) < 2:
            name, mode = (("frames.pcap", "r"), ("read", "r+"))[
                len(self._handles)]
            try:
                handle = self._agent.ask("guest-file-open", mode=mode,
                                         path=f"{folder}/{name}")
                if not isinstance(handle, int):
                    raise Failure(f"{self._agent.name}: a file's handle is "
                                  f"{plain(str(handle))}")
                self._handles.append(handle)
            except Refused as error:
                # The file does not exist yet, or the script has failed.
                self._look()
                if self.status is not None:
                    raise Failure(tcpdump.complaint(self.text, self.status)
                                  ) from None
                if time.monotonic() > end:
                    raise error
                time.sleep(LOOK_SECONDS)
        self._tell()

    def _field(self, answer, name, kind):
        """A field of what the guest has answered."""
        value = answer.get(name) if isinstance(answer, dict) else None
        if not isinstance(value, kind):
            raise Failure(f"{self._agent.name}: the answer has no {name}")
        return value

    def _bytes(self, answer, name):
        """Bytes in an answer."""
        text = answer.get(name, "") if isinstance(answer, dict) else None
        try:
            return base64.b64decode(text, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise Failure(f"{self._agent.name}: {name} is not what it ought to be"
                          ) from None

    def _look(self):
        """Looks whether the script has ended."""
        answer = self._agent.ask("guest-exec-status", pid=self._pid)
        if self._field(answer, "exited", bool):
            self.status = answer.get("exitcode", answer.get("signal"))
            if not isinstance(self.status, int):
                raise Failure(f"{self._agent.name}: the answer has no exitcode")
            self.text = self._bytes(answer, "err-data")[-tcpdump.MOST_TEXT:]

    def _tell(self):
        """Tells the script how much was read."""
        number, last = self._told
        now = time.monotonic()
        if number and now - last < TELL_SECONDS:
            return
        self._told = (number + 1, now)
        text = f"{number + 1:9} {self._offset:19}\n".encode()
        handle = self._handles[1]
        self._agent.ask("guest-file-seek", handle=handle, offset=0, whence=0)
        self._agent.ask("guest-file-write", handle=handle,
                        **{"buf-b64": base64.b64encode(text).decode()})
        self._agent.ask("guest-file-flush", handle=handle)

    def step(self):
        """Takes what the file has gained; None when tcpdump has ended."""
        # Before the read, so that no data can be missed after the end.
        if self.status is None:
            self._look()
        answer = self._agent.ask("guest-file-read", handle=self._handles[0],
                                 count=CHUNK)
        data = self._bytes(answer, "buf-b64")
        if len(data) > CHUNK:
            raise Failure(f"{self._agent.name}: more was read than asked for")
        self._offset += len(data)
        self.interval = 0.001 if len(data) == CHUNK else LOOK_SECONDS
        if not data and self.status is not None:
            return None
        if self.status is None:
            self._tell()
        return data

    def close(self):
        """Ends the script, without waiting for it."""
        # A new connection: an interrupted command may still be answered.
        self._agent.close()
        try:
            agent = Agent(self._path, MOST_ANSWER, END_PATIENCE)
            try:
                for handle in self._handles:
                    agent.ask("guest-file-close", handle=handle)
                if self._pid is not None and self.status is None:
                    agent.ask("guest-exec", path="/bin/sh",
                              arg=["-c", 'kill "$1"', "sh", str(self._pid)])
            finally:
                agent.close()
        except Failure:
            pass        # the guest, or its agent, has gone
