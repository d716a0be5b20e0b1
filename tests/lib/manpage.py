# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the examples of manual pages, unchanged.

A shell runs the lines with "$" of the section EXAMPLES as they are displayed, in a
folder with links to the tree's files, and in a network name space that has only the
loopback interface, so that all ports are free."""
import os
import re
import signal
import subprocess
from pathlib import Path

from guest import TOP

ALONE = ["unshare", "--net", *([] if os.geteuid() == 0 else
                               ["--map-root-user"])]
MOST_SECONDS = 200


def text_of(page):
    """Returns the page as a terminal shows it, without bold and underline."""
    done = subprocess.run(["mandoc", "-Tutf8", page], check=True, text=True,
                          stdout=subprocess.PIPE)
    return re.sub(".\b", "", done.stdout)


def section(text, name):
    """Returns the lines of a section."""
    return re.search(rf"^{name}\n(.*?)^\S", text, re.DOTALL | re.MULTILINE)[1]


def displays(text):
    """Returns each display under EXAMPLES: its introduction and its lines."""
    intro, display = "", []
    for line in [*section(text, "EXAMPLES").splitlines(), "     end"]:
        if line.startswith(" " * 11):
            display.append(line[11:])
        elif not line.strip() and display:
            display.append("")
        elif line.strip():
            if display:
                while not display[-1]:
                    display.pop()
                yield intro, display
                intro, display = "", []
            intro = f"{intro} {line.strip()}".strip()


def is_whole(command):
    """Returns whether the command is complete for a shell."""
    words = re.findall(r"<<'(\w+)'", command)
    return not command.endswith("\\") \
        and all(word in command.split("\n") for word in words) \
        and subprocess.run(["sh", "-n", "-c", command], check=False,
                           stderr=subprocess.DEVNULL).returncode == 0


def split(lines):
    """Returns the commands and the output in an example's lines."""
    commands, output, command = [], [], ""
    for line in lines:
        if line.startswith("$ ") and not command:
            command = line[2:]
        elif command:
            command += "\n" + line
        else:
            output.append(line)
        if command and is_whole(command):
            commands.append(command)
            command = ""
    return "\n".join(commands + [command]), "\n".join(output)


def output_pattern(output):
    """Returns a pattern for the output, in which "..." is the rest of a line or any
    lines."""
    parts = [re.escape(line).replace(r"\.\.\.", ".*") + "\n"
             if line != "..." else "(.*\n)*" for line in output.splitlines()]
    return "".join(parts)


def prepare(folder):
    """Makes links to the tree's files in a folder."""
    for name in os.listdir(TOP):
        if not name.startswith("."):
            Path(folder, name).symlink_to(Path(TOP, name))


def run(commands, folder):
    """Runs commands; returns the status of the last one and the output. Variables
    of a make that runs the tests are removed."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    script = f"ip link set lo up\nset -e\n{commands}"
    with subprocess.Popen(
            [*ALONE, "sh", "-c", script], cwd=folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
            env=environment,
            errors="replace") as shell:
        try:
            # Ends when all its processes have closed the output.
            output = shell.communicate(timeout=MOST_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            output = shell.communicate()[0] + "(timed out)\n"
    return shell.returncode, output


def check(tap, intro, lines, folder):
    """Runs an example, and checks its output."""
    commands, output = split(lines)
    status, written = run(commands, folder)
    tap.equal(status, 0, f"{intro} the commands succeed")
    tap.ok(re.fullmatch(output_pattern(output), written),
           f"{intro} the output is as on the page",
           "got:", written, "expected:", output)


def check_options(tap, page, name, summary):
    """Compares the options of a program's --help with those of its page."""
    there = set(re.findall(r"^  (--[a-z-]+)", summary, re.MULTILINE))
    documented = {f"-{option}" for option in re.findall(
        r"^\.It Fl (-[a-z-]+)", Path(page).read_text(), re.MULTILINE)}
    tap.ok(len(there) > 5, f"{name} --help has options", summary)
    tap.equal(sorted(documented), sorted(there),
              f"{name}.1 has the options of --help")
    tap.contains(summary, f"{name}.1", f"{name} --help names the manual page")
