# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of images/test."""
import argparse
import os
import shlex

from launcher.errors import Failure
from launcher.options import seconds

DEFAULT_ARTIFACTS = "test-artifacts"
MOST_JOBS = 1000

EPILOG = """\
A test is an executable file, which is run in a guest as images/vm would run it:
status 0 passes, 77 skips, and all others fail. Lines "# vm: OPTION..." at its
start are options of images/vm. DIR: all executable files in it.

--matrix KEY=VALUE,...: each test with each of the values. KEY is kernel (image:
the one that was built; a name in build/kernels; a folder with an image or a
build tree; FILE:MODULES), qemu (installed; a release as trixie; a path) or
another option of images/vm that takes a value.

Exit status: 0 when all passed or were skipped, 1 when some failed, 125 when the
runner itself failed, 128 and the signal's number after SIGINT, SIGTERM or SIGHUP.

The manual page has the rest, and examples (man images/test.1).
"""


class Parser(argparse.ArgumentParser):
    """argparse with the runner's exit status for a bad option."""

    def error(self, message):
        raise Failure(f"{message} (see images/test --help)")


def jobs(text):
    """A number of guests."""
    value = int(text)
    if not 1 <= value <= MOST_JOBS:
        raise ValueError
    return value


def make_parser():
    """The parser."""
    parser = Parser(
        prog="images/test", usage="images/test [options] DIR|FILE...",
        description="Run tests, each in a guest of its own.",
        epilog=EPILOG, allow_abbrev=False, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("paths", metavar="DIR|FILE", nargs="*", help=argparse.SUPPRESS)
    add("--jobs", metavar="N", type=jobs, default=os.cpu_count() or 1,
        help="so many guests at a time (default: as many as processors)")
    add("--matrix", metavar="KEY=VALUE[,VALUE...]", action="append",
        default=[], help="run each test with each of the values; repeatable, "
                         "for all combinations")
    add("--tap", action="store_true",
        help="results as TAP on standard output, for prove(1) (always so)")
    add("--junit", metavar="FILE", help="also as JUnit's XML in a file")
    add("--artifacts", metavar="DIR", default=DEFAULT_ARTIFACTS,
        help="where a folder for each test that fails is kept (default "
             f"{DEFAULT_ARTIFACTS})")
    add("--keep-all", action="store_true", help="also of those that pass")
    add("--timeout", metavar="SECONDS", type=seconds,
        help="end a test's guest after that long, 0: never (default: that of "
             "images/vm)")
    add("--vm", metavar="OPTIONS", action="append", default=[],
        help="options of images/vm for all tests, in one word; repeatable")
    add("--verbose", action="store_true",
        help="the output of all tests, as comments of TAP")
    add("--help", action="help", help="show this")
    return parser


def parse(words):
    """The options."""
    words = list(words)
    joined = []
    while words:                # a value may begin with "-"
        word = words.pop(0)
        if word in ("--vm", "--matrix") and words:
            word += "=" + words.pop(0)
        joined.append(word)
    options = make_parser().parse_args(joined)
    if not options.paths:
        raise Failure("no DIR or FILE (see images/test --help)")
    try:
        options.vm = [word for text in options.vm
                      for word in shlex.split(text)]
    except ValueError as error:
        raise Failure(f"--vm: {error}") from None
    return options
