#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual page of images/test has the options of --help, and its examples
produce the output that it shows, all in one folder.

Of the workflows for GitHub and GitLab, the shell commands are run unchanged, with an
apt-get that does nothing, as the packages are installed already."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
import manpage  # noqa: E402
from guest import TOP  # noqa: E402
from tap import Tap  # noqa: E402

PAGE = Path(TOP, "images", "test.1")
TEST = Path(TOP, "images", "test")


def steps(text):
    """The shell commands of a workflow."""
    of_github = re.findall(r"^ *- run: (.*)$", text, re.MULTILINE)
    lists = re.findall(r"^  (?:before_)?script:\n((?:    - .*\n)+)", text,
                       re.MULTILINE)
    return of_github or [line[6:] for one in lists for line in one.splitlines()]


def check_workflow(tap, intro, lines, folder, ran):
    """Runs the steps of a workflow, except those that ran in another one."""
    found = steps("\n".join(lines) + "\n")
    tap.ok(len(found) == 3 and "images/test" in found[-1],
           f"{intro} has three steps", found)
    path = launches.shim(tempfile.mkdtemp(dir=folder), "apt-get", "exit 0")
    for step in found:
        if step in ran:
            continue
        ran.add(step)
        status, output = manpage.run(f"PATH={path}:$PATH\n{step}", folder)
        tap.equal(status, 0, f"{intro} {step}: status 0")
        if "images/test" in step:
            tap.contains(output, "ok 1 - guests/lease\n",
                         f"{intro} {step}: the test passes")
            tap.contains((folder / "guests.xml").read_text(),
                         '<testcase name="guests/lease"', f"{intro} {step}: JUnit XML")


def check_pytest(tap, intro, lines, folder):
    """Runs the file with Debian's pytest."""
    (folder / "test_guests.py").write_text("\n".join(lines) + "\n")
    status, output = manpage.run(
        "/usr/bin/python3 -B -m pytest -v -p no:cacheprovider test_guests.py", folder)
    tap.equal(status, 0, f"{intro} status 0")
    tap.contains(output, "test_in_guest[guests/lease] PASSED", f"{intro} the test passes")


def check_matrix(tap, intro, lines, folder):
    """Runs an example that may need kernels and QEMUs that are not built."""
    status, output = manpage.run("\n".join(lines), folder)
    tap.ok(status == 0 or (status == 125 and " (make " in output),
           f"{intro} passes, or the error names the make target", output)


def test_options(tap):
    done = subprocess.run([TEST, "--help"], stdout=subprocess.PIPE, text=True,
                          check=True)
    manpage.check_options(tap, PAGE, "images/test", done.stdout)


def test_examples(tap):
    ran = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manpage.prepare(folder)
        for intro, lines in manpage.displays(manpage.text_of(PAGE)):
            if lines[0].startswith("$ "):
                manpage.check(tap, intro, lines, folder)
            elif lines[0].startswith("images/test"):
                check_matrix(tap, intro, lines, folder)
            elif "pytest" in intro:
                check_pytest(tap, intro, lines, folder)
            else:
                check_workflow(tap, intro, lines, folder, ran)


tap = Tap()
tap.run(test_options, test_examples)
sys.exit(tap.done())
