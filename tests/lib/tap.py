# SPDX-License-Identifier: GPL-2.0-or-later
"""A TAP producer: tests print through it and prove(1) reads them. What is
wrong goes to the standard error, which prove(1) lets pass.

A result that this machine cannot give is a failure, so that nobody takes a run
without root, say, for a whole one: see Tap.skip() and skip_all(). ALLOW_SKIP=1 in
the environment lets them pass."""
import os
import sys
import traceback


def may_skip():
    """Whether the user accepts results that this machine cannot give."""
    return os.environ.get("ALLOW_SKIP") == "1"


def skip_all(reason, is_lacking=True):
    """Ends a test none of which can run; see Tap.skip()."""
    if is_lacking and not may_skip():
        tap = Tap()
        tap.skip("all of it", reason)
        sys.exit(tap.done())
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


class Tap:
    """Counts results; done() prints the plan and gives the exit status."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.fails = False      # the last one

    def ok(self, condition, name, *diagnostics):
        """One result; diagnostics are shown when it is a failure."""
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
        """One result that cannot be had here. It passes if ALLOW_SKIP=1 is set,
        or if this machine lacks nothing: Debian's server does, or there is
        nothing to test."""
        if is_lacking and not may_skip():
            self.ok(False, f"{name}: {reason}",
                    "ALLOW_SKIP=1 in the environment lets this pass")
        else:
            self.ok(True, f"{name} # SKIP {reason}")

    def note(self, line):
        """More about the last result."""
        print("#", line, file=sys.stderr if self.fails else sys.stdout,
              flush=True)

    def equal(self, got, expected, name):
        """Passes when got is expected, and shows both when it is not."""
        return self.ok(got == expected, name,
                       f"     got: {got!r}", f"expected: {expected!r}")

    def contains(self, text, part, name):
        """Passes when part occurs in text."""
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
