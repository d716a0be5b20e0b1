#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --env: variables in the environment of COMMAND, or of the shell."""
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS.parent / "images")]
sys.dont_write_bytecode = True
from guest import vm  # noqa: E402
from launcher.errors import Failure  # noqa: E402
from launcher.options import parse  # noqa: E402
from tap import Tap  # noqa: E402
from terminal import shell  # noqa: E402

BAD = (
    ("NAME", "no value (--env NAME=VALUE)"),
    ("=value", "the name '' does not consist of letters, digits and _"),
    ("1ST=value", "the name '1ST' does not consist of letters, digits and _"),
    ("A-B=value", "the name 'A-B' does not consist of letters, digits and _"),
    ("\u00c4=value", "the name '\u00c4' does not consist of letters"),
)


def test_command(tap):
    done = vm(["--no-capture", "--env", "LINES=a b\n c=d,e", "--env",
               "EMPTY=", "--env", "TWICE=first", "--env", "TWICE=second",
               "--env", "PATH=/bin:/nowhere", "--env", "HOME=/tmp"],
              ["sh", "-c", 'echo "$LINES|${EMPTY-unset}|$TWICE|$PATH|$HOME"'
                           "; pwd"])
    tap.equal((done.returncode, done.stderr), (0, ""),
              "--env, valid variables: COMMAND ends with status 0")
    tap.equal(done.stdout,
              "a b\n c=d,e||second|/bin:/nowhere|/tmp\n/root\n",
              "--env: COMMAND has the variables; of two with a name, the last one")


def test_shell(tap):
    """The shell on the console needs a terminal."""
    status, output = shell(["--no-capture", "--timeout", "120",
                            "--env", "GREETING=hello"],
                           b'echo "<$GREETING>"; exit 3')
    tap.equal(status, 3, "a shell with --env: its status is passed on")
    tap.ok(b"\n<hello>" in output, "a shell with --env: it has the variable", output)


def test_bad(tap):
    for text, message in BAD:
        done = vm(["--env", text], ["true"])
        tap.equal(done.returncode, 125, f"--env {text}: status 125")
        tap.contains(done.stderr, f"--env {text}: {message}",
                     f"--env {text}: the error has {message!r}")


def test_nul(tap):
    """No program can be started with such an argument."""
    try:
        parse(["--env", "A=b\0c", "--", "true"])
        tap.ok(False, "--env, a value with a NUL character: an error")
    except Failure as error:
        tap.equal(str(error), "--env A: the value has a NUL character",
                  "--env, a value with a NUL character: an error")


tap = Tap()
tap.run(test_command, test_shell, test_bad, test_nul)
sys.exit(tap.done())
