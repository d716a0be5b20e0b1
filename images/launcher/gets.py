# SPDX-License-Identifier: GPL-2.0-or-later
"""Files copied out of the guest: --get.

The launcher's folder keeps an archive of each file (images/guest/init/archive.c), and
copies of the files as they grow (images/guest/init/follow.c).
"""
import os
import shutil

from .errors import Failure, describe
from .files import target_path
from .place import put, unpack
from .streams import write_all
from .workspace import clear

HEADER_SIZE = 50
MOST_DATA = 1 << 15


class Get:
    """One --get; number is its position among them."""

    def __init__(self, number, spec, folder):
        self.source, _, self.target = spec.partition(":")
        self.number = number
        self.spec = spec
        self.path = os.path.normpath(os.path.join("/root", self.source))
        self.base = os.path.basename(self.path)
        self.archive = Archive(f"{folder}/get{number}.tar")
        self.followed = f"{folder}/followed{number}"

    def place(self):
        """The path that the file is written to."""
        return target_path(self.base, self.target, ".", os.path.isdir)

    def clear(self):
        """Removes temporary folders that killed launchers left beside the place."""
        place = os.path.realpath(self.place())
        clear(os.path.dirname(place))
        if os.path.isdir(place):
            clear(place)

    def check(self):
        """Fails if the target is not writable, so not only after COMMAND."""
        if not self.source:
            raise Failure(f"--get {self.spec}: no SRC")
        if not self.base:
            raise Failure(f"--get {self.spec}: the root folder has no name")
        folder = os.path.dirname(self.target.rstrip("/")) or "."
        if not os.path.isdir(folder):
            raise Failure(f"--get {self.spec}: no folder {folder}")
        place = self.place()
        folder = os.path.dirname(place) or "."
        # A target that ends in a slash may be a folder that does not exist.
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK) \
                and not os.access(place, os.W_OK):
            raise Failure(f"--get {self.spec}: cannot write to {folder}")


def make_gets(options, folder):
    """The files to copy out; their data is kept in the folder."""
    gets = [Get(number, spec, folder)
            for number, spec in enumerate(options.get)]
    places = {}
    for get in gets:
        get.check()
        place = os.path.realpath(get.place())
        if place in places:
            raise Failure(f"--get {get.spec}: --get {places[place]} has the "
                          "same target")
        places[place] = get.spec
    return gets


class Archive:
    """Keeps the data of a port in a file, until a write fails."""

    def __init__(self, path):
        self.path = path
        self.size = 0
        self.error = None
        self._file = open(path, "wb", buffering=0)

    def feed(self, data):
        """Takes received data."""
        if self.error:
            return
        try:
            write_all(self._file.fileno(), data)
            self.size += len(data)
        except OSError as error:
            # Leaves the space to the other files.
            self.error = error
            self._file.truncate(0)

    def close(self):
        """Ends the file: all data has been received."""
        self._file.close()


class Follower:
    """Receives files of the guest as they grow, from the port "follow". Its data is
    untrusted."""

    def __init__(self, gets):
        self.error = None
        self._gets = gets
        self._rest = b""

    def feed(self, data):
        """Takes received data."""
        if self.error:
            return
        self._rest += data
        try:
            while self._record():
                pass
        except (ValueError, IndexError):
            self.error = "malformed record on the port follow"

    def _record(self):
        """Takes the next record; returns false if it is incomplete."""
        if len(self._rest) < HEADER_SIZE:
            return False
        header = self._rest[:HEADER_SIZE]
        number, offset, length, name_length = map(int, header.split())
        if min(number, offset, length, name_length) < 0 \
                or length + name_length > MOST_DATA:
            raise ValueError
        start = HEADER_SIZE + name_length
        if len(self._rest) < start + length:
            return False
        get = self._gets[number]
        names = self._rest[HEADER_SIZE:start].split(b"/")
        if names[0] != os.fsencode(get.base) or b"\0" in names[-1] \
                or any(name in (b"", b".", b"..") for name in names):
            raise ValueError
        self._keep(os.path.join(os.fsencode(get.followed), *names), offset,
                   self._rest[start:start + length])
        self._rest = self._rest[start + length:]
        return True

    @staticmethod
    def _keep(path, offset, data):
        """Appends data to a copy. A copy to which a write fails grows no further."""
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "ab" if offset else "wb", buffering=0) as copy:
                if copy.tell() == offset:
                    write_all(copy.fileno(), data)
        except OSError:
            pass


class Problem:
    """Why a file is missing or incomplete. is_ours: the launcher failed."""

    def __init__(self, get, why, is_ours=False):
        side = "" if is_ours else "guest: "
        name = get.spec if is_ours else get.path
        self.text = f"{side}--get {name}: {why}"
        self.is_ours = is_ours


def bring_out(gets, verdict, received):
    """Writes all files to their targets; returns the problems."""
    return [problem for get in gets
            for problem in bring_one(get, verdict, received)]


def bring_one(get, verdict, received):
    """Writes as much of a file as was received to its target."""
    get.archive.close()
    name = f"get{get.number}"
    count = verdict.counts.get(name)
    why = verdict.missing.get(get.number)
    if why and not count:
        return [Problem(get, why)]
    try:
        if get.archive.error:
            raise get.archive.error
        if count is not None and received.get(name, 0) >= count:
            put(get.place(), lambda folder: unpack(get.archive.path, folder))
            return [Problem(get, why)] if why else []
        return [bring_rest(get)]
    except (OSError, Failure) as error:
        text = describe(error) if isinstance(error, OSError) else error
        return [Problem(get, text, is_ours=True)]


def bring_rest(get):
    """Writes the received part of an incomplete file to its target; returns the
    problem."""
    early = "the guest ended before it was sent"
    if os.path.exists(get.followed):
        size = sum(os.path.getsize(os.path.join(folder, name))
                   for folder, _, names in os.walk(get.followed)
                   for name in names)
        put(get.place(), lambda folder: shutil.copytree(get.followed, folder))
        return Problem(get, f"{early}; {get.place()} has the {size} bytes "
                            "received before")
    if get.archive.size:
        put(get.place(), lambda folder: unpack(get.archive.path, folder,
                                               is_part=True))
        return Problem(get, f"{early} completely; {get.place()} has a part")
    return Problem(get, f"{early}; nothing was received")
