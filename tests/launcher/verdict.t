#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's verdict: when it is complete, and malformed lines."""
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS.parent / "images")]
sys.dont_write_bytecode = True
from guest import vm  # noqa: E402
from launcher.verdict import Verdict  # noqa: E402
from tap import Tap  # noqa: E402

WHOLE = (b"count stdout 1000000\ncount stderr 0\nerror one: two\n"
         b"count get0 10240\nmissing 1 No such file\ntaint 12288\nexit 7\n")


def test_pieces(tap):
    verdict = Verdict()
    received = {"stdout": 1000000, "get0": 10240}
    for byte in WHOLE[:-1]:
        verdict.feed(bytes([byte]))
        if verdict.complete(received):
            break
    tap.ok(not verdict.complete(received),
           "a verdict without its last newline is not complete")
    verdict.feed(WHOLE[-1:])
    tap.ok(verdict.complete(received),
           "a verdict with its last newline is complete")
    tap.equal((verdict.status, verdict.taint, verdict.errors, verdict.missing,
               verdict.counts),
              (7, 12288, ["one: two"], {1: "No such file"},
               {"stdout": 1000000, "stderr": 0, "get0": 10240}),
              "a complete verdict: all its values are parsed")


def test_counts(tap):
    verdict = Verdict()
    verdict.feed(WHOLE)
    for what, received in (
            ("nothing", {}),
            ("a byte of stdout", {"stdout": 999999, "get0": 10240}),
            ("a file", {"stdout": 1000000}),
            ("part of a file", {"stdout": 1000000, "get0": 512})):
        tap.ok(not verdict.complete(received),
               f"a verdict, {what} of the counted data is " + (
                   "received" if not received else "missing") + ": not complete")


def test_garbage(tap):
    for line in (b"", b"exit", b"exit seven", b"count stdout", b"taint x",
                 b"missing", b"missing x y", b"hello", b"\xff\xfe"):
        verdict = Verdict()
        verdict.feed(line + b"\n")
        tap.equal((len(verdict.errors), verdict.status), (1, None),
                  f"malformed line of a verdict, {line!r}: an error")


def test_before_port(tap):
    """The kernel lacks a file system that init needs before it has found the port."""
    done = vm(["--no-capture", "--append",
               "initcall_blacklist=init_devpts_fs"], ["true"])
    tap.equal(done.returncode, 125, "a failure before the port: status 125")
    tap.contains(done.stderr, "guest: cannot mount /dev/pts: No such device",
                 "a failure before the port: the error has the reason")


tap = Tap()
tap.run(test_pieces, test_counts, test_garbage, test_before_port)
sys.exit(tap.done())
