# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists the files of this tree by kind, and runs checkers on them."""
import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tap import Tap

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "tests" / "style"
DOWNLOADS = TOP / "build" / "downloads"

SHELLS = {"sh", "bash", "dash", "ash"}


class Missing(Exception):
    """A checker, or something that it needs, is missing."""


@functools.lru_cache(maxsize=None)
def files():
    """Returns all regular files that git tracks or would add, relative to TOP."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"],
        cwd=TOP, check=True, stdout=subprocess.PIPE).stdout.decode()
    return sorted({name for name in names.split("\0")
                   if name and (TOP / name).is_file()
                   and not (TOP / name).is_symlink()})


@functools.lru_cache(maxsize=None)
def content(name):
    """Returns a file's bytes."""
    return (TOP / name).read_bytes()


def text(name):
    """Returns a file's text; bytes that are not UTF-8 are replaced."""
    return content(name).decode("utf-8", "replace")


def is_text(name):
    """Returns whether the file is text: it has no zero byte."""
    return b"\0" not in content(name)


def interpreter(name):
    """Returns the words of the file's #! line, without folders."""
    first = content(name).split(b"\n", 1)[0].decode("utf-8", "replace")
    if not first.startswith("#!"):
        return set()
    return {word.rsplit("/", 1)[-1] for word in first[2:].split()}


def is_shell(name):
    """Returns whether the file is a shell script."""
    return name.endswith(".sh") or bool(interpreter(name) & SHELLS)


def is_python(name):
    """Returns whether the file is Python."""
    return name.endswith(".py") or any(
        word.startswith("python") for word in interpreter(name))


def is_c(name):
    """Returns whether the file is C or a C header."""
    return name.endswith((".c", ".h"))


def is_make(name):
    """Returns whether the file is a makefile."""
    base = name.rsplit("/", 1)[-1]
    return base in ("Makefile", "Kbuild", "GNUmakefile") \
        or name.endswith(".mk")


def is_code(name):
    """Returns whether the file is source code."""
    return is_shell(name) or is_python(name) or is_c(name) or is_make(name)


def run(*argv, **options):
    """Runs a command in TOP; returns its exit status and its lines of output."""
    argv = [str(word) for word in argv]
    if not shutil.which(argv[0]):
        raise Missing(f"{argv[0]} is not installed")
    # Without variables of a make that runs the tests, and without those of the
    # guest's kernel, as checkers use the machine's kernel headers.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KVER",
                                   "KDIR", "KERNEL", "MODULES")}
    done = subprocess.run(argv, cwd=TOP, env=environment, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)
    return (done.returncode,
            done.stdout.decode("utf-8", "replace").splitlines())


def package_that_is_gone(lines):
    """Returns the package file that apt, run by a script fetch-*, got status 404 for,
    by apt's last error in the output; None if it failed for another reason."""
    found = re.findall(r"^E: Failed to fetch \S*/([^/\s]+\.deb)\s+404",
                       "\n".join(lines), re.MULTILINE)
    return found[-1] if found else None


def matching_lines(name, pattern):
    """Returns a message for each line of a file in which a pattern occurs."""
    found = []
    for number, line in enumerate(text(name).split("\n"), 1):
        match = re.search(pattern, line)
        if match:
            found.append(f"{name}:{number}: {match.group(0)!r}")
    return found


def report(tap, checker, names, status, lines):
    """
    Reports a result for each file, from a checker's "file:line: message" output.

    A separate result fails if there are other lines, or if the checker failed without
    output.
    """
    rest = [line for line in lines if line.strip()]
    for name in names:
        mine = [line for line in rest
                if line.startswith((f"{name}:", f"./{name}:"))]
        rest = [line for line in rest if line not in mine]
        tap.ok(not mine, f"{name} is clean under {checker}", *mine)
    tap.ok(not rest and (status == 0 or bool(lines)),
           f"{checker} itself succeeds", f"exit status {status}",
           *rest)


def kernel_scripts(names):
    """
    Returns a folder with some files of the kernel's scripts/.

    They are from Debian's source package of the kernel that the driver is built for,
    and are kept in the downloads, without the rest of the package, which is large.
    """
    status, lines = run(TOP / "images" / "fetch" / "kernel-version")
    series = re.match(r"\d+\.\d+", lines[-1] if lines else "")
    if status or not series:
        raise Missing("\n".join(["cannot find the kernel's version:", *lines]))
    package = f"linux-source-{series[0]}"
    folder = DOWNLOADS / f"{package}-scripts"
    if all((folder / name).exists() for name in names):
        return folder
    unpacked = DOWNLOADS / package
    status, lines = run(TOP / "images" / "fetch" / "package", package, unpacked)
    if status:
        raise Missing("\n".join([f"cannot fetch {package}:", *lines]))
    # Renamed when it is complete.
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    status, lines = run(
        "tar", "-xf", unpacked / "usr" / "src" / f"{package}.tar.xz",
        "-C", partial, "--strip-components=2",
        *[f"{package}/scripts/{name}" for name in names])
    if status:
        raise Missing("\n".join([f"cannot unpack {package}:", *lines]))
    partial.rename(folder)
    shutil.rmtree(unpacked)
    return folder


def make_variable(folder, name):
    """Returns the value of a variable in a folder's Makefile."""
    status, lines = run("make", "-s", "--no-print-directory", "-C",
                        folder, "--eval",
                        f"print-it: ; @echo $({name})", "print-it")
    if status or not lines:
        raise Missing("\n".join([f"cannot get {name} of {folder}/Makefile:",
                                 *lines]))
    return lines[-1]


def main(check):
    """Runs check(tap) as a whole TAP program."""
    tap = Tap()
    try:
        check(tap)
    except Missing as error:
        tap.ok(False, "the tools and files for the check exist", error)
    sys.exit(tap.done())
