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
A test is an executable file, which is run in a guest as by images/vm: with exit
status 0 it passed, with 77 it was skipped, with others it failed. Lines "# vm:
OPTION..." at its start are options of images/vm. DIR: all executable files in it.

--matrix KEY=VALUE,...: run each test with each of the values. KEY is kernel
(image: that of "make image"; a name in build/kernels; a folder with an image or a
build tree; FILE:MODULES), qemu (installed; a release such as trixie; a path) or
another option of images/vm that takes a value.

Exit status: 0 if all tests passed or were skipped, 1 if some failed, 125 if the
runner itself failed, 128 plus the signal's number after SIGINT, SIGTERM or SIGHUP.

For details and examples: man images/test.1
"""


class Parser(argparse.ArgumentParser):
    """argparse with the runner's exit status for a bad option."""

    def error(self, message):
        raise Failure(f"{message} (see images/test --help)")


def jobs(text):
    """Parses a number of guests."""
    value = int(text)
    if not 1 <= value <= MOST_JOBS:
        raise ValueError
    return value


def make_parser():
    """Makes the parser."""
    parser = Parser(
        prog="images/test", usage="images/test [options] DIR|FILE...",
        description="Run tests, each in a guest of its own.",
        epilog=EPILOG, allow_abbrev=False, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("paths", metavar="DIR|FILE", nargs="*", help=argparse.SUPPRESS)
    add("--jobs", metavar="N", type=jobs, default=os.cpu_count() or 1,
        help="number of guests at a time (default: number of processors)")
    add("--matrix", metavar="KEY=VALUE[,VALUE...]", action="append",
        default=[], help="run each test with each of the values; repeatable: "
                         "all combinations")
    add("--tap", action="store_true",
        help="print the outcomes as TAP; this is always done")
    add("--junit", metavar="FILE", help="write the outcomes as JUnit XML, too")
    add("--artifacts", metavar="DIR", default=DEFAULT_ARTIFACTS,
        help="where to keep a folder for each failed test (default "
             f"{DEFAULT_ARTIFACTS})")
    add("--keep-all", action="store_true", help="keep the folders of all tests")
    add("--timeout", metavar="SECONDS", type=seconds,
        help="time limit of a test's guest, 0: none (default: that of "
             "images/vm)")
    add("--vm", metavar="OPTIONS", action="append", default=[],
        help="options of images/vm for all tests, as one argument; repeatable")
    add("--verbose", action="store_true",
        help="print the output of all tests, as TAP comments")
    add("--help", action="help", help="print this text")
    return parser


def parse(words):
    """Parses the options."""
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
