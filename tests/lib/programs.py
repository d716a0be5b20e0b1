# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs Debian's programs in a guest with bpf-run, and checks that they capture."""
import re
import secrets
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from guest import TOP, TWO_NICS, vm

PROGRAMS = Path(TOP) / "tests" / "programs"
DISK = Path(TOP) / "build" / "tests" / "programs" / "disk"
PACKAGE = Path(TOP) / "build" / "libpcap" / "package"

# libpcap's error messages; the second is that of 1.10.5 and later.
NO_BPF = "no BPF devices|capture is not supported on that device"

TRAFFIC = "traffic"
NEVER = "false"


class Program(NamedTuple):
    """A program, how to run it, and output that it has only if it captures."""

    name: str
    command: str        # for bash, with $token, $peer and $ourselves
    shows: str          # a regular expression for its output
    until: str = NEVER  # a condition in bash; the program is ended when it is true
    traffic: str = TRAFFIC
    sends: bool = False  # it sends through a packet socket


class Run:
    """The results of a program in the guest."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def text(self, name):
        """Returns the text of a file in the program's folder; empty if there is
        none."""
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def written(self):
        """Returns the text of all files that the program has written."""
        return "".join(self.text(path.name)
                       for path in sorted(self.folder.iterdir())
                       if path.name not in ("bpf", "now", "packet", "status",
                                            "killed"))

    def status(self):
        """Returns the program's exit status."""
        return int(self.text("status") or -1)


def guest(script, folder, options=()):
    """
    Runs a script after tests/programs/stage in a guest with the disk.

    Returns a CompletedProcess. The script's folder /root/out is copied to folder.
    """
    path = Path(folder) / "script"
    path.write_text(script)
    drive = f"file={DISK},format=raw,if=virtio,snapshot=on"
    return vm([*TWO_NICS, "--memory", "1G", "--timeout", "600",
               "--qemu-arg", "-drive", "--qemu-arg", drive,
               "--add", f"{PACKAGE}:/root/package",
               "--add", str(PROGRAMS / "enter"),
               "--add", str(PROGRAMS / "stage"), "--add", f"{path}:/root/",
               "--get", f"out:{folder}", *options],
              ["./enter", "/root/script"])


def run(programs, folder, options=(), token="token"):
    """
    Runs programs one after another in a guest.

    Returns (CompletedProcess, {name: Run}). The programs' files are in folder.
    """
    lines = [f"token={token}", ". /root/stage"]
    lines += [" ".join(["program", program.name, shlex.quote(program.until),
                        shlex.quote(program.traffic), "bpf-run",
                        program.command]) for program in programs]
    shutil.rmtree(Path(folder) / "out", ignore_errors=True)
    done = guest("\n".join(lines) + "\n", folder, options)
    return done, {program.name: Run(Path(folder) / "out" / program.name)
                  for program in programs}


def show(got):
    """Returns diagnostics about a program that failed."""
    return [f"exit status {got.status()} {got.text('killed')}",
            got.text("err"), got.text("out")[-2000:]]


def check_program(tap, program, got, token):
    """Checks the results of a program."""
    pattern = program.shows.replace("TOKEN", token)
    tap.ok(re.search(pattern, got.written(), re.S | re.M),
           f"{program.name}: the output shows that it has captured",
           f"no {pattern!r}", *show(got))
    tap.ok(re.search(r"^\d+ eth0 ", got.text("bpf"), re.M),
           f"{program.name}: /proc/net/bpf lists a descriptor on eth0",
           got.text("bpf"))
    if not program.sends:
        tap.equal(got.text("packet"), "",
                  f"{program.name}: the program opens no packet socket")
    tap.ok(not got.text("killed"),
           f"{program.name}: the program ends without SIGKILL",
           *show(got))


def test_programs(tap, programs):
    """Tests programs with /dev/bpf and without."""
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        done, runs = run(programs, folder, token=token)
        if not tap.ok(done.returncode == 0,
                      "with /dev/bpf: the script in the guest succeeds",
                      done.stdout, done.stderr):
            return
        for program in programs:
            check_program(tap, program, runs[program.name], token)
    with tempfile.TemporaryDirectory() as folder:
        done, runs = run(programs, folder, ["--no-capture"], token)
        tap.ok(done.returncode == 0,
               "without /dev/bpf: the script in the guest succeeds",
               done.stdout, done.stderr)
        for program in programs:
            got = runs[program.name]
            pattern = program.shows.replace("TOKEN", token)
            # The exit status is not checked, as that of some programs is 0.
            tap.ok(not re.search(pattern, got.written(), re.S | re.M)
                   and re.search(NO_BPF, got.written()),
                   f"{program.name}: without /dev/bpf nothing is captured, and "
                   "libpcap's error is shown", *show(got))
