# SPDX-License-Identifier: GPL-2.0-or-later
"""Test files, and the options of images/vm in them."""
import contextlib
import os
import shlex

from launcher import options as vm
from launcher.errors import Failure, describe

MARK = "# vm:"

# What the runner gives images/vm itself, and what would not boot a guest.
OWN = ("--capture-dir", "--console-log", "--help", "--")


class Test:
    """One test file. words: the options that it gives images/vm."""

    def __init__(self, path):
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        self.name = os.path.basename(path)
        if ":" in self.name:
            raise Failure(f"{path}: images/vm --add takes no name with a colon")
        self.lines = option_lines(path)

    @property
    def words(self):
        """The options in the file."""
        return [word for _, words in self.lines for word in words]

    def check(self, before, after):
        """Whether images/vm takes them, with those before and after them; what
        they name is relative to the test's folder. Gives them as it sees
        them."""
        with inside(self.folder):
            for number, words in self.lines:
                why = refusal(words)
                if why and refusal([*before, *self.words, *after]):
                    raise Failure(f"{self.path}:{number}: {why}")
            try:
                return parsed([*before, *self.words, *after])
            except Failure as error:
                raise Failure(f"{self.path}: {error}") from None


def option_lines(path):
    """The options in the comment at a file's start: each line's number and its
    words. A program that is no script has none."""
    found = []
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip() and not line.startswith(b"#"):
                    break
                text = line.decode(errors="replace").strip()
                if text.startswith(MARK):
                    found.append((number, split(path, number, text)))
    except OSError as error:
        raise Failure(describe(error)) from None
    return found


def split(path, number, text):
    """The words of such a line."""
    try:
        words = shlex.split(text[len(MARK):])
    except ValueError as error:
        raise Failure(f"{path}:{number}: {error}") from None
    for word in words:
        if word.split("=")[0] in OWN:
            raise Failure(f"{path}:{number}: {word} is not for a test to give")
    return words


@contextlib.contextmanager
def inside(folder):
    """In this context that is the current folder."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def parsed(words):
    """Options of images/vm as it sees them."""
    return vm.parse([*words, "--", "true"])


def refusal(words):
    """Why images/vm does not take these options, or None."""
    try:
        parsed(words)
    except Failure as error:
        return str(error)
    return None


def find(paths):
    """The tests that the files and folders are or have."""
    tests = []
    for path in paths:
        if not os.path.isdir(path):
            check_file(path)
            tests.append(Test(path))
            continue
        names = [os.path.normpath(os.path.join(path, name))
                 for name in sorted(os.listdir(path))
                 if not name.startswith(".")]
        found = [name for name in names
                 if os.path.isfile(name) and os.access(name, os.X_OK)]
        if not found:
            raise Failure(f"{path}: there is no executable file in it")
        tests += [Test(name) for name in found]
    return tests


def check_file(path):
    """Whether that can be a test."""
    if not os.path.exists(path):
        raise Failure(f"{path}: no such file or folder")
    if not os.path.isfile(path):
        raise Failure(f"{path}: neither a file nor a folder")
    if not os.access(path, os.X_OK):
        raise Failure(f"{path}: it is not executable")
