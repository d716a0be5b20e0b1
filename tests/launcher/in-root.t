#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/fetch/in-root: mounts, processes and environment of a command in a root folder,
and their removal. make check-release uses it."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from tap import Tap, skip_all  # noqa: E402

IN_ROOT = Path(__file__).resolve().parents[2] / "images" / "fetch" / "in-root"
NODES = {"fd", "full", "net", "null", "ptmx", "pts", "random", "shm",
         "stderr", "stdin", "stdout", "tty", "urandom", "zero"}


def small_root(folder):
    """A root folder with busybox."""
    for name in ("bin", "dev", "proc", "sys"):
        os.mkdir(f"{folder}/{name}")
    shutil.copy(shutil.which("busybox"), f"{folder}/bin")
    for name in ("sh", "ls", "cat", "env", "ps", "sleep", "mount", "touch",
                 "grep"):
        os.symlink("busybox", f"{folder}/bin/{name}")


def in_root(folder, script):
    """Runs a shell script in the root folder."""
    return subprocess.run([IN_ROOT, folder, "sh", "-c", script], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          env={**os.environ, "CAPTURE_SECRET": "1"},
                          check=False)


def mounts(folder):
    """The mounts in a folder that this process sees."""
    return [line for line in Path("/proc/self/mountinfo").read_text()
            .splitlines() if f" {folder}" in line]


def unchanged(folder):
    """Mounts, and files, that are left in the mount points."""
    return mounts(folder) + [path for name in ("dev", "proc", "sys")
                             for path in os.listdir(f"{folder}/{name}")]


def test_own(tap, folder):
    done = in_root(folder, "exit 3")
    tap.equal((done.returncode, done.stdout, done.stderr), (3, "", ""),
              "in-root passes the command's status on")
    done = in_root(folder, "cd /dev; ls; touch /dev/mark; echo x >/dev/null")
    tap.equal((set(done.stdout.split()) - {"kvm"}, done.stderr), (NODES, ""),
              "in-root: /dev is its own, with device nodes that work")
    tap.ok(not os.path.exists("/dev/mark"),
           "in-root: this machine's /dev is unchanged")
    done = in_root(folder, "grep -c '^[^ ]* [^ ]* [^ ]* [^ ]* / ' "
                   "/proc/self/mountinfo")
    tap.equal(done.stdout, "1\n", "in-root: the root folder is a mount point")
    # The process that made the mounts, and the shell.
    done = in_root(folder, "set -- /proc/[0-9]*; echo $#")
    tap.equal(done.stdout, "2\n",
              "in-root: the command sees its own processes only")
    done = in_root(folder, "echo ${CAPTURE_SECRET-none}; ls /sys/class/net")
    tap.ok(done.stdout.startswith("none\n") and "\nlo\n" in done.stdout,
           "in-root: there is /sys, and nothing of the environment",
           done.stdout)
    done = subprocess.run(
        ["sh", "-c", f"{IN_ROOT} {folder} sh -c 'kill -INT $$; echo no' &"
         "wait $!"], capture_output=True, text=True, check=False)
    tap.equal((done.returncode, done.stdout), (130, ""),
              "in-root: SIGINT ends the command, also in the background")
    tap.equal(unchanged(folder), [],
              "in-root: after SIGINT nothing stays mounted")


def test_killed(tap, folder):
    """Background processes of the command end, too."""
    with subprocess.Popen(
            [IN_ROOT, folder, "sh", "-c", "sleep 1000 & echo started; wait"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        tap.equal(process.stdout.readline(), b"started\n",
                  "in-root that will be killed: a command runs")
        process.kill()
        tap.equal(process.stdout.read(), b"",
                  "in-root killed: all its processes end")
    tap.equal(unchanged(folder), [], "in-root killed: nothing stays mounted")


def test_refused(tap, folder):
    done = subprocess.run([IN_ROOT, folder], text=True, capture_output=True,
                          check=False)
    tap.equal((done.returncode, done.stderr),
              (2, "usage: images/fetch/in-root ROOT COMMAND [ARG...]\n"),
              "in-root without a command: the usage")
    done = subprocess.run([IN_ROOT, f"{folder}/none", "true"], text=True,
                          capture_output=True, check=False)
    tap.ok(done.returncode not in (0, None) and "none" in done.stderr,
           "in-root with a folder that does not exist: the error names it",
           done.stderr)
    done = in_root(folder, "exec nothing")
    tap.equal(done.returncode, 127,
              "in-root with a command that does not exist: status 127")


def main():
    if os.getuid():
        skip_all("only root can make device nodes")
    tap = Tap()
    for test in (test_own, test_killed, test_refused):
        with tempfile.TemporaryDirectory() as folder:
            small_root(folder)
            tap.run(lambda tap, test=test, where=folder: test(tap, where))
    return tap.done()


sys.exit(main())
