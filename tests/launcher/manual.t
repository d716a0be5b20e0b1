#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual page of images/vm has the options of --help, and its examples produce
the output that it shows, each in a folder of its own."""
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import manpage  # noqa: E402
from guest import TOP, vm  # noqa: E402
from tap import Tap  # noqa: E402

PAGE = Path(TOP, "images", "vm.1")


def test_options(tap):
    manpage.check_options(tap, PAGE, "images/vm",
                          vm(["--help"], ["true"]).stdout)


def test_examples(tap):
    count = 0
    for intro, lines in manpage.displays(manpage.text_of(PAGE)):
        count += 1
        # Commands that need a disk image; tests/images/disks covers them.
        if not any(line.startswith("$ ") for line in lines):
            tap.ok("--disk" in lines[0], f"{intro} only commands with --disk "
                   "are not run", *lines)
            continue
        with tempfile.TemporaryDirectory() as folder:
            manpage.prepare(folder)
            manpage.check(tap, intro, lines, folder)
    tap.equal(count, PAGE.read_text().count(".Bd -literal"),
              "vm.1: every display was checked")


tap = Tap()
tap.run(test_options, test_examples)
sys.exit(tap.done())
