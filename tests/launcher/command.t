#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm: COMMAND's input, output and exit status."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import VM, vm  # noqa: E402
from tap import Tap  # noqa: E402

PLACE = """
echo "to stdout"
echo "to stderr" >&2
pwd; id -u; hostname
[ -c /dev/bpf ] && [ -c /dev/bpf0 ] && grep -o '^virtio_capture' /proc/modules
for name in lo eth0; do ip link show $name | grep -o '[<,]UP[,>]'; done
ip address show eth0 | grep -o 'inet 10.0.2.15/24'
exit 7
"""


def with_input(data, *command):
    """Runs COMMAND, or a shell if there is none, with the data as its input."""
    return subprocess.run(
        [VM, "--no-capture", *(["--", *command] if command else [])],
        input=data, capture_output=True, check=False)


def test_place(tap):
    done = vm([], ["sh", "-c", PLACE])
    tap.equal(done.returncode, 7, "images/vm: the exit status is COMMAND's")
    tap.equal(done.stdout.splitlines(),
              ["to stdout", "/root", "0", "capture", "virtio_capture",
               ",UP,", ",UP,", "inet 10.0.2.15/24"],
              "COMMAND's standard output comes out; driver, interfaces and folder are ready")
    tap.equal(done.stderr, "to stderr\n",
              "COMMAND's standard error comes out, and nothing else")


def test_binary(tap):
    data = bytes(range(256)) * 4096
    done = with_input(data, "sh", "-c", "tee /dev/stderr")
    tap.equal(done.returncode, 0, "COMMAND that is a filter: it ends at the end of its input")
    tap.ok(done.stdout == data,
           "a megabyte of all bytes comes out of standard output",
           f"{len(done.stdout)} of {len(data)} bytes")
    tap.ok(done.stderr == data,
           "a megabyte of all bytes comes out of standard error",
           f"{len(done.stderr)} of {len(data)} bytes", done.stderr[-300:])


def test_slow_reader(tap):
    # The guest has sent everything long before all of it is read.
    done = subprocess.run(
        f"'{VM}' --no-capture -- head -c 1000000 /dev/zero |"
        "(sleep 6; head -c 200000 | wc -c; sleep 4; wc -c)",
        shell=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        check=False)
    tap.equal(done.stdout, "200000\n800000\n",
              "a slow reader gets all of COMMAND's output")


def test_shell_from_pipe(tap):
    done = with_input(b"echo from $0\nexit 3\n")
    tap.equal((done.returncode, done.stdout), (3, b"from sh\n"),
              "without COMMAND a shell reads the input")


def test_words_and_background(tap):
    words = ["a b", "", "--", "ä\n'\"$HOME", "-x"]
    done = vm(["--no-capture", "--timeout", "60"],
              ["sh", "-c", "sleep 1000 & trap '' TERM; printf '<%s>' \"$@\"",
               "sh", *words])
    tap.equal(done.stdout, "".join(f"<{word}>" for word in words),
              "COMMAND's words arrive as they are")
    tap.equal(done.returncode, 0,
              "a background process of COMMAND: the guest ends nevertheless")


def test_statuses(tap):
    for what, command, status in (
            ("a signal", ["sh", "-c", "kill -9 $$"], 137),
            ("a program that does not exist", ["no-such-program"], 127),
            ("a file that is not executable", ["/etc/passwd"], 126)):
        done = vm(["--no-capture"], command)
        tap.equal(done.returncode, status, f"COMMAND, {what}: status {status}")
    tap.contains(done.stderr, "/etc/passwd: Permission denied",
                 "COMMAND, a file that is not executable: the error names it")


def test_reader_gone(tap):
    done = subprocess.run(
        f"'{VM}' --no-capture -- yes | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True,
        stdin=subprocess.DEVNULL, check=False)
    tap.equal(done.stdout, "y\n141\n",
              "standard output without a reader: the guest ends")


tap = Tap()
tap.run(test_place, test_binary, test_slow_reader, test_shell_from_pipe,
        test_words_and_background, test_statuses, test_reader_gone)
sys.exit(tap.done())
