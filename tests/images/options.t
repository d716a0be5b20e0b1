#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/build: invalid options, --help, missing programs and an interrupt. The tests in
disks/ make images (make check-images)."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from tap import Tap  # noqa: E402
from tree import TOP  # noqa: E402

BUILD = TOP / "images" / "build"
PAGE = TOP / "images" / "build.1"

# Invalid options, and a part of the error. "here" is a folder with the files that
# prepare() makes.
BAD = (
    (["--bogus"], "unrecognized arguments: --bogus"),
    (["--release", "sid"], "argument --release: invalid choice: 'sid'"),
    (["--rel", "trixie"], "unrecognized arguments: --rel"),
    (["--format", "vdi"], "argument --format: invalid choice: 'vdi'"),
    (["--size", "big"], "--size big: not a size such as 3000M, 4G or 1T"),
    (["--size", "4"], "--size 4: not a size"),
    (["--size", "-4G"], "--size -4G: not a size"),
    (["--size", "100M"], "--size 100M: not from 256M to 8T"),
    (["--size", "9T"], "--size 9T: not from 256M to 8T"),
    (["--size", "99999999999G"], "--size 99999999999G: not a size"),
    (["--hostname", "a_b"], "--hostname a_b: a host name is made of"),
    (["--hostname", ""], "--hostname : a host name is made of"),
    (["--hostname", "-a"], "--hostname -a: a host name is made of"),
    (["--hostname", "a" * 65], "a: a host name is made of"),
    (["--package", "Big_Name"], "--package Big_Name: neither a package name"),
    (["--package", "a,b"], "--package a,b: neither a package name"),
    (["--package", "-x"], "--package -x: neither a package name"),
    (["--package", "gone.deb"], "--package gone.deb: no such file"),
    (["--package", "here/text.deb"],
     "--package here/text.deb: not a Debian package"),
    (["--package", "here/folder.deb"], "--package here/folder.deb: not a file"),
    (["--script", "gone"], "--script gone: no such file"),
    (["--script", "here"], "--script here: not a file"),
    (["--ssh-key", "gone"], "--ssh-key gone: no such file"),
    (["--ssh-key", "here/private"],
     "--ssh-key here/private: this is a private key; give the public one"),
    (["--ssh-key", "here/text.deb"],
     "--ssh-key here/text.deb: not a public key for SSH: 'text'"),
    (["--ssh-key", "here/empty"], "--ssh-key here/empty: not a public key"),
)

# Invalid OUTPUT, and a part of the error.
BAD_OUTPUTS = (
    ("", "OUTPUT '': not a file name"),
    ("here", "OUTPUT here: not a file name"),
    ("gone/image", "OUTPUT gone/image: there is no folder"),
    ("here/text.deb", "OUTPUT here/text.deb: exists (--force replaces it)"),
    ("here/pipe", "OUTPUT here/pipe: exists and is not a file"),
)


def prepare(folder):
    """Makes the files that options name."""
    here = Path(folder, "here")
    Path(here, "folder.deb").mkdir(parents=True)
    Path(here, "text.deb").write_text("text\n")
    Path(here, "empty").write_text("# no key\n")
    Path(here, "private").write_text(
        "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3Blbg==\n")
    os.mkfifo(Path(here, "pipe"))


def build(folder, *words, **keywords):
    """Runs images/build in a folder; returns a CompletedProcess with text."""
    return subprocess.run([BUILD, *words], cwd=folder, text=True, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          **keywords)


def contents(folder):
    """Returns the paths of all files in a folder."""
    return sorted(str(path) for path in Path(folder).rglob("*"))


def test_bad(tap, folder):
    before = contents(folder)
    for words, message in BAD:
        done = build(folder, "=".join(words), "image")
        told = re.sub(r"\s+", " ", done.stderr)
        tap.ok(done.returncode == 2 and message in told
               and told.startswith("images/build: "),
               f"images/build {' '.join(words)[:40]}: status 2, and the error names "
               "the option",
               done.returncode, done.stderr)
    for output, message in BAD_OUTPUTS:
        done = build(folder, output)
        tap.ok(done.returncode == 2 and message in done.stderr,
               f"images/build with the OUTPUT {output or '(empty)'}: status 2, and "
               "the error names OUTPUT",
               done.returncode, done.stderr)
    done = build(folder)
    tap.ok(done.returncode == 2 and "required: OUTPUT" in done.stderr,
           "images/build without OUTPUT: status 2, and the error names OUTPUT",
           done.stderr)
    tap.equal(contents(folder), before,
              "images/build with invalid options writes no file")


def test_help(tap, folder):
    done = build(folder, "--help")
    tap.equal((done.returncode, done.stderr), (0, ""),
              "images/build --help: status 0 and no errors")
    tap.contains(done.stdout, "images/build.1",
                 "images/build --help names the manual page")
    there = set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE))
    told = {f"-{name}" for name in re.findall(
        r"^\.It Fl (-[a-z-]+)", PAGE.read_text(), re.MULTILINE)}
    tap.ok(len(there) > 10, "images/build --help lists options", done.stdout)
    tap.equal(sorted(told), sorted(there),
              "images/build --help and its manual page have the same options")


def test_needs(tap, folder):
    """Programs that images/build needs are missing."""
    path = Path(folder, "bin")
    path.mkdir()
    Path(path, "python3").symlink_to(sys.executable)
    for program in ("mmdebstrap", "unshare", "make", "gcc"):
        Path(path, program).symlink_to(Path("/usr/bin", program))
    done = build(folder, "image.qcow2",
                 env={**os.environ, "PATH": str(path)})
    tap.ok(done.returncode == 1
           and re.search("missing programs:.* mformat,.* qemu-img[,;]",
                         done.stderr)
           and re.search("install mtools qemu-utils( uidmap)? ", done.stderr),
           "images/build without needed programs: status 1, and the error lists "
           "programs and packages", done.stderr)


def test_signal(tap, folder):
    """SIGINT while the system is made."""
    if not list((TOP / "build" / "deb").glob("virtio-capture-libpcap_*.deb")):
        tap.skip("images/build with SIGINT", "make deb has made no packages")
        return
    place = Path(folder, "place")
    place.mkdir()
    before = contents(folder)
    with subprocess.Popen([BUILD, "image"], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          env={**os.environ, "TMPDIR": str(place)}) as builder:
        while not list(place.glob(".virtio-capture-disk-*/root")) \
                and builder.poll() is None:
            time.sleep(0.05)
        builder.send_signal(signal.SIGINT)
        errors = builder.stderr.read()
    tap.equal(builder.returncode, 128 + signal.SIGINT,
              "images/build with SIGINT: status 130")
    tap.ok(contents(folder) == before, "images/build with SIGINT leaves no file",
           *contents(folder), errors)


def main():
    """Runs the tests in a temporary folder."""
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        tap.run(*[lambda tap, test=test: test(tap, folder) for test in
                  (test_bad, test_help, test_needs, test_signal)])
    return tap.done()


sys.exit(main())
