# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with the QEMU guest agent. It can run a program and read files, but cannot
stream a program's output, so tcpdump writes to a file in the guest, which is read
as it grows.

The agent's socket is an option, or found by QMP. A script in the guest ends tcpdump
and removes the file when the file is no longer read, even if this program was
killed."""
import base64
import binascii
import os
import time

from . import tcpdump
from .errors import Failure, plain
from .messages import Agent, Qmp, Refused

AGENT_PORT = "org.qemu.guest_agent.0"
DEVICE = "virtio-capture-pci"

# The largest read, and the longest answer that is accepted: base64 adds a third.
CHUNK = 1 << 18
MOST_ANSWER = 2 * CHUNK
# How often to read the file while it does not grow, and how often to tell the script
# how much was read.
LOOK_SECONDS = 0.2
TELL_SECONDS = 2
START_SECONDS = 15

# For sh in the guest; its arguments are a folder, the largest size of the file in
# KiB, the seconds that it may go unread, and tcpdump's arguments. The file "read" has
# a counter and the number of bytes read so far, which fallocate frees if it can.
# tcpdump's AppArmor profile allows it to write to *.pcap.
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
        echo "the file of frames in the guest has more than $most KiB, as it was not" \\
            "read, or fallocate cannot free what was read" >&2
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

# Seconds to wait for an answer, and for an answer when closing.
PATIENCE = 10
END_PATIENCE = 3


def find_agent(path):
    """Return the guest agent's socket of the QEMU with that QMP socket. Raise
    Failure if its devices cannot capture."""
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
        raise Failure(f"{qmp.name}: malformed answer to a command") from None
    finally:
        qmp.close()
    name = name.replace("disconnected:", "", 1)
    if not name.startswith("unix:") or ",server" not in name:
        raise Failure(f"{qmp.name}: the guest agent's chardev is {plain(name)!r}, "
                      "not a Unix socket on which QEMU listens")
    name = name[5:].split(",server")[0]
    if not os.path.isabs(name):
        raise Failure(f"{qmp.name}: the guest agent's socket {plain(name)!r} is "
                      "relative to QEMU's working directory, which QMP does not "
                      "report: set the option agent")
    return name


class Source:
    """The source for a guest with the QEMU guest agent."""

    interval = LOOK_SECONDS

    def __init__(self, options):
        words = tcpdump.arguments(options)
        if not options.agent and not options.qmp:
            raise Failure("neither a QMP socket nor a guest agent's socket is set: "
                          "they are options of the interface (tshark -o "
                          "extcap.virtio_capture_agent.qmp:SOCKET)")
        self._path = options.agent or find_agent(options.qmp)
        self._agent = Agent(self._path, MOST_ANSWER, PATIENCE)
        self.status = None
        self.text = b""
        self._pid = None
        self._handles = []      # of the files frames.pcap and read
        self._offset = 0
        self._told = (0, 0.0)   # number and time of the last _tell()
        try:
            self._start(words)
        except BaseException:
            self.close()
            raise

    def descriptors(self):
        """Return no descriptors: the agent is asked at intervals."""
        return []

    def _start(self, words):
        """Start tcpdump and open the files."""
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
                    raise Failure(f"{self._agent.name}: invalid file handle "
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
        """Return a field of an answer."""
        value = answer.get(name) if isinstance(answer, dict) else None
        if not isinstance(value, kind):
            raise Failure(f"{self._agent.name}: the answer has no {name}")
        return value

    def _bytes(self, answer, name):
        """Return decoded bytes in an answer."""
        text = answer.get(name, "") if isinstance(answer, dict) else None
        try:
            return base64.b64decode(text, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise Failure(f"{self._agent.name}: {name} is not valid base64"
                          ) from None

    def _look(self):
        """Check whether the script has ended."""
        answer = self._agent.ask("guest-exec-status", pid=self._pid)
        if self._field(answer, "exited", bool):
            self.status = answer.get("exitcode", answer.get("signal"))
            if not isinstance(self.status, int):
                raise Failure(f"{self._agent.name}: the answer has no exitcode")
            self.text = self._bytes(answer, "err-data")[-tcpdump.MOST_TEXT:]

    def _tell(self):
        """Tell the script how much was read."""
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
        """Read what was appended to the file; None when tcpdump has ended."""
        # Before the read, so that the last data are not missed.
        if self.status is None:
            self._look()
        answer = self._agent.ask("guest-file-read", handle=self._handles[0],
                                 count=CHUNK)
        data = self._bytes(answer, "buf-b64")
        if len(data) > CHUNK:
            raise Failure(f"{self._agent.name}: guest-file-read returned more than "
                          "was requested")
        self._offset += len(data)
        self.interval = 0.001 if len(data) == CHUNK else LOOK_SECONDS
        if not data and self.status is not None:
            return None
        if self.status is None:
            self._tell()
        return data

    def close(self):
        """End the script, without waiting for it."""
        # On a new connection, as an answer may be pending on the old one.
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
            pass        # the guest or its agent has ended
