# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own programs in a guest, capturing through bpf-run."""
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

# libpcap's words, the second from 1.10.5 on.
NO_BPF = "no BPF devices|capture is not supported on that device"

TRAFFIC = "traffic"
NEVER = "false"


class Program(NamedTuple):
    """A program, how it is run, and what only a capture can have it say."""

    name: str
    command: str        # words of bash; $token, $peer and $ourselves are known
    shows: str          # a pattern of Python's, in what it has written
    until: str = NEVER  # a condition of bash's; then it is asked to end
    traffic: str = TRAFFIC
    sends: bool = False  # through a packet socket; it captures with libpcap


class Run:
    """What a program did in the guest."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def text(self, name):
        """A file in the program's folder, or nothing."""
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def written(self):
        """All that it wrote."""
        return "".join(self.text(path.name)
                       for path in sorted(self.folder.iterdir())
                       if path.name not in ("bpf", "now", "packet", "status",
                                            "killed"))

    def status(self):
        """Its exit status."""
        return int(self.text("status") or -1)


def guest(script, folder, options=()):
    """
    Runs a script after tests/programs/stage in a guest with the disk.

    Gives a CompletedProcess; the script's folder /root/out is then in folder.
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
    Runs programs one after the other in a guest.

    Gives (CompletedProcess, {name: Run}); the programs' files are below folder.
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
    """What is worth knowing of a program that failed."""
    return [f"exit status {got.status()} {got.text('killed')}",
            got.text("err"), got.text("out")[-2000:]]


def check_program(tap, program, got, token):
    """One program's results."""
    pattern = program.shows.replace("TOKEN", token)
    tap.ok(re.search(pattern, got.written(), re.S | re.M),
           f"{program.name}: its outcome is that of a capture",
           f"no {pattern!r}", *show(got))
    tap.ok(re.search(r"^\d+ eth0 ", got.text("bpf"), re.M),
           f"{program.name}: /proc/net/bpf lists it", got.text("bpf"))
    if not program.sends:
        tap.equal(got.text("packet"), "",
                  f"{program.name}: no packet socket was open")
    tap.ok(not got.text("killed"), f"{program.name}: it ended when asked",
           *show(got))


def test_programs(tap, programs):
    """Programs with /dev/bpf, and without."""
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        done, runs = run(programs, folder, token=token)
        if not tap.ok(done.returncode == 0, "the guest did its part",
                      done.stdout, done.stderr):
            return
        for program in programs:
            check_program(tap, program, runs[program.name], token)
    with tempfile.TemporaryDirectory() as folder:
        done, runs = run(programs, folder, ["--no-capture"], token)
        tap.ok(done.returncode == 0, "a guest without the device did its part",
               done.stdout, done.stderr)
        for program in programs:
            got = runs[program.name]
            pattern = program.shows.replace("TOKEN", token)
            # Some end with status 0 all the same.
            tap.ok(not re.search(pattern, got.written(), re.S | re.M)
                   and re.search(NO_BPF, got.written()),
                   f"{program.name}: captures nothing without /dev/bpf, and "
                   "says why", *show(got))
