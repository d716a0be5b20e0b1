#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records on the port "follow" that the launcher accepts, and malformed ones."""
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS.parent / "images")]
sys.dont_write_bytecode = True
from launcher.gets import Follower, Get  # noqa: E402
from tap import Tap  # noqa: E402


def record(name, data=b"data", number=0, offset=0, **lengths):
    """A record of the port; lengths replace the right ones."""
    header = b"%9d %19d %9d %9d\n" % (
        number, offset, lengths.get("length", len(data)),
        lengths.get("name_length", len(name)))
    return header + name + data


def follow(folder, *data):
    """A follower of "file" that was fed with the data, and the files it made."""
    follower = Follower([Get(0, "file", folder)])
    for piece in data:
        follower.feed(piece)
    return follower, {str(path.relative_to(folder)): path.read_bytes()
                      for path in folder.rglob("*") if path.is_file()
                      and not path.name.endswith(".tar")}


def test_pieces(tap, folder):
    whole = record(b"file", b"one") + record(b"file", b"two", offset=3) \
        + record(b"file/not", b"x")
    follower, files = follow(folder, *(whole[n:n + 1]
                                       for n in range(len(whole))))
    tap.equal((follower.error, files), (None, {"followed0/file": b"onetwo"}),
              "records in pieces of one byte, and one below a file: only the file is written")


def test_again(tap, folder):
    _, files = follow(folder, record(b"file", b"long") + record(b"file", b"s")
                      + record(b"file", b"gap", offset=7))
    tap.equal(files, {"followed0/file": b"s"},
              "record with offset 0: truncates the file; with a gap: not written")


def test_malformed(tap, folder):
    for what, data in (
            ("a name that points out of the folder", record(b"../evil")),
            ("an absolute name", record(b"/evil")),
            ("a name with .. in the middle", record(b"file/../../evil")),
            ("another name", record(b"evil")),
            ("no name", record(b"")),
            ("a NUL", record(b"file/a\0b")),
            ("a number too large", record(b"file", number=1)),
            ("a number below 0", record(b"file", number=-1)),
            ("an offset below 0", record(b"file", offset=-1)),
            ("too much data", record(b"file", length=1 << 20)),
            ("a length below 0", record(b"file", length=-4)),
            ("no header", b"no numbers at all " * 9)):
        follower, files = follow(folder, data, record(b"file"))
        tap.equal((follower.error, files),
                  ("malformed record on the port follow", {}), f"port follow, {what}: refused")


tap = Tap()
for test in (test_pieces, test_again, test_malformed):
    with tempfile.TemporaryDirectory() as name:
        tap.run(lambda tap: test(tap, Path(name)))
sys.exit(tap.done())
