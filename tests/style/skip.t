#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot be tested on this machine fails, unless ALLOW_SKIP=1 is set."""
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

# The program, what else it says of the reason, ALLOW_SKIP; status and results.
CASES = (
    ("a result that this machine lacks something for", ONE, "", "", 1,
     ["ok 1 - first", "not ok 2 - second: no such device", "1..2"]),
    ("with ALLOW_SKIP=1", ONE, "", "1", 0,
     ["ok 1 - first", "ok 2 - second # SKIP no such device", "1..2"]),
    ("with ALLOW_SKIP=0", ONE, "", "0", 1,
     ["ok 1 - first", "not ok 2 - second: no such device", "1..2"]),
    ("a result that the machine is not to blame for", ONE,
     ", is_lacking=False", "", 0,
     ["ok 1 - first", "ok 2 - second # SKIP no such device", "1..2"]),
    ("a whole test", ALL, "", "", 1,
     ["not ok 1 - all of it: no such device", "1..1"]),
    ("a whole test with ALLOW_SKIP=1", ALL, "", "1", 0,
     ["1..0 # SKIP no such device"]),
    ("a whole test with nothing to test", ALL, ", is_lacking=False", "", 0,
     ["1..0 # SKIP no such device"]),
)


def check(tap):
    """Each case; and that no test skips in another way."""
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
    tap.equal(others, [], "no test in Python skips but by tap.py")


tree.main(check)
