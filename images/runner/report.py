# SPDX-License-Identifier: GPL-2.0-or-later
"""The outcomes as TAP, and the progress on a terminal."""
import os
import re
import shutil
import signal

from launcher.streams import write_all

from .run import AGAIN, ERROR, FAILED, SKIPPED, last_lines

# A narrower terminal is treated as one of this width.
LEAST_COLUMNS = 20


def line_of(text):
    """Replaces control characters, for one line on a terminal."""
    return re.sub(r"[\0-\x1f\x7f-\x9f]", "?", text)


def name_of(text):
    """Escapes a name for a TAP line, in which "#" begins a directive."""
    return line_of(text).replace("\\", "\\\\").replace("#", "\\#")


class Report:
    """Writes the outcomes in the order of the runs, each as soon as it and those
    before it are known. is_shown: the progress is shown on a terminal."""

    def __init__(self, runs, is_verbose):
        self.is_shown = os.isatty(2)
        self._runs = runs
        self._is_verbose = is_verbose
        self._next = 0
        self._has_line = False
        self._out(f"1..{len(runs)}")

    def _out(self, *lines):
        self._clear()
        write_all(1, "".join(f"{line}\n" for line in lines)
                  .encode(errors="surrogateescape"))

    def _err(self, *lines):
        self._clear()
        write_all(2, "".join(f"{line}\n" for line in lines)
                  .encode(errors="surrogateescape"))

    def ended(self, _run):
        """Writes the outcomes that are known by now, up to the first unknown one."""
        while self._next < len(self._runs) and self._runs[self._next].outcome:
            self._write_outcome(self._runs[self._next])
            self._next += 1

    def _write_outcome(self, run):
        outcome = run.outcome
        is_bad = outcome.kind in (FAILED, ERROR)
        skip = f" # SKIP {line_of(outcome.why)}" * (outcome.kind == SKIPPED)
        self._out(f"{'not ' * is_bad}ok {run.number} - {name_of(run.name)}{skip}")
        if self._is_verbose:
            self._out(*(f"# {line_of(line)}"
                        for line in outcome.output.splitlines()))
        if is_bad:
            # On standard error, because prove(1) does not show TAP comments.
            shown = [] if self._is_verbose else last_lines(outcome.output)
            self._err(f"# {line_of(run.name)}: {outcome.why}",
                      *(f"#   {line_of(line)}" for line in shown))
        if run.is_kept:
            where = os.path.relpath(run.folder)
            names = ", ".join(sorted(set(os.listdir(run.folder)) - {AGAIN}))
            self._err(f"# artifacts in {where}: {names}; run again: "
                      f"{where}/{AGAIN}")

    def interrupted(self, number):
        """Writes the outcomes of the runs that ended before a signal, in order."""
        for run in self._runs[self._next:]:
            if run.outcome:
                self._write_outcome(run)
        self._out(f"Bail out!  {signal.Signals(number).name}")

    def show(self, running):
        """Shows the progress on one line, which replaces the previous one."""
        if not self.is_shown:
            return
        ended = [run.outcome for run in self._runs if run.outcome]
        bad = sum(outcome.kind in (FAILED, ERROR) for outcome in ended)
        text = f"[{len(ended)}/{len(self._runs)}]"
        if bad:
            text += f" {bad} failed"
        text += "".join(f"  {line_of(run.name)} {run.seconds():.0f} s"
                        for run in running)
        columns = max(shutil.get_terminal_size().columns, LEAST_COLUMNS)
        self._write(f"\r{text[:columns - 1]}\x1b[K")
        self._has_line = True

    def _clear(self):
        if self._has_line:
            self._write("\r\x1b[K")
            self._has_line = False

    @staticmethod
    def _write(text):
        write_all(2, text.encode(errors="surrogateescape"))

    def done(self):
        """Removes the progress line."""
        self._clear()
