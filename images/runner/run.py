# SPDX-License-Identifier: GPL-2.0-or-later
"""One test on one combination: its guest, its outcome, its artifacts."""
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
AGAIN = "again"                 # it also marks a folder as the runner's
OUTPUT = "output"

PASSED, SKIPPED, FAILED, ERROR = "passed", "skipped", "failed", "error"
SKIP_STATUS = 77
MEANINGS = {124: "its time was up",
            125: "images/vm or the guest failed",
            126: "the guest cannot run it",
            127: "the guest cannot run it: there is no such interpreter"}

# Of a long output so much is looked at; all of it is in the artifacts.
MOST_OUTPUT = 1 << 20
LAST_LINES = 20


class Outcome(NamedTuple):
    """How a run ended. why: more of it, in a few words."""

    kind: str
    why: str
    output: str
    seconds: float


class Run:
    """A run, before, while and after there is a guest. number: its place among
    all, from 1."""

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
        """Decides where the artifacts go: nobody else's place."""
        base = re.sub(r"[^A-Za-z0-9._=,-]+", "_", self.name).strip("._")
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        self.folder = os.path.join(os.path.abspath(self._options.artifacts),
                                   name)

    def _make_folder(self):
        """Makes the folder, in the place of one of an earlier time."""
        if os.path.exists(self.folder):
            if not os.path.exists(f"{self.folder}/{AGAIN}"):
                raise Failure(f"{self.folder} is there, and not from a run of "
                              "this test: choose other --artifacts")
            shutil.rmtree(self.folder)
        os.makedirs(self.folder)

    def command(self):
        """images/vm and its options."""
        words = [VM, *self._words, "--console-log", f"{self.folder}/console"]
        if not self._settings.no_capture:
            words += ["--capture-dir", self.folder]
        return [*words, "--add", f"{self.test.name}:/root/", "--",
                f"/root/{self.test.name}"]

    def _write_again(self):
        """A script that does the same once more."""
        variables = {name: os.environ[name] for name in (
            "GUEST_ARCH", "GUEST_OUT", "QEMU_RELEASE", "TIME_SCALE")
            if name in os.environ}
        variables.update(self.cell.environment)
        words = ["exec", "env", *(f"{name}={value}" for name, value
                                  in variables.items()), *self.command()]
        path = f"{self.folder}/{AGAIN}"
        with open(path, "w", encoding="utf-8",
                  errors="surrogateescape") as script:
            script.write(f"#!/bin/sh\n# {self.name!r}, once more\n"
                         f"cd {shlex.quote(self.test.folder)} || exit 125\n"
                         f"{shlex.join(words)}\n")
        os.chmod(path, 0o755)

    def start(self):
        """Boots the guest. It ends with the runner, whatever ends that, and does
        not get the terminal's signals: the runner passes them on."""
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
        """How long it has been running."""
        return time.monotonic() - self._start

    def end(self, number):
        """Passes a signal on."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def finish(self):
        """Takes the outcome, and the artifacts away unless they are wanted."""
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
            pass        # there are others


def judge(status, text):
    """What kind of outcome that status is, and why."""
    lines = [line for line in text.splitlines() if line.strip()]
    if status == 0:
        return PASSED, ""
    if status == SKIP_STATUS:
        return SKIPPED, lines[-1].strip() if lines else "it does not tell why"
    if status < 0:
        return ERROR, f"images/vm ended by {signal.Signals(-status).name}"
    if status in MEANINGS:
        return ERROR if status == 125 else FAILED, MEANINGS[status]
    return FAILED, f"exit status {status}"


def last_lines(text):
    """The end of an output, for a message."""
    return text.splitlines()[-LAST_LINES:]
