# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit status of a launch, and the reasons for it."""
import errno
import signal

from . import console
from .errors import describe
from .gets import bring_out
from .streams import say, show

TIMED_OUT = 124
FAILED = 125


def judge(options, guest, seen, gets, watched):
    """The exit status, after every reason for a failure was looked for.
    seen: the console; watched: what else takes in a port and may have an error, or
    None."""
    if guest.is_timed_out:
        say(f"the guest was ended after {options.timeout:g} s")
    reasons = kernel_reasons(guest, seen) + stream_reasons(guest)
    if guest.is_unreached and guest.entry.failure:
        reasons.append(guest.entry.failure)
    if options.keep and not guest.was_shut_down:
        say(f"--keep: the guest was not shut down; {options.disk.path} has what "
            "was written so far, as after a power failure")
    if seen.log_error:
        reasons.append(f"--console-log {options.console_log}: "
                       f"{describe(seen.log_error)}")
    reasons += capture_reasons(options, guest)
    problems = bring_out(gets, guest.verdict, guest.received)
    reasons += [problem.text for problem in problems if problem.is_ours]
    missing = [problem.text for problem in problems if not problem.is_ours]
    missing += [f"guest: {sink.error}" for sink in watched
                if sink and sink.error]
    if not guest.was_ended:
        reasons += missing
        missing = []
    verdict = guest.verdict
    if guest.errors.is_locked:
        reasons.append(f"--disk {options.disk.path}: another process has it "
                       "open" + ("" if options.keep else " to write to it"))
    elif guest.status:
        reasons.append(f"QEMU ended with status {guest.status}")
    elif guest.status == 0 and verdict.status is None and not reasons \
            and not is_own_shell(guest):
        reasons.append("the guest ended without a verdict")
    for reason in reasons + missing:
        say(reason)
    if reasons and verdict.status and not guest.was_ended:
        say(f"COMMAND's status was {verdict.status}")
    if is_console_wanted(guest, seen):
        say("the guest's console:")
        show(seen.excerpt())
    if reasons:
        return FAILED
    if is_reader_gone(guest):
        return 128 + signal.SIGPIPE
    if guest.is_timed_out:
        return TIMED_OUT
    if guest.entry and guest.entry.session_status is not None:
        return guest.entry.session_status
    return 0 if is_own_shell(guest) else verdict.status


def is_own_shell(guest):
    """Whether somebody has logged in on the console of a system that the launcher
    was not let into."""
    return bool(guest.entry and guest.entry.is_optional
                and not guest.verdict.has_started)


def kernel_reasons(guest, seen):
    """What is wrong with the guest and its kernel."""
    reasons = [f"guest: {error}" for error in guest.verdict.errors]
    if seen.fault:
        reasons.append(f"the guest's kernel: {seen.fault}")
    taints = console.taint_faults(guest.verdict.taint)
    if taints:
        reasons.append("the guest's kernel is tainted: " + ", ".join(taints))
    return reasons


def stream_reasons(guest):
    """What is wrong with the launcher's own input and output."""
    reasons = [f"{output.name}: {describe(output.error)}"
               for output in guest.outputs.values()
               if output.error and output.error.errno != errno.EPIPE]
    if guest.input_error:
        reasons.append(f"standard input: {describe(guest.input_error)}")
    return reasons


def capture_reasons(options, guest):
    """What is wrong with the files of --capture-dir. A QEMU that failed has told
    why it has not begun them."""
    wanted = [capture for capture in options.captures if capture]
    if guest.status is None or guest.status < 0:
        for capture in wanted:
            capture.trim()
    problems = [] if guest.status else [capture.problem()
                                        for capture in wanted]
    return [f"--capture-dir {options.capture_dir}: {problem}"
            for problem in problems if problem]


def is_reader_gone(guest):
    """Whether nobody reads the output any more."""
    return any(output.error and output.error.errno == errno.EPIPE
               for output in guest.outputs.values())


def is_console_wanted(guest, seen):
    """Whether the console tells more of what went wrong."""
    if not seen.excerpt():
        return False
    is_on_purpose = guest.was_ended and not guest.is_timed_out
    return bool(seen.fault or guest.verdict.errors
                or guest.is_unreached
                or (guest.is_timed_out or guest.verdict.status is None)
                and not is_on_purpose)
