#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --share: folders of the host in the guest."""
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import VM, vm  # noqa: E402
from launches import state, wait_until  # noqa: E402
from tap import Tap  # noqa: E402

CONTENT = bytes(range(256)) * 4096

# Prints a line with "!" for each change that succeeds, but must fail. The guest has
# remounted the folder for writing, so QEMU must refuse the changes.
READ_ONLY = """
cd "/mnt/a,b"
sha256sum data | cut -c 1-64
./program
cat link
for path in outside above; do cat $path 2>/dev/null && echo "followed $path"; done
mount -o remount,rw "/mnt/a,b"
grep -q " /mnt/a,b 9p rw" /proc/mounts && echo remounted
tried() { "$@" 2>/dev/null && echo "! $*"; }
tried sh -c 'echo x >data'
tried sh -c 'echo x >>data'
tried sh -c 'echo x >new'
tried truncate -s 0 data
tried rm data
tried rm -r folder
tried mv data moved
tried mkdir made
tried ln data hard
tried ln -s data soft
tried mknod node c 1 3
tried mkfifo pipe
tried chmod 777 data
tried chown 12 data
tried touch -d 2020-01-01 data
echo end
"""

WRITABLE = """
cd /mnt/work
cp "/mnt/a,b/data" copy
mkdir -p new/deep && echo made >new/deep/file
mv old renamed
rm gone
ln -s copy link
chmod 755 renamed
pwd; cat renamed
"""

BAD = (
    ("{folder}/nothing", "no such folder"),
    ("{folder}/a,b/data", "not a folder"),
    ("{folder}:..", "the TAG '..' cannot be the name of a folder"),
    ("{folder}:x/y:rw", "the TAG 'x/y' cannot be the name of a folder"),
    ("{folder}:x:ro", "not DIR, DIR:TAG, DIR:rw or DIR:TAG:rw: it has 2 colons"),
    ("{folder}:x:y:rw",
     "not DIR, DIR:TAG, DIR:rw or DIR:TAG:rw: it has 3 colons"),
    ("{folder}:" + 256 * "x", "the TAG is longer than 255 bytes"),
    ("/", "the root folder has no name, so it needs a TAG"),
    ("/::rw", "the root folder has no name, so it needs a TAG"),
)


def make_folders(folder):
    """A folder to read, with links out of it, and one to write to."""
    shared = folder / "a,b"
    (shared / "folder").mkdir(parents=True)
    (shared / "data").write_bytes(CONTENT)
    (shared / "program").write_text("#!/bin/sh\necho program\n")
    (shared / "program").chmod(0o755)
    (shared / "link").symlink_to("folder/file")
    (shared / "folder/file").write_text("by link\n")
    (folder / "secret").write_text("secret\n")
    (shared / "outside").symlink_to(folder / "secret")
    (shared / "above").symlink_to("../secret")
    work = folder / "work"
    work.mkdir()
    (work / "old").write_text("from the host\n")
    (work / "gone").write_text("")
    return shared, work


def test_both(tap, folder):
    shared, work = make_folders(folder)
    before = state(shared)
    done = vm(["--no-capture", "--share", str(shared), "--share",
               f"{work}/:rw"], ["sh", "-c", READ_ONLY + WRITABLE])
    tap.equal((done.returncode, done.stderr), (0, ""), "--share: status 0")
    lines = done.stdout.splitlines()
    tap.equal(lines[:3], [hashlib.sha256(CONTENT).hexdigest(), "program",
                          "by link"],
              "--share: the folder's files are at /mnt and its name, and can be run")
    tap.equal([line for line in lines if line.startswith("followed")], [],
              "--share: links that point out of the folder do not reach the host's files")
    tap.ok("remounted" in lines,
           "--share: the guest can mount the folder for writing", *lines)
    tap.equal([line for line in lines if line.startswith("!")], [],
              "--share: the guest changes nothing in the folder")
    tap.equal(state(shared), before,
              "--share: nothing has changed on the host")
    tap.equal(lines[-2:], ["/mnt/work", "from the host"],
              "--share :rw: a path with a slash")
    tap.ok((work / "copy").read_bytes() == CONTENT,
           "--share :rw: a file that the guest writes")
    tap.equal((work / "new/deep/file").read_text(), "made\n",
              "--share :rw: a folder that the guest makes")
    tap.equal((work / "renamed").stat().st_mode & 0o777, 0o755,
              "--share :rw: a file that the guest renames, with a new mode")
    tap.equal(os.readlink(work / "link"), "copy",
              "--share :rw: a symbolic link that the guest makes")
    tap.equal(sorted(os.listdir(work)), ["copy", "link", "new", "renamed"],
              "--share :rw: what the guest removes is gone")
    tap.equal({path.stat().st_uid for path in work.rglob("*")},
              {os.geteuid()},
              "--share :rw: all of it is owned by the launcher's user")


def test_changes(tap, folder):
    """Changes by the host while the guest runs; a TAG that needs quoting."""
    (folder / "file").write_text("before\n")
    with subprocess.Popen(
            [VM, "--no-capture", "--share", f"{folder}:t,a=g 'x\n\u00e4",
             "--", "sh", "-c", "cd /mnt/*; cat file; until [ -e go ]; do "
             "sleep 0.1; done; cat file; basename \"$PWD\"; touch file"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True) as launcher:
        wait_until(launcher, "before")
        (folder / "file").write_text("after\n")
        (folder / "go").write_text("")
        out, err = launcher.communicate()
    tap.equal(out, "after\nt,a=g 'x\n\u00e4\n",
              "--share: changes on the host show, and a TAG may have any character")
    tap.equal((launcher.returncode, err),
              (1, "touch: file: Read-only file system\n"),
              "--share of a folder without :rw is read-only")


def test_bad(tap, folder):
    make_folders(folder)
    for spec, message in BAD:
        spec = spec.format(folder=folder)
        what = spec.replace(str(folder), "DIR")[:30]
        done = vm(["--no-capture", "--share", spec], ["true"])
        tap.equal((done.returncode, done.stderr),
                  (125, f"images/vm: --share {spec}: {message}\n"),
                  f"--share {what}: status 125, an error that names the cause")
    done = vm(["--no-capture", "--share", f"{folder}/work",
               "--share", f"{folder}:work:rw"], ["true"])
    tap.equal((done.returncode, done.stderr),
              (125, f"images/vm: --share {folder}:work:rw: --share "
                    f"{folder}/work has the same TAG, work\n"),
              "--share of two folders with the same TAG: status 125, an error that names it")


tap = Tap()
for test in (test_both, test_changes, test_bad):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap.run(lambda tap: test(tap, folder))
sys.exit(tap.done())
