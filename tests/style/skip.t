#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that cannot run on this machine fail, unless ALLOW_SKIP=1 is set."""
import os
import subprocess
import sys
from pathlib import Path

LIB = Path(__file__).resolve().parents[1] / "lib"
sys.path.insert(0, str(LIB))
import tree  # noqa: E402

ONE = """
from tap import Tap
tap = Tap()
tap.ok(True, "first")
tap.skip("second", "no such device"{more})
raise SystemExit(tap.done())
"""
ALL = """
from tap import skip_all
skip_all("no such device"{more})
"""

# The test's name, the program, more arguments of the skip, ALLOW_SKIP; exit status
# and results.
CASES = (
    ("a result that is skipped, as the machine lacks something: fails", ONE, "",
     "", 1,
     ["ok 1 - first", "not ok 2 - second: no such device", "1..2"]),
    ("a result that is skipped with ALLOW_SKIP=1: passes", ONE, "", "1", 0,
     ["ok 1 - first", "ok 2 - second # SKIP no such device", "1..2"]),
    ("a result that is skipped with ALLOW_SKIP=0: fails", ONE, "", "0", 1,
     ["ok 1 - first", "not ok 2 - second: no such device", "1..2"]),
    ("a result that is skipped, although the machine lacks nothing: passes", ONE,
     ", is_lacking=False", "", 0,
     ["ok 1 - first", "ok 2 - second # SKIP no such device", "1..2"]),
    ("a test file that is skipped, as the machine lacks something: fails", ALL, "",
     "", 1,
     ["not ok 1 - the whole test file: no such device", "1..1"]),
    ("a test file that is skipped with ALLOW_SKIP=1: passes", ALL, "", "1", 0,
     ["1..0 # SKIP no such device"]),
    ("a test file that is skipped, although the machine lacks nothing: passes",
     ALL, ", is_lacking=False", "", 0,
     ["1..0 # SKIP no such device"]),
)


def check(tap):
    """Runs each case, and checks that no test skips without tap.py."""
    for name, program, more, allow, status, lines in CASES:
        done = subprocess.run(
            [sys.executable, "-c", program.format(more=more)], text=True,
            env={**os.environ, "PYTHONPATH": str(LIB), "ALLOW_SKIP": allow},
            capture_output=True, check=False)
        tap.equal((done.returncode, done.stdout.splitlines()), (status, lines),
                  name)
    mark = "# " + "SKIP"
    # runner.t has it in the expected output of images/test.
    others = [name for name in tree.files()
              if name.startswith("tests/") and mark in tree.text(name)
              and (name.endswith(".py") or "python3" in tree.interpreter(name))
              and name not in ("tests/lib/tap.py", "tests/style/skip.t",
                               "tests/runner/runner.t")]
    tap.equal(others, [], "tests in Python skip with tap.py only")


tree.main(check)
