#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm removes the folders of launchers that were killed, and no others."""
import fcntl
import os
import signal
import stat
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS.parent / "images")]
sys.dont_write_bytecode = True
import launches  # noqa: E402
from launcher import workspace  # noqa: E402
from tap import Tap  # noqa: E402

READY = ["sh", "-c", "echo ready; read line; echo $line"]
NAME = "virtio-capture-vm-test"


def test_killed(tap, folder):
    killed = launches.start(tmp=folder, command=["sh", "-c",
                                                 "echo ready; sleep 1000"])
    launches.wait_until(killed, "ready")
    running = launches.start(tmp=folder, command=READY, stdin=-1)
    launches.wait_until(running, "ready")
    killed.kill()
    killed.communicate()
    tap.equal(len(launches.leftovers(folder)), 2,
              "a launcher that was killed leaves its folder")
    tap.equal(launches.run(tmp=folder, command=["true"])[0], 0,
              "the launcher after one that was killed starts")
    tap.equal(len(launches.leftovers(folder)), 1,
              "the launcher after one that was killed removes that one's folder only")
    tap.equal(running.communicate("on\n")[0], "on\n",
              "a running launcher beside one that was killed: it continues")
    tap.equal((running.returncode, os.listdir(folder)), (0, []),
              "a running launcher beside one that was killed: its folder is removed")


def test_killed_at_get(tap, folder):
    (folder / "old").write_text("old\n")
    go, gone = folder / "go", folder / "gone"
    os.mkfifo(go)
    os.mkfifo(gone)
    shim = launches.shim(
        folder, "tar", f'"$real" "$@"; echo >{gone}; read x <{go}')
    options = ("--get", f"file:{folder}/old")
    command = ["sh", "-c", "echo new >file"]
    killed = launches.start(*options, tmp=folder, path=shim, command=command)
    gone.read_text()
    killed.kill()
    killed.wait()
    go.write_text("")
    killed.communicate()
    tap.equal((folder / "old").read_text(), "old\n",
              "killed while --get unpacks: the old file is there, whole")
    tap.equal(len(launches.leftovers(folder)), 2,
              "killed while --get unpacks: two folders are left")
    tap.equal(launches.run(*options, tmp=folder, command=command),
              (0, "", ""),
              "the launcher after one killed while --get unpacks brings its file out")
    tap.equal((folder / "old").read_text(), "new\n",
              "the launcher after one killed while --get unpacks: the new file is there")
    tap.equal(launches.leftovers(folder), [],
              "the launcher after one killed while --get unpacks: both folders are removed")


def make(folder, mark=True, content=True):
    """Makes a folder like one that a killed launcher left."""
    path = folder / NAME
    path.mkdir(mode=0o700)
    (path / "sub").mkdir()
    (path / "sub" / "link").symlink_to("/")
    if content:
        (path / "sub" / "file").write_text("")
    if mark:
        (path / workspace.MARK).write_text("")
    return path


def test_removed(tap, folder):
    path = make(folder)
    workspace.clear(folder)
    tap.ok(not path.exists(), "a left folder with the mark is removed")
    path.mkdir()
    workspace.clear(folder)
    tap.ok(not path.exists(), "a left folder that is empty is removed")


def test_not_removed(tap, folder):
    path = make(folder, mark=False)
    workspace.clear(folder)
    tap.ok((path / "sub/file").exists(),
           "a left folder without the mark stays")
    (path / workspace.MARK).write_text("")

    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    workspace.clear(folder)
    tap.ok((path / "sub/file").exists(), "a left folder that is locked stays")
    os.close(descriptor)

    path.rename(folder / "else")
    path.symlink_to(folder / "else")
    workspace.clear(folder)
    tap.ok((folder / "else/sub/file").exists(),
           "a symbolic link with such a name: its target stays")
    path.unlink()
    path.write_text("")
    workspace.clear(folder)
    tap.ok(path.exists(), "a file with such a name stays")
    (folder / "else").rename(folder / "another-vm-test")
    workspace.clear(folder)
    tap.ok((folder / "another-vm-test/sub/file").exists(),
           "a folder with another name stays")
    workspace.clear(folder / "missing")


def test_other_user(tap, folder):
    if os.geteuid():
        # Only root can change the owner of a folder.
        tap.skip("another user's folder", "needs root")
        return
    path = make(folder)
    os.chown(path, 12345, 12345)
    workspace.clear(folder)
    tap.ok((path / "sub/file").exists(), "another user's folder stays")


def test_taken_at_birth(tap, folder):
    """Another launcher removes a folder before it is locked."""
    mkdtemp, made = tempfile.mkdtemp, []

    def make_and_clear(**keywords):
        made.append(mkdtemp(**keywords))
        if len(made) == 1:
            workspace.clear(folder)
        return made[-1]
    workspace.tempfile.mkdtemp = make_and_clear
    try:
        with workspace.Workspace(folder) as path:
            tap.equal((len(made), made.index(path)), (2, 1),
                      "a temporary folder that was removed is made again")
            tap.equal(stat.S_IMODE(os.stat(path).st_mode), 0o700,
                      "a temporary folder has mode 700")
            workspace.clear(folder)
            tap.equal(os.listdir(path), [workspace.MARK],
                      "a temporary folder has the mark")
    finally:
        workspace.tempfile.mkdtemp = mkdtemp
    tap.equal(os.listdir(folder), [],
              "a temporary folder is removed at the end")


def test_socket(tap, folder):
    path = folder / "qmp"
    guest = launches.start("--qmp", path, tmp=folder, command=READY, stdin=-1)
    launches.wait_until(guest, "ready")
    guest.send_signal(signal.SIGTERM)
    guest.communicate()
    tap.equal((guest.returncode, os.listdir(folder)), (143, []),
              "SIGTERM: temporary folder and QMP socket are removed")


tap = Tap()
for test in (test_killed, test_killed_at_get, test_removed, test_not_removed,
             test_other_user, test_taken_at_birth, test_socket):
    with tempfile.TemporaryDirectory() as name:
        tap.run(lambda tap: test(tap, Path(name)))
sys.exit(tap.done())
