# SPDX-License-Identifier: GPL-2.0-or-later
"""A TAP producer: tests print results with it, which prove(1) reads. Diagnostics go to
the standard error, which prove(1) passes through.

A test that cannot run on this machine, without root for instance, fails, so that such
a run is not taken for a complete one: see Tap.skip() and skip_all(). With ALLOW_SKIP=1
in the environment it passes."""
import os
import sys
import traceback


def may_skip():
    """Returns whether tests that cannot run on this machine pass."""
    return os.environ.get("ALLOW_SKIP") == "1"


def skip_all(reason, is_lacking=True):
    """Ends a test file that cannot run; see Tap.skip()."""
    if is_lacking and not may_skip():
        tap = Tap()
        tap.skip("the whole test file", reason)
        sys.exit(tap.done())
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


class Tap:
    """Counts results; done() prints the plan and returns the exit status."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.fails = False      # whether the last result failed

    def ok(self, condition, name, *diagnostics):
        """Prints a result; diagnostics are printed if it is a failure."""
        self.count += 1
        self.fails = not condition
        self.failed += self.fails
        print(f"{'not ' if self.fails else ''}ok {self.count} - {name}",
              flush=True)
        if self.fails:
            self.note(f"{os.path.basename(sys.argv[0])} {self.count} - {name}")
            for line in "\n".join(map(str, diagnostics)).splitlines():
                self.note(line)
        return bool(condition)

    def skip(self, name, reason, is_lacking=True):
        """Prints a result for a test that cannot run. It passes if ALLOW_SKIP=1 is
        set, or if the reason is not this machine (is_lacking=False): Debian's server
        lacks a package, or there is nothing to test."""
        if is_lacking and not may_skip():
            self.ok(False, f"{name}: {reason}",
                    "ALLOW_SKIP=1 in the environment lets this pass")
        else:
            self.ok(True, f"{name} # SKIP {reason}")

    def note(self, line):
        """Prints a comment about the last result."""
        print("#", line, file=sys.stderr if self.fails else sys.stdout,
              flush=True)

    def equal(self, got, expected, name):
        """Passes if got is expected; otherwise prints both."""
        return self.ok(got == expected, name,
                       f"     got: {got!r}", f"expected: {expected!r}")

    def contains(self, text, part, name):
        """Passes if part occurs in text."""
        return self.ok(part in text, name, f"no {part!r} in:", text)

    def run(self, *tests):
        """Calls test functions with this object; an exception is a failure."""
        for test in tests:
            try:
                test(self)
            except Exception:
                self.ok(False, test.__name__, traceback.format_exc())

    def done(self):
        """Prints the plan; returns the exit status for sys.exit()."""
        print(f"1..{self.count}")
        return 1 if self.failed or not self.count else 0
