#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm: files that are copied into the guest (--add) and out of it (--get)."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import vm  # noqa: E402
from tap import Tap  # noqa: E402

CONTENT = bytes(range(256)) * 1000


def make_tree(folder):
    """Files on the host to add."""
    tree = folder / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "data").write_bytes(CONTENT)
    (tree / "link").symlink_to("sub/data")
    program = folder / "program"
    program.write_text("#!/bin/sh\necho program $(pwd)\n")
    program.chmod(0o755)
    return tree, program


def test_both_ways(tap, folder):
    tree, program = make_tree(folder)
    out = folder / "out"
    out.mkdir()
    done = vm(
        ["--no-capture",
         "--add", str(program), "--add", f"{program}:/usr/bin/other",
         "--add", f"{program}:/tmp", "--add", f"{tree}:/opt/deep/",
         "--add", f"{tree}:relative",
         "--get", f"result:{out}/renamed", "--get", f"/opt/deep/tree:{out}",
         "--get", f"relative/link:{out}/"],
        ["sh", "-c", "./program; other; /tmp/program; cat /opt/deep/tree/link"
                     " >result; stat -c '%u:%g %a' program /root; exit 4"])
    tap.equal(done.returncode, 4,
              "--get brings files out, and COMMAND's status is passed on")
    tap.equal(done.stdout, "program /root\n" * 3 + "0:0 755\n0:0 755\n",
              "--add copies files to their targets, with their mode, owned by root")
    tap.equal(done.stderr, "", "--add and --get print no message")
    tap.ok((out / "renamed").read_bytes() == CONTENT,
           "--get with another name: the file is whole")
    tap.ok((out / "tree/sub/data").read_bytes() == CONTENT,
           "--get of a folder brings all of it out")
    tap.equal(os.readlink(out / "link"), "sub/data",
              "--get of a symbolic link brings the link out")


def test_missing_in_guest(tap, folder):
    done = vm(["--no-capture", "--get", f"nothing:{folder}", "--get",
               f"there:{folder}"],
              ["sh", "-c", "echo here >there; exit 3"])
    tap.equal(done.returncode, 125, "--get of a missing file: status 125")
    tap.contains(done.stderr, "--get /root/nothing: No such file",
                 "--get of a missing file: the error names it")
    tap.contains(done.stderr, "COMMAND's status was 3",
                 "--get of a missing file: the error has COMMAND's status")
    tap.equal((folder / "there").read_text(), "here\n",
              "--get of a missing file: the other one comes out")


def test_bad_on_host(tap, folder):
    for option, value, message in (
            ("--add", f"{folder}/nothing", "no such file or folder"),
            ("--get", f"file:{folder}/no/where", f"no folder {folder}/no"),
            ("--get", f":{folder}", "no SRC")):
        done = vm(["--no-capture", option, value], ["true"])
        tap.equal(done.returncode, 125, f"{option}, {message}: status 125")
        tap.contains(done.stderr, f"{option} {value}: {message}",
                     f"{option}, {message}: the error reports it")


def test_default_place(tap, folder):
    done = subprocess.run(
        [Path(__file__).resolve().parents[2] / "images/vm", "--no-capture",
         "--get", "made", "--", "sh", "-c", "echo x >made"],
        cwd=folder, stdin=subprocess.DEVNULL, check=False)
    tap.equal(done.returncode, 0, "--get without DST succeeds")
    tap.equal((folder / "made").read_text(), "x\n",
              "--get without DST puts the file into the current folder")


tap = Tap()
for test in (test_both_ways, test_missing_in_guest, test_bad_on_host,
             test_default_place):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap.run(lambda tap: test(tap, folder))
sys.exit(tap.done())
