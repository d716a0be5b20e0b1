#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm with unusual standard input, output and error: full, closed, slow, the
same file."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
from guest import VM  # noqa: E402
from tap import Tap  # noqa: E402

FULL = "images/vm: standard output: No space left on device\n"


def test_full(tap):
    with open("/dev/full", "wb") as full:
        tap.equal(launches.run(command=["echo", "text"], stdout=full),
                  (125, None, FULL),
                  "standard output is full: status 125, a one-line error")
        tap.equal(launches.run(command=["sh", "-c", "echo out; echo err >&2"],
                               stderr=full)[:2], (125, "out\n"),
                  "standard error is full: status 125, output is passed on")
        tap.equal(launches.run(command=["sh", "-c", "echo out; exit 3"],
                               stderr=full)[:2], (3, "out\n"),
                  "standard error is full and not written to: COMMAND's status")
        done = subprocess.run([VM, "--help"], stdout=full, text=True,
                              stderr=subprocess.PIPE, check=False)
        tap.equal((done.returncode, done.stderr), (125, FULL),
                  "--help to a full disk: status 125, a one-line error")


def test_full_and_files(tap):
    with tempfile.TemporaryDirectory() as folder, \
            open("/dev/full", "wb") as full:
        tap.equal(
            launches.run("--get", f"file:{folder}", stdout=full, command=[
                "sh", "-c", "echo kept >file; echo text; sleep 1000"]),
            (125, None, FULL), "standard output is full, --get: the guest is ended, status 125")
        tap.equal(Path(folder, "file").read_text(), "kept\n",
                  "standard output is full, --get: the file comes out")


def test_closed(tap):
    script = "echo out; cat; sleep 1000"
    done = subprocess.run(
        ["sh", "-c", f"exec '{VM}' --no-capture -- sh -c '{script}' <&- >&-"],
        stderr=subprocess.PIPE, text=True, check=False)
    tap.equal((done.returncode, done.stderr),
              (125, "images/vm: standard output: Bad file descriptor\n"),
              "standard input and output closed: status 125, a one-line error")
    done = subprocess.run([
        "sh", "-c", f"exec '{VM}' --no-capture -- echo out <&- 2>&-"],
        stdout=subprocess.PIPE, text=True, check=False)
    tap.equal((done.returncode, done.stdout), (0, "out\n"),
              "standard error closed and not written to: status 0")
    done = subprocess.run(["sh", "-c", f"exec '{VM}' --bogus 2>&-"],
                          stdout=subprocess.PIPE, text=True, check=False)
    tap.equal((done.returncode, done.stdout), (125, ""),
              "standard error closed: a message is not written to another file")


def test_order(tap):
    lines = [f"{stream}{number}\n" for number in range(200)
             for stream in ("out", "err")]
    done = launches.run(stderr=subprocess.STDOUT, command=[
        "sh", "-c", "n=0; while [ $n -lt 200 ]; do echo out$n; echo err$n >&2;"
                    " n=$((n + 1)); done"])
    tap.equal(done, (0, "".join(lines), None),
              "standard output and error to one pipe: lines keep their order")


def test_at_once(tap):
    echo = launches.start(stdin=subprocess.PIPE, command=[
        "sh", "-c", "printf out; printf err >&2; read answer; echo $answer"])
    both = [os.read(stream.fileno(), 100) if launches.readable(stream) else b""
            for stream in (echo.stdout, echo.stderr)]
    tap.equal(both, [b"out", b"err"],
              "standard output and error: text without a newline is passed on at once")
    echo.stdin.write("answer\n")
    echo.stdin.close()
    tap.equal(echo.stdout.read(), "answer\n", "standard input: a line is passed on at once")
    echo.wait()


def test_one_is_slow(tap):
    slow = launches.start(command=[
        "sh", "-c", "head -c 10000000 /dev/zero & sleep 1; echo done >&2;"
                    " wait"])
    tap.ok(launches.readable(slow.stderr)
           and slow.stderr.readline() == "done\n",
           "standard output without a reader: standard error comes through")
    tap.equal(len(slow.stdout.read()), 10000000,
              "standard output without a reader for a while: nothing of it is lost")
    tap.equal(slow.wait(), 0,
              "standard output without a reader for a while: status 0")


def test_nonblocking(tap):
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    slow = launches.start(command=["head", "-c", "1000000", "/dev/zero"],
                          stdout=theirs)
    os.close(theirs)
    count = 0
    while data := os.read(ours, 1000):
        count += len(data)
    os.close(ours)
    tap.equal((slow.wait(), count), (0, 1000000),
              "standard output that does not block: nothing of it is lost")


def test_qemu_speaks(tap):
    done = launches.start("--qemu-arg=-cpu", "--qemu-arg=qemu64,+vmx",
                          "--accel=tcg", stdin=subprocess.PIPE,
                          command=["head", "-n", "1"])
    tap.ok(launches.readable(done.stderr)
           and "TCG doesn't support" in done.stderr.readline(),
           "QEMU's warnings are passed on while it runs")
    launches.finish(done)


def null_is(kind):
    """A prefix that makes /dev/null a file of another kind for the command."""
    return launches.mounts({
        "a regular file": "f=$(mktemp); mount --bind $f /dev/null; rm $f",
        "another device": "mount --bind /dev/zero /dev/null"}[kind])


def test_null_device(tap):
    for kind in ("a regular file", "another device"):
        with open("/dev/zero", "rb") as zero:
            feed = subprocess.Popen(["head", "-c", "5"], stdin=zero,
                                    stdout=subprocess.PIPE)
            tap.equal(launches.run(prefix=null_is(kind), stdin=feed.stdout,
                                   command=["wc", "-c"]), (0, "5\n", ""),
                      f"a pipe is passed on where /dev/null is {kind}")
            feed.stdout.close()
            feed.wait()
    with tempfile.TemporaryFile() as file:
        file.write(b"line\n")
        file.seek(0)
        tap.equal(launches.run(prefix=null_is("a regular file"), stdin=file,
                               command=["cat"]), (0, "line\n", ""),
                  "a file as input is passed on where /dev/null is a regular file")
    with open("/dev/zero", "rb") as zero:
        tap.equal(launches.run(prefix=null_is("another device"), stdin=zero,
                               command=["head", "-c", "3"]),
                  (0, "\0\0\0", ""),
                  "a device as input is passed on where /dev/null is another one")


def test_input_error(tap):
    # No memory is mapped at address 0.
    with open("/proc/self/mem", "rb", buffering=0) as bad:
        tap.equal(launches.run(stdin=bad,
                               command=["sh", "-c", "cat; echo end"]),
                  (125, "end\n",
                   "images/vm: standard input: Input/output error\n"),
                  "input that cannot be read: end of file for COMMAND, status 125")


tap = Tap()
tap.run(test_full, test_full_and_files, test_closed, test_order, test_at_once,
        test_one_is_slow, test_nonblocking, test_qemu_speaks,
        test_null_device, test_input_error)
sys.exit(tap.done())
