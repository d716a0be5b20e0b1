# SPDX-License-Identifier: GPL-2.0-or-later
"""Files out of the guest: --get.

What comes is kept in the launcher's folder: each file's archive (archive.c in
images/guest/init), and copies of files as they grow (follow.c there).
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
    """One --get: number is its place among them."""

    def __init__(self, number, spec, folder):
        self.source, _, self.target = spec.partition(":")
        self.number = number
        self.spec = spec
        self.path = os.path.normpath(os.path.join("/root", self.source))
        self.base = os.path.basename(self.path)
        self.archive = Archive(f"{folder}/get{number}.tar")
        self.followed = f"{folder}/followed{number}"

    def place(self):
        """Where the file goes."""
        return target_path(self.base, self.target, ".", os.path.isdir)

    def clear(self):
        """Removes what killed launchers left beside the place."""
        place = os.path.realpath(self.place())
        clear(os.path.dirname(place))
        if os.path.isdir(place):
            clear(place)

    def check(self):
        """Fails now, and not after COMMAND, when it cannot be written."""
        if not self.source:
            raise Failure(f"--get {self.spec}: no SRC")
        if not self.base:
            raise Failure(f"--get {self.spec}: the root folder has no name")
        folder = os.path.dirname(self.target.rstrip("/")) or "."
        if not os.path.isdir(folder):
            raise Failure(f"--get {self.spec}: no folder {folder}")
        place = self.place()
        folder = os.path.dirname(place) or "."
        # A target with a slash at its end may be a folder that is not there.
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK) \
                and not os.access(place, os.W_OK):
            raise Failure(f"--get {self.spec}: cannot write to {folder}")


def make_gets(options, folder):
    """The files to bring out; the folder keeps what comes."""
    gets = [Get(number, spec, folder)
            for number, spec in enumerate(options.get)]
    places = {}
    for get in gets:
        get.check()
        place = os.path.realpath(get.place())
        if place in places:
            raise Failure(f"--get {get.spec}: --get {places[place]} goes to "
                          "the same place")
        places[place] = get.spec
    return gets


class Archive:
    """A file that takes in what the guest sends, for as long as it can."""

    def __init__(self, path):
        self.path = path
        self.size = 0
        self.error = None
        self._file = open(path, "wb", buffering=0)

    def feed(self, data):
        """Takes in more of it."""
        if self.error:
            return
        try:
            write_all(self._file.fileno(), data)
            self.size += len(data)
        except OSError as error:
            # The room may do for the other files.
            self.error = error
            self._file.truncate(0)

    def close(self):
        """No more comes."""
        self._file.close()


class Follower:
    """Takes in the port "follow": files of the guest as they grow. What it
    says is as good as the guest's kernel is then: nothing of it is trusted."""

    def __init__(self, gets):
        self.error = None
        self._gets = gets
        self._rest = b""

    def feed(self, data):
        """Takes in more of the port's records."""
        if self.error:
            return
        self._rest += data
        try:
            while self._record():
                pass
        except (ValueError, IndexError):
            self.error = "unexpected on the port follow"

    def _record(self):
        """Takes the next record; false when it is not all there."""
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
        """Adds data to a copy. One that cannot be written ends there."""
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "ab" if offset else "wb", buffering=0) as copy:
                if copy.tell() == offset:
                    write_all(copy.fileno(), data)
        except OSError:
            pass


class Problem:
    """Why a file is not there, or not whole. is_ours: the launcher failed."""

    def __init__(self, get, why, is_ours=False):
        side = "" if is_ours else "guest: "
        name = get.spec if is_ours else get.path
        self.text = f"{side}--get {name}: {why}"
        self.is_ours = is_ours


def bring_out(gets, verdict, received):
    """Puts all files in their places; returns the problems."""
    return [problem for get in gets
            for problem in bring_one(get, verdict, received)]


def bring_one(get, verdict, received):
    """Puts one file in its place, as much of it as there is."""
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
    """Puts in its place what there is of a file that was not sent to its
    end; returns what the problem is."""
    early = "the guest ended before it was sent"
    if os.path.exists(get.followed):
        size = sum(os.path.getsize(os.path.join(folder, name))
                   for folder, _, names in os.walk(get.followed)
                   for name in names)
        put(get.place(), lambda folder: shutil.copytree(get.followed, folder))
        return Problem(get, f"{early}; {get.place()} has the {size} bytes "
                            "that had come before")
    if get.archive.size:
        put(get.place(), lambda folder: unpack(get.archive.path, folder,
                                               is_part=True))
        return Problem(get, f"{early} to its end; {get.place()} has a part")
    return Problem(get, f"{early}; nothing came out")
