# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the guest's kernel: on its console, and in its taint flags."""
import re

FAULTS = re.compile(
    r"Kernel panic|\bOops\b|\bBUG[: ]|\bWARNING:|general protection fault|"
    r"unable to handle|soft lockup|hard LOCKUP|blocked for more than|"
    r"self-detected stall|detected stalls|possible (circular|recursive)|"
    r"inconsistent lock state|suspicious RCU usage|\bKASAN\b|\bKCSAN\b|"
    r"\bUBSAN\b|\bKFENCE\b|refcount_t:|Bad page state|"
    r"scheduling while atomic|sleeping function called|"
    r"list_(add|del) corruption|stack-protector|double fault|"
    r"Objects remaining|objects remaining|unregister_netdevice: waiting")

# The flags that tell of a fault; the others are about what was loaded.
TAINTS = {1: "a module was forced in", 4: "machine check", 5: "bad page",
          7: "oops", 9: "warning", 14: "soft lockup"}

SHOWN_LINES = 200


def read(path):
    """What the console has said so far."""
    try:
        with open(path, errors="replace", newline="") as log:
            return log.read().replace("\r", "")
    except FileNotFoundError:
        return ""


def fault(text):
    """The first line that tells of a fault, or None."""
    for line in text.splitlines():
        if FAULTS.search(line):
            return re.sub(r"^\[ *[0-9.]+\] ", "", line).strip()
    return None


def taint_faults(flags):
    """What the kernel's taint flags tell of faults, in words."""
    return [name for bit, name in TAINTS.items() if flags & 1 << bit]


def excerpt(text):
    """The part of the console that is worth showing: from just before the
    first fault, or else its end."""
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines)
                  if FAULTS.search(line)), None)
    if first is None:
        return "\n".join(lines[-SHOWN_LINES:])
    return "\n".join(lines[max(first - 20, 0):first + SHOWN_LINES])
