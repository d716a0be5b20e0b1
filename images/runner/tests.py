# SPDX-License-Identifier: GPL-2.0-or-later
"""Test files, and the options of images/vm in them."""
import contextlib
import os
import shlex

from launcher import options as vm
from launcher.errors import Failure, describe

MARK = "# vm:"

# Options that the runner sets itself, or that do not boot a guest.
OWN = ("--capture-dir", "--console-log", "--help", "--")


class Test:
    """A test file. words: the options of images/vm in it."""

    def __init__(self, path):
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        self.name = os.path.basename(path)
        if ":" in self.name:
            raise Failure(f"{path}: a colon in the name, which images/vm --add "
                          "does not allow")
        self.lines = option_lines(path)

    @property
    def words(self):
        """The options in the file."""
        return [word for _, words in self.lines for word in words]

    def check(self, before, after):
        """Checks the options between those before and after them, relative to the
        test's folder. Returns them as images/vm parses them."""
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
    """Returns the option lines in the comment at a file's start: each line's number
    and words. A binary has none."""
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
    """Returns the words of an option line."""
    try:
        words = shlex.split(text[len(MARK):])
    except ValueError as error:
        raise Failure(f"{path}:{number}: {error}") from None
    for word in words:
        if word.split("=")[0] in OWN:
            raise Failure(f"{path}:{number}: {word} is not allowed in a test")
    return words


@contextlib.contextmanager
def inside(folder):
    """Makes the folder the current one in this context."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def parsed(words):
    """Parses options as images/vm does."""
    return vm.parse([*words, "--", "true"])


def refusal(words):
    """Returns why images/vm rejects these options, or None."""
    try:
        parsed(words)
    except Failure as error:
        return str(error)
    return None


def find(paths):
    """Returns the tests: the files, and the executable files in the folders."""
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
            raise Failure(f"{path}: no executable file in it")
        tests += [Test(name) for name in found]
    return tests


def check_file(path):
    """Fails if the file cannot be a test."""
    if not os.path.exists(path):
        raise Failure(f"{path}: no such file or folder")
    if not os.path.isfile(path):
        raise Failure(f"{path}: neither a file nor a folder")
    if not os.access(path, os.X_OK):
        raise Failure(f"{path}: not executable")
