# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual pages with examples: what stands under EXAMPLES, run as it stands.

A shell runs the lines with "$" as a reader sees them, in a folder from which the
tree's own can be reached, and without another network than the loopback, whose
ports are all free."""
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
    """The page as a terminal shows it, without bold and underlined letters."""
    done = subprocess.run(["mandoc", "-Tutf8", page], check=True, text=True,
                          stdout=subprocess.PIPE)
    return re.sub(".\b", "", done.stdout)


def section(text, name):
    """The lines of one of the page's sections."""
    return re.search(rf"^{name}\n(.*?)^\S", text, re.DOTALL | re.MULTILINE)[1]


def displays(text):
    """Each display under EXAMPLES: what introduces it, and its lines."""
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
    """Whether a shell finds that the command has its end."""
    words = re.findall(r"<<'(\w+)'", command)
    return not command.endswith("\\") \
        and all(word in command.split("\n") for word in words) \
        and subprocess.run(["sh", "-n", "-c", command], check=False,
                           stderr=subprocess.DEVNULL).returncode == 0


def split(lines):
    """The commands and the output in an example's lines."""
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
    """A pattern for it: "..." stands for the rest of a line, or for lines."""
    parts = [re.escape(line).replace(r"\.\.\.", ".*") + "\n"
             if line != "..." else "(.*\n)*" for line in output.splitlines()]
    return "".join(parts)


def prepare(folder):
    """Makes the tree's own folders and files reachable from there."""
    for name in os.listdir(TOP):
        if not name.startswith("."):
            Path(folder, name).symlink_to(Path(TOP, name))


def run(commands, folder):
    """What the commands write, and the status of the last one. A make that runs
    the tests is not to rule theirs."""
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
            # What it has started is done when nobody can write any more.
            output = shell.communicate(timeout=MOST_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            output = shell.communicate()[0] + "(it took too long)\n"
    return shell.returncode, output


def check(tap, intro, lines, folder):
    """Runs an example, and compares what it writes."""
    commands, output = split(lines)
    status, written = run(commands, folder)
    tap.equal(status, 0, f"{intro} status 0")
    tap.ok(re.fullmatch(output_pattern(output), written),
           f"{intro} the output is as the page shows it",
           "got:", written, "expected:", output)


def check_options(tap, page, name, summary):
    """The options of a program's summary, and those that its page tells of."""
    there = set(re.findall(r"^  (--[a-z-]+)", summary, re.MULTILINE))
    told = {f"-{option}" for option in re.findall(
        r"^\.It Fl (-[a-z-]+)", Path(page).read_text(), re.MULTILINE)}
    tap.ok(len(there) > 5, f"{name} --help has options", summary)
    tap.equal(sorted(told), sorted(there), "the page has the same ones")
    tap.contains(summary, f"{name}.1", "and the summary tells of the page")
