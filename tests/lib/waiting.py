# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for a condition, with a time limit."""
import os
import time

# In seconds; a test waits this long only if it fails. TIME_SCALE: see images/vm.1.
PATIENCE = 20 * float(os.environ.get("TIME_SCALE") or "1")


def wait_for(condition, what):
    """Waits until condition() is true, and returns its result."""
    end = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} after {PATIENCE} s")
        time.sleep(0.001)
