# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit status of a launch, and the reasons for it."""
import errno
import signal

from .console import taint_faults
from .errors import describe
from .gets import bring_out
from .streams import say, show

TIMED_OUT = 124
FAILED = 125


def judge(options, guest, console, gets, watched):
    """Prints the reasons for a failure and returns the exit status. watched: other
    sinks that may have an error, or None."""
    if guest.is_timed_out:
        say(f"the guest was ended after {options.timeout:g} s")
    reasons = kernel_reasons(guest, console) + stream_reasons(guest)
    if guest.is_unreached and guest.entry.failure:
        reasons.append(guest.entry.failure)
    if options.keep and not guest.was_shut_down:
        say(f"--keep: the guest was not shut down; {options.disk.path} has what "
            "was written so far, as after a power failure")
    if console.log_error:
        reasons.append(f"--console-log {options.console_log}: "
                       f"{describe(console.log_error)}")
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
                       "open" + ("" if options.keep else " for writing"))
    elif guest.status:
        reasons.append(f"QEMU ended with status {guest.status}")
    elif guest.status == 0 and verdict.status is None and not reasons \
            and not is_own_shell(guest):
        reasons.append("the guest ended without a verdict")
    for reason in reasons + missing:
        say(reason)
    if reasons and verdict.status and not guest.was_ended:
        say(f"COMMAND's status was {verdict.status}")
    if is_console_wanted(guest, console):
        say("the guest's console:")
        show(console.excerpt())
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
    """Whether the user had only the console's login, because no root shell could be
    started."""
    return bool(guest.entry and guest.entry.is_optional
                and not guest.verdict.has_started)


def kernel_reasons(guest, console):
    """Failures of the guest and its kernel."""
    reasons = [f"guest: {error}" for error in guest.verdict.errors]
    if console.fault:
        reasons.append(f"the guest's kernel: {console.fault}")
    taints = taint_faults(guest.verdict.taint)
    if taints:
        reasons.append("the guest's kernel is tainted: " + ", ".join(taints))
    return reasons


def stream_reasons(guest):
    """Failures of the launcher's standard input and output."""
    reasons = [f"{output.name}: {describe(output.error)}"
               for output in guest.outputs.values()
               if output.error and output.error.errno != errno.EPIPE]
    if guest.input_error:
        reasons.append(f"standard input: {describe(guest.input_error)}")
    return reasons


def capture_reasons(options, guest):
    """Failures of the files of --capture-dir. If QEMU failed, it has printed why it
    did not create them."""
    wanted = [capture for capture in options.captures if capture]
    if guest.status is None or guest.status < 0:
        for capture in wanted:
            capture.trim()
    problems = [] if guest.status else [capture.problem()
                                        for capture in wanted]
    return [f"--capture-dir {options.capture_dir}: {problem}"
            for problem in problems if problem]


def is_reader_gone(guest):
    """Whether the output is a pipe without a reader."""
    return any(output.error and output.error.errno == errno.EPIPE
               for output in guest.outputs.values())


def is_console_wanted(guest, console):
    """Whether the console's output may show what went wrong."""
    if not console.excerpt():
        return False
    is_on_purpose = guest.was_ended and not guest.is_timed_out
    return bool(console.fault or guest.verdict.errors
                or guest.is_unreached
                or (guest.is_timed_out or guest.verdict.status is None)
                and not is_on_purpose)
