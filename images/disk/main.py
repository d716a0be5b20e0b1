# SPDX-License-Identifier: GPL-2.0-or-later
"""The main program of images/build."""
import os
import sys
from pathlib import Path

from launcher import signals
from launcher.errors import Failure, Interrupted, describe

from . import layout, namespace, needs, place, system
from .options import BadOption, parse
from .programs import Gone, say

FAILED, BAD_OPTION, GONE = 1, 2, 77
# The first argument of the process in the name spaces.
INSIDE = "--inside"


def main(words):
    """Make an image and return the exit status."""
    try:
        needs.extend_path()
        if words[:1] == [INSIDE]:
            make_inside(*words[1:3], words[3:])
            return 0
        options = parse(words)
        needs.check_programs(options.format)
        needs.own_packages(options.dkms)
        namespace.check()
        return make(options, words)
    except Interrupted as error:
        return 128 + error.number
    except (Failure, OSError) as error:
        say(describe(error) if isinstance(error, OSError) else error)
        return BAD_OPTION if isinstance(error, BadOption) else \
            GONE if isinstance(error, Gone) else FAILED


def make(options, words):
    """Run a child in name spaces that makes the image in a temporary folder
    beside OUTPUT, and rename the image when it is complete."""
    output = os.path.abspath(options.output)
    work = place.Folder(place.temporary())
    beside = place.Folder(os.path.dirname(output))
    signals.Signals().catch()
    try:
        with signals.blocked():
            work.__enter__()
            beside.__enter__()
        partial = os.path.join(beside.path, "image")
        with open(partial, "xb"):
            pass    # created here, with the user's umask
        status = namespace.run([sys.executable, os.path.abspath(sys.argv[0]),
                                INSIDE, work.path, partial, *words])
        if status == 0:
            with signals.blocked():
                settle(partial, output, options.force)
        return status
    finally:
        # Do not interrupt the removal.
        signals.ignore()
        say_removal(work)
        for folder in (work, beside):
            folder.__exit__()


def say_removal(folder):
    """Report the removal of the system, which takes a while."""
    if folder.path and os.path.isdir(os.path.join(folder.path, "root")):
        say("removing temporary files")


def settle(partial, output, is_forced):
    """Rename the image to OUTPUT."""
    if is_forced:
        os.replace(partial, output)
    else:
        # Unlike rename(2), fails if OUTPUT has appeared.
        os.link(partial, output)
    state = os.stat(output)
    say(f"{output}: {state.st_size >> 20} MiB, of which "
        f"{state.st_blocks >> 11} MiB are used")


def make_inside(work, partial, words):
    """Make the image, in the name spaces."""
    namespace.end_with_launcher()
    os.umask(0o022)
    options = parse(["--force", *words])
    root = system.make(options, Path(work))
    layout.make(options, root, Path(work), partial)
