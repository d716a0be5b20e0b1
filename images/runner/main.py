# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner: from the command line to the exit status."""
import re
import signal

from launcher import streams
from launcher.errors import Failure, describe

from . import junit, matrix, tests
from .loop import Loop
from .options import parse
from .report import Report
from .run import ERROR, FAILED, Run

SOME_FAILED = 1
NO_VERDICT = 125


def say(text):
    """Prints a message of the runner as one line."""
    streams.show("images/test: " + re.sub(r"[\0-\x1f\x7f]", "?", str(text)))


def main(words):
    """Runs the tests; returns the exit status."""
    streams.reserve()
    try:
        return run_all(parse(words))
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except Failure as error:
        say(error)
    except OSError as error:
        say(describe(error))
    return NO_VERDICT


def make_runs(options):
    """Returns a Run of every test with every combination of the matrix, after all
    options were checked."""
    if options.junit:
        junit.check_place(options.junit)
    found = tests.find(options.paths)
    pairs = [(test, cell) for test in found
             for cell in matrix.cells(options.matrix)]
    runs, taken = [], set()
    for number, (test, cell) in enumerate(pairs, 1):
        runs.append(Run(number, test, cell, options))
        runs[-1].choose_folder(taken)
    return runs


def run_all(options):
    """Runs the tests and reports the outcomes; returns the exit status."""
    runs = make_runs(options)
    report = Report(runs, options.verbose)
    loop = Loop(runs, options.jobs, report)
    try:
        loop.run()
    finally:
        report.done()
        if options.junit:
            junit.write(options.junit, runs)
    if loop.number is not None:
        report.interrupted(loop.number)
        return 128 + loop.number
    is_bad = any(run.outcome.kind in (FAILED, ERROR) for run in runs)
    return SOME_FAILED if is_bad else 0
