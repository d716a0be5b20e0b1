# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher: from the command line to the exit status."""
import os
import shutil
import signal
import sys
import tempfile
import termios

from . import console, files, image, qemu
from .errors import Failure, Interrupted, TimedOut
from .guest import Guest, say, stdin_is_worth_passing
from .options import DEFAULT_TIMEOUT, parse

TIMED_OUT = 124
FAILED = 125
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(words):
    """Runs one guest; returns the exit status."""
    saved = terminal_state()
    try:
        options = parse(words)
        catch_signals()
        # None may come between the making of the folder and the block.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        with tempfile.TemporaryDirectory(prefix="vm-") as folder:
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
                return launch(options, folder)
            finally:
                # Cleaning up is not to be interrupted.
                signal.setitimer(signal.ITIMER_REAL, 0)
                for number in SIGNALS:
                    signal.signal(number, signal.SIG_IGN)
    except Failure as error:
        say(error)
        return FAILED
    except Interrupted as error:
        return 128 + error.number
    except BrokenPipeError:
        # Nobody reads the output. Nothing is left for Python to flush there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    finally:
        restore_terminal(saved)


def catch_signals():
    """Signals and the time limit unwind the stack from wherever it is."""
    def interrupt(number, _frame):
        raise Interrupted(number)

    def time_out(_number, _frame):
        raise TimedOut

    for number in SIGNALS:
        signal.signal(number, interrupt)
    signal.signal(signal.SIGALRM, time_out)


def terminal_state():
    """The terminal's settings, which QEMU changes for its console."""
    try:
        return termios.tcgetattr(0)
    except (termios.error, OSError, ValueError):
        return None


def restore_terminal(saved):
    """Undoes what a QEMU that was killed could not undo itself."""
    if saved is not None:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


def guest_settings(options, has_stdin):
    """What init is told: see images/init/config.c."""
    settings = []
    for number, model in enumerate(options.nic):
        if model.split(",")[0] == "none":
            continue
        settings.append(("nic", qemu.nic_mac(model, number)[0]))
        if options.netdev[number].split(",")[0] == "user":
            settings.append(("dhcp", 1))
    settings += [("get", os.path.normpath(os.path.join(
                      "/root", spec.partition(":")[0])))
                 for spec in options.get]
    if not options.no_capture:
        settings.append(("capture", 1))
    if has_stdin:
        settings.append(("stdin", 1))
    if options.command:
        settings += [("arg", word) for word in options.command]
    else:
        size = shutil.get_terminal_size()
        settings += [("term", os.environ.get("TERM", "linux")),
                     ("rows", size.lines), ("columns", size.columns)]
    return settings


def launch(options, folder):
    """Boots the guest and judges it."""
    if not options.command and not os.isatty(0):
        # A shell that reads a file or a pipe is a command like any other.
        options.command = ["sh"]
    has_stdin = bool(options.command) and stdin_is_worth_passing()
    limit = options.timeout
    if limit is None:
        limit = DEFAULT_TIMEOUT if options.command else 0
    files.check_targets(options)
    kernel = image.choose_kernel(options.kernel)
    initrd, log = f"{folder}/initrd", f"{folder}/console"
    image.write_initrd(initrd, guest_settings(options, has_stdin),
                       options.add, folder)

    archives = [open(f"{folder}/get{number}.tar", "wb")
                for number in range(len(options.get))]
    ports = {"result": None}
    if options.command:
        ports.update(stdout=1, stderr=2)
    if has_stdin:
        ports["stdin"] = None
    ports.update((f"get{number}", archive.fileno())
                 for number, archive in enumerate(archives))

    with Guest(ports) as guest, open(f"{folder}/errors", "w+") as errors:
        words = qemu.command_line(options, kernel, initrd, log,
                                  guest.descriptors())
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            guest.start(words, not options.command, errors,
                        qemu.inherited(options))
            if has_stdin:
                guest.feed_stdin()
            status = guest.run()
        except TimedOut:
            status = None
            say(f"the guest was ended after {limit:g} s")
        signal.setitimer(signal.ITIMER_REAL, 0)
        errors.seek(0)
        sys.stderr.write(errors.read())
    return judge(options, guest.verdict, status, console.read(log), folder)


def judge(options, verdict, status, text, folder):
    """The exit status, after every reason for a failure was looked for.
    status: QEMU's, None after a time-out; text: what the console says."""
    reasons = [f"guest: {error}" for error in verdict.errors]
    fault = console.fault(text)
    if fault:
        reasons.append(f"the guest's kernel: {fault}")
    taints = console.taint_faults(verdict.taint)
    if taints:
        reasons.append("the guest's kernel is tainted: " + ", ".join(taints))
    if status:
        reasons.append(f"QEMU ended with status {status}")
    elif status == 0 and verdict.status is None and not reasons:
        reasons.append("the guest ended without a verdict")
    if verdict.status is not None:
        reasons += files.fetch(options, verdict, folder)
    for reason in reasons:
        say(reason)
    if reasons and verdict.status:
        say(f"COMMAND's status was {verdict.status}")
    if text.strip() and (status is None or verdict.status is None or fault
                         or verdict.errors):
        say("the guest's console:")
        print(console.excerpt(text), file=sys.stderr, flush=True)
    if reasons:
        return FAILED
    return TIMED_OUT if status is None else verdict.status
