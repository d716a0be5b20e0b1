# SPDX-License-Identifier: GPL-2.0-or-later
"""A test with one combination: its guest, its outcome, its artifacts."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from typing import NamedTuple

from launcher.errors import Failure, describe
from launcher.image import TOP

VM = str(TOP / "images" / "vm")
AGAIN = "again"                 # also marks a folder as made by the runner
OUTPUT = "output"

PASSED, SKIPPED, FAILED, ERROR = "passed", "skipped", "failed", "error"
SKIP_STATUS = 77
MEANINGS = {124: "time limit expired",
            125: "images/vm or the guest failed",
            126: "the guest cannot execute it",
            127: "the guest cannot execute it: no such interpreter"}

# The end of a long output that is kept in memory; the artifacts have all of it.
MOST_OUTPUT = 1 << 20
LAST_LINES = 20


class Outcome(NamedTuple):
    """How a run ended. why: the reason, in a few words."""

    kind: str
    why: str
    output: str
    seconds: float


class Run:
    """A run, before, during and after its guest. number: its position among all
    runs, from 1."""

    def __init__(self, number, test, cell, options):
        self.number = number
        self.test = test
        self.cell = cell
        self.name = f"{test.path} ({cell.name})" if cell.name else test.path
        self.outcome = None
        self.folder = None
        self.is_kept = False
        self.process = None
        self._options = options
        self._start = None
        self._words = self._make_words()

    def _make_words(self):
        before = [*self._options.vm]
        if self._options.timeout is not None:
            before += ["--timeout", f"{self._options.timeout:g}"]
        self._settings = self.test.check(before, self.cell.words)
        return [*before, *self.test.words, *self.cell.words]

    def choose_folder(self, taken):
        """Chooses a folder for the artifacts that no other run has."""
        base = re.sub(r"[^A-Za-z0-9._=,-]+", "_", self.name).strip("._")
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        self.folder = os.path.join(os.path.abspath(self._options.artifacts),
                                   name)

    def _make_folder(self):
        """Makes the folder, replacing that of an earlier run."""
        if os.path.exists(self.folder):
            if not os.path.exists(f"{self.folder}/{AGAIN}"):
                raise Failure(f"{self.folder} exists, but is not from an "
                              "earlier run: choose other --artifacts")
            shutil.rmtree(self.folder)
        os.makedirs(self.folder)

    def command(self):
        """images/vm and its arguments."""
        words = [VM, *self._words, "--console-log", f"{self.folder}/console"]
        if not self._settings.no_capture:
            words += ["--capture-dir", self.folder]
        return [*words, "--add", f"{self.test.name}:/root/", "--",
                f"/root/{self.test.name}"]

    def _write_again(self):
        """Writes a script that repeats the run."""
        variables = {name: os.environ[name] for name in (
            "GUEST_ARCH", "GUEST_OUT", "QEMU_RELEASE", "TIME_SCALE")
            if name in os.environ}
        variables.update(self.cell.environment)
        words = ["exec", "env", *(f"{name}={value}" for name, value
                                  in variables.items()), *self.command()]
        path = f"{self.folder}/{AGAIN}"
        with open(path, "w", encoding="utf-8",
                  errors="surrogateescape") as script:
            script.write(f"#!/bin/sh\n# Run {self.name!r} again\n"
                         f"cd {shlex.quote(self.test.folder)} || exit 125\n"
                         f"{shlex.join(words)}\n")
        os.chmod(path, 0o755)

    def start(self):
        """Boots the guest. It ends with the runner, even if that is killed. A new
        session keeps the terminal's signals from it; the runner passes them on."""
        try:
            self._make_folder()
            self._write_again()
            with open(f"{self.folder}/{OUTPUT}", "wb") as output:
                self.process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", "--", *self.command()],
                    cwd=self.test.folder, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True,
                    env={**os.environ, **self.cell.environment})
        except OSError as error:
            raise Failure(describe(error)) from None
        self._start = time.monotonic()

    def seconds(self):
        """The time since the start."""
        return time.monotonic() - self._start

    def end(self, number):
        """Sends images/vm a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def finish(self):
        """Sets the outcome, and removes the artifacts unless they are kept."""
        status = self.process.wait()
        with open(f"{self.folder}/{OUTPUT}", "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(size - MOST_OUTPUT, 0))
            text = file.read().decode(errors="replace")
        kind, why = judge(status, text)
        self.outcome = Outcome(kind, why, text, self.seconds())
        self.is_kept = self._options.keep_all or kind in (FAILED, ERROR)
        if not self.is_kept:
            self.discard()

    def discard(self):
        """Removes the artifacts."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            os.rmdir(os.path.dirname(self.folder))
        except OSError:
            pass        # it has other folders


def judge(status, text):
    """Returns the kind of outcome of an exit status, and the reason."""
    lines = [line for line in text.splitlines() if line.strip()]
    if status == 0:
        return PASSED, ""
    if status == SKIP_STATUS:
        return SKIPPED, lines[-1].strip() if lines else "no reason given"
    if status < 0:
        return ERROR, f"images/vm ended by {signal.Signals(-status).name}"
    if status in MEANINGS:
        return ERROR if status == 125 else FAILED, MEANINGS[status]
    return FAILED, f"exit status {status}"


def last_lines(text):
    """The last lines of an output, for a message."""
    return text.splitlines()[-LAST_LINES:]
