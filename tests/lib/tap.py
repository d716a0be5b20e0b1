# SPDX-License-Identifier: GPL-2.0-or-later
"""A TAP producer: tests print through it and prove(1) reads them."""
import sys
import traceback


class Tap:
    """Counts results; done() prints the plan and gives the exit status."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, condition, name, *diagnostics):
        """One result; diagnostics are shown when it is a failure."""
        self.count += 1
        self.failed += not condition
        print(f"{'' if condition else 'not '}ok {self.count} - {name}")
        if not condition:
            for line in "\n".join(map(str, diagnostics)).splitlines():
                print("#", line)
        sys.stdout.flush()
        return bool(condition)

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
