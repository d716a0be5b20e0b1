# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that images/vm runs for the same user. The launcher's folder has a
description of the guest, live.json, and a socket, live (images/launcher/live.py)."""
import json
import os
import socket
from typing import NamedTuple

from . import tcpdump
from .errors import Failure, describe, plain

PARENT = os.environ.get("TMPDIR") or "/tmp"
PREFIX = "virtio-capture-vm-"
MOST_DESCRIPTION = 1 << 20
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

HEADER_SIZE = 15
MOST_DATA = 1 << 15
CHUNK = 1 << 16


class Guest(NamedTuple):
    """A guest that can be watched."""

    pid: int        # of its launcher
    command: str
    nics: tuple
    folder: str


def folders():
    """Return the folders of all launchers."""
    try:
        names = os.listdir(PARENT)
    except OSError:
        names = []
    for name in names:
        if name.startswith(PREFIX):
            yield os.path.join(PARENT, name)


def open_folder(path):
    """Open a folder if it belongs to the user: other users can make folders with
    such names in /tmp."""
    descriptor = os.open(path, FOLDER)
    if os.fstat(descriptor).st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(path)


def connect(path):
    """Connect to the launcher of a folder, by a descriptor, as the path may be too
    long for a socket address."""
    descriptor = open_folder(path)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/live")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(descriptor)
    return connection


def describe_guest(path):
    """Return the guest of a folder."""
    descriptor = open_folder(path)
    try:
        file = os.open("live.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC,
                       dir_fd=descriptor)
    finally:
        os.close(descriptor)
    with open(file, "rb") as text:
        found = json.loads(text.read(MOST_DESCRIPTION))
    command = " ".join(map(str, found["command"])) or "a shell"
    nics = tuple(map(tcpdump.choose_nic, map(str, found["nics"])))
    if not nics:
        raise ValueError("no NIC")
    return Guest(int(found["pid"]), plain(command, 60), nics, path)


def guests():
    """Return all running guests, the newest first."""
    found = []
    for path in folders():
        try:
            guest = describe_guest(path)
            connect(path).close()
            found.append((os.stat(path).st_ctime, guest))
        except (OSError, ValueError, KeyError, TypeError, Failure):
            pass    # ended, not yet started, or without capture devices
    return [guest for _, guest in sorted(found, reverse=True)]


def choose_guest(pid):
    """Return the guest of the launcher with that process ID; if it is empty, the
    only guest."""
    there = guests()
    names = "; ".join(f"{guest.pid} ({guest.command})" for guest in there)
    if pid:
        there = [guest for guest in there if str(guest.pid) == pid]
        if not there:
            raise Failure(f"guest {plain(pid)!r}: no images/vm with this process "
                          "ID has a guest to capture in; running: "
                          f"{names or 'none'}")
    if not there:
        raise Failure("no guest of images/vm to capture in is running: it must be "
                      "run by the same user, with a capture device, and with the "
                      f"same TMPDIR, {plain(PARENT)}")
    if len(there) > 1:
        raise Failure(f"several guests are running, choose one: {names}")
    return there[0]


class Source:
    """The source for a guest of images/vm."""

    interval = None

    def __init__(self, options):
        guest = choose_guest(options.guest)
        options.nic = options.nic or guest.nics[0]
        words = tcpdump.arguments(options)
        self.status = None
        self.text = b""
        self._rest = b""
        request = b"".join(os.fsencode(word) + b"\0" for word in words)
        try:
            self._connection = connect(guest.folder)
            self._connection.sendall(b"s  0 %9d\n" % len(request) + request)
        except OSError as error:
            raise Failure(f"guest {guest.pid}: {describe(error)}") from None

    def descriptors(self):
        """Return the connection to the launcher."""
        return [self._connection.fileno()]

    def step(self):
        """Read what is available; None when the guest or tcpdump has ended."""
        try:
            data = self._connection.recv(CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            return None
        self._rest += data
        frames = []
        while self.status is None:
            found = self._record()
            if not found:
                return b"".join(frames)
            kind, value, content = found
            if kind == b"d":
                frames.append(content)
            elif kind == b"t":
                self.text = (self.text + content)[-tcpdump.MOST_TEXT:]
            else:
                self.status = value
        return b"".join(frames) or None

    def _record(self):
        """Return the next record if it is complete, else None."""
        if len(self._rest) < HEADER_SIZE:
            return None
        kind, _, value = self._rest[:HEADER_SIZE].split()
        value = int(value)
        length = 0 if kind == b"x" else value
        if kind not in (b"d", b"t", b"x") or not 0 <= length <= MOST_DATA:
            raise ValueError(kind)
        if len(self._rest) < HEADER_SIZE + length:
            return None
        content = self._rest[HEADER_SIZE:HEADER_SIZE + length]
        self._rest = self._rest[HEADER_SIZE + length:]
        return kind, value, content

    def close(self):
        """Disconnect, so that the launcher ends tcpdump."""
        self._connection.close()
