# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the guest's kernel, in its console output and its taint flags."""
import collections
import re

from .streams import write_all

FAULTS = re.compile(
    r"Kernel panic|\bOops\b|\bBUG[: ]|\bWARNING:|general protection fault|"
    r"unable to handle|soft lockup|hard LOCKUP|blocked for more than|"
    r"self-detected stall|detected stalls|possible (circular|recursive)|"
    r"inconsistent lock state|trying to register non-static key|"
    r"suspicious RCU usage|lockdep is turned off|\bKASAN\b|\bKCSAN\b|"
    r"unreferenced object|new suspected memory leaks|"
    r"kmemleak: .*detector disabled|ODEBUG:|"
    r"\bUBSAN\b|\bKFENCE\b|refcount_t:|Bad page state|"
    r"scheduling while atomic|sleeping function called|"
    r"list_(add|del) corruption|stack-protector|double fault|"
    r"Objects remaining|objects remaining|unregister_netdevice: waiting")

KERNEL_TIME = r"^\[ *[0-9.]+\] "

# The flags that mean a fault. The others say which kind of module was loaded.
TAINTS = {1: "forced module load", 4: "machine check", 5: "bad page",
          7: "oops", 9: "warning", 14: "soft lockup"}

SHOWN_LINES = 200
LINES_BEFORE = 20
LONGEST_LINE = 1 << 16


class Console:
    """The console's output. Keeps the lines around the first fault, or the last
    lines if there is none. All output goes to the file log, if there is one."""

    def __init__(self, of_system=False, log=None):
        """of_system: a whole system writes to the console, so only lines with a
        kernel timestamp are checked. log: a file descriptor."""
        self.fault = None       # the first line that matches
        self._pattern = re.compile(KERNEL_TIME + f".*({FAULTS.pattern})") \
            if of_system else FAULTS
        self.log_error = None   # why the log is incomplete
        self._log = log
        self._rest = b""
        self._last = collections.deque(maxlen=SHOWN_LINES)
        self._around = []       # lines around the fault

    def feed(self, data):
        """Takes received data; empty data means the end."""
        self._keep(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._rest and (not data or len(self._rest) > LONGEST_LINE):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._line(line.replace(b"\r", b"").decode(errors="replace"))

    def _keep(self, data):
        if self._log is None or self.log_error:
            return
        try:
            write_all(self._log, data)
        except OSError as error:
            self.log_error = error

    def _line(self, line):
        self._last.append(line)
        if self.fault:
            if len(self._around) < LINES_BEFORE + SHOWN_LINES:
                self._around.append(line)
        elif self._pattern.search(line):
            self.fault = re.sub(KERNEL_TIME, "", line).strip()
            self._around = list(self._last)[-LINES_BEFORE - 1:]

    def excerpt(self):
        """The lines to show."""
        return "\n".join(self._around or self._last).rstrip("\n")


def taint_faults(flags):
    """Names of the faults that the kernel's taint flags report."""
    return [name for bit, name in TAINTS.items() if flags & 1 << bit]
