#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual page of images/vm: it has the options that there are, and its
examples do what it shows.

Each display under EXAMPLES that has lines with "$" is run by a shell as a reader
sees it, in a folder of its own, from which images and build can be reached, and
without another network than the loopback, whose ports are all free."""
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import TOP, vm  # noqa: E402
from tap import Tap  # noqa: E402

PAGE = Path(TOP, "images", "vm.1")
ALONE = ["unshare", "--net", *([] if os.geteuid() == 0 else
                               ["--map-root-user"])]
MOST_SECONDS = 200


def page_text():
    """The page as a terminal shows it, without bold and underlined letters."""
    done = subprocess.run(["mandoc", "-Tutf8", PAGE], check=True, text=True,
                          stdout=subprocess.PIPE)
    return re.sub(".\b", "", done.stdout)


def section(text, name):
    """The lines of one of the page's sections."""
    return re.search(rf"^{name}\n(.*?)^\S", text, re.DOTALL | re.MULTILINE)[1]


def examples(text):
    """Each example: what introduces it, its commands, its output."""
    intro, display = "", []
    for line in [*section(text, "EXAMPLES").splitlines(), "     end"]:
        if line.startswith(" " * 11):
            display.append(line[11:])
        elif line.strip():
            if display:
                yield (intro, *split(display))
                intro, display = "", []
            intro = f"{intro} {line.strip()}".strip()


def split(lines):
    """The commands and the output in an example's lines. A command goes on for
    as long as a shell finds that it has no end yet."""
    commands, output, command = [], [], ""
    for line in lines:
        if line.startswith("$ ") and not command:
            command = line[2:]
        elif command:
            command += "\n" + line
        else:
            output.append(line)
        if command and not command.endswith("\\") and subprocess.run(
                ["sh", "-n", "-c", command], check=False,
                stderr=subprocess.DEVNULL).returncode == 0:
            commands.append(command)
            command = ""
    return "\n".join(commands + [command]), "\n".join(output)


def output_pattern(output):
    """A pattern for it: "..." stands for the rest of a line, or for lines."""
    parts = [re.escape(line).replace(r"\.\.\.", ".*") + "\n"
             if line != "..." else "(.*\n)*" for line in output.splitlines()]
    return "".join(parts)


def run_example(commands):
    """What the commands write, and the status of the last one."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("images", "build"):
            Path(folder, name).symlink_to(Path(TOP, name))
        script = f"ip link set lo up\nset -e\n{commands}"
        with subprocess.Popen(
                [*ALONE, "sh", "-c", script], cwd=folder, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
                errors="replace") as shell:
            try:
                # What it has started is done when nobody can write any more.
                output = shell.communicate(timeout=MOST_SECONDS)[0]
            except subprocess.TimeoutExpired:
                os.killpg(shell.pid, signal.SIGKILL)
                output = shell.communicate()[0] + "(it took too long)\n"
        return shell.returncode, output


def test_options(tap):
    """The options of the summary, and those that the page tells of."""
    summary = vm(["--help"], ["true"]).stdout
    there = set(re.findall(r"^  (--[a-z-]+)", summary, re.MULTILINE))
    told = {f"-{name}" for name in re.findall(
        r"^\.It Fl (-[a-z-]+)", PAGE.read_text(), re.MULTILINE)}
    tap.ok(len(there) > 20, "images/vm --help has options", summary)
    tap.equal(sorted(told), sorted(there), "the page has the same ones")
    tap.contains(summary, "images/vm.1", "and the summary tells of the page")


def test_examples(tap, text):
    count = 0
    for intro, commands, output in examples(text):
        count += 1
        status, written = run_example(commands)
        tap.equal(status, 0, f"{intro} status 0")
        tap.ok(re.fullmatch(output_pattern(output), written),
               f"{intro} the output is as the page shows it",
               "got:", written, "expected:", output)
    tap.equal(count, PAGE.read_text().count(".Bd -literal"),
              "each example has been run")


tap = Tap()
tap.run(test_options, lambda tap: test_examples(tap, page_text()))
sys.exit(tap.done())
