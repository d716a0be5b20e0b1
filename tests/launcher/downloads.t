#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/fetch/source, fetch/any-source, fetch/package and setup: their errors, and
that a second run does nothing."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from tap import Tap  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
IMAGES = TOP / "images"


def run(program, *words, **kwargs):
    """Runs one of the scripts in images/."""
    return subprocess.run([IMAGES / program, *words], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, **kwargs)


def test_missing_version(tap):
    for program, words in (("fetch/package", ["kmod=0.not-a-version"]),
                           ("fetch/source", ["libpcap", "0.not-a-version"])):
        with tempfile.TemporaryDirectory() as folder:
            done = run(program, *words, f"{folder}/out")
            tap.ok(done.returncode != 0,
                   f"{program} of a missing version fails")
            tap.contains(done.stderr, "0.not-a-version",
                         f"{program} of a missing version: the error names it")
            tap.contains(done.stderr, "images/fetch/setup --upgrade",
                         f"{program} of a missing version: the error names the remedy")
            tap.equal(os.listdir(folder), [],
                      f"{program} of a missing version leaves nothing")


def test_any(tap):
    with tempfile.TemporaryDirectory() as folder:
        done = run("fetch/any-source", "--orig", f"{folder}/libpcap",
                   "not-a-package", "libpcap")
        tap.equal(done.returncode, 0, "fetch/any-source: the second package "
                  "is fetched if the first does not exist")
        tap.contains(done.stderr, "not-a-package",
                     "fetch/any-source: the error names the first package")
        tap.ok(os.path.exists(f"{folder}/libpcap/configure"),
               "fetch/any-source: the files are those of the second package")
        done = run("fetch/any-source", f"{folder}/none", "not-a-package")
        tap.ok(done.returncode == 1 and not os.path.exists(f"{folder}/none"),
               "fetch/any-source without any package fails and leaves nothing",
               done.stderr)


def test_usage(tap):
    for program, words in (("fetch/package", []), ("fetch/source", ["a"]),
                           ("fetch/source", ["a", "b", "c", "--other"]),
                           ("fetch/any-source", ["--orig", "a"]),
                           ("fetch/setup", ["--other"])):
        done = run(program, *words)
        tap.equal(done.returncode, 2, f"{program} {words}: status 2")
        tap.contains(done.stderr, f"usage: images/{program}",
                     f"{program} {words}: the error is the usage")


def test_once_and_together(tap):
    with tempfile.TemporaryDirectory() as folder:
        command = [IMAGES / "fetch/package", "bc", f"{folder}/bc"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                for _ in range(2)]
        output = [one.communicate()[0] for one in both]
        tap.equal([one.returncode for one in both], [0, 0],
                  "fetch/package twice at a time: both succeed")
        tap.equal(sorted(output), ["", "images/fetch/package: bc\n"],
                  "fetch/package twice at a time: only one of them fetches")
        tap.ok(os.access(f"{folder}/bc/usr/bin/bc", os.X_OK),
               "fetch/package: the package's files exist")
        before = os.stat(f"{folder}/bc").st_ino
        done = run("fetch/package", "bc", f"{folder}/bc")
        tap.equal((done.returncode, done.stdout, os.stat(
            f"{folder}/bc").st_ino), (0, "", before),
                  "fetch/package a second time does nothing")


def test_setup(tap):
    done = run("fetch/setup")
    tap.equal((done.returncode, done.stdout, done.stderr), (0, "", ""),
              "setup with all packages installed does nothing")


def test_setup_without_root(tap):
    """A dpkg without packages, and no sudo."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("sh", "sed", "tr", "sort", "uniq", "dirname", "cat",
                     "apt-get", "mktemp"):
            os.symlink(f"/usr/bin/{name}", f"{folder}/{name}")
        for name, text in (("dpkg-query", "exit 1"), ("id", "echo 1000")):
            path = Path(folder, name)
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        done = run("fetch/setup", env={"PATH": folder})
    tap.equal(done.returncode, 1, "setup without root or sudo fails")
    tap.contains(done.stderr, "must be root (there is no sudo) to install: ",
                 "setup without root or sudo: the error reports it")
    tap.contains(done.stderr, "qemu-system-x86",
                 "setup without root or sudo: the error names the packages")


tap = Tap()
tap.run(test_missing_version, test_any, test_usage, test_once_and_together, test_setup,
        test_setup_without_root)
sys.exit(tap.done())
