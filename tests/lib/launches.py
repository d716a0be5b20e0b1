# SPDX-License-Identifier: GPL-2.0-or-later
"""What the launcher's tests share: launches to be disturbed, small disks."""
import os
import select
import shutil
import subprocess
from pathlib import Path

from guest import VM, build_module

PREFIXES = ("virtio-capture-vm-", ".virtio-capture-vm-")


def build_fault():
    """Builds fault.ko for the image's kernel."""
    return build_module("tests/launcher/fault.c")


def start(*options, command, path=None, tmp=None, prefix=(), **kwargs):
    """Starts a launcher without capture devices."""
    environment = dict(os.environ)
    if tmp:
        environment["TMPDIR"] = str(tmp)
    if path:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    kwargs = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
              "stderr": subprocess.PIPE, "text": True, **kwargs}
    return subprocess.Popen(
        [*prefix, VM, "--no-capture", *map(str, options), "--", *command],
        env=environment, **kwargs)


def finish(launcher):
    """Waits for its end; gives its status, output and errors."""
    out, err = launcher.communicate()
    return launcher.returncode, out, err


def run(*options, **kwargs):
    """A launch from start to end: its status, output and errors."""
    return finish(start(*options, **kwargs))


def wait_until(launcher, line):
    """Waits until COMMAND writes that line."""
    said = launcher.stdout.readline()
    assert said == line + "\n", f"{said!r} instead of {line!r}"


def mounts(script):
    """A prefix for a command: script mounts what only the command sees."""
    become_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *become_root, "--mount", "sh", "-ec",
            f'{script}; exec "$@"', "sh"]


def small_disk(folder, size):
    """A prefix: the folder is a file system of that many bytes."""
    return mounts(f"mount -t tmpfs -o size={size} tmpfs '{folder}'")


def shim(folder, name, script):
    """A folder for PATH in which a program first does something else: the
    script, with "$real" the program itself."""
    place = Path(folder, "shim")
    place.mkdir()
    program = place / name
    program.write_text(f"#!/bin/sh\nreal={shutil.which(name)}\n{script}\n")
    program.chmod(0o755)
    return place


def leftovers(folder):
    """The launchers' folders that are there."""
    return [name for name in os.listdir(folder) if name.startswith(PREFIXES)]


def readable(descriptor):
    """Waits until there is something to read, for a minute."""
    return bool(select.select([descriptor], [], [], 60)[0])


def state(folder):
    """All that a guest could change in a folder."""
    return sorted((str(path), found.st_mode, found.st_uid, found.st_size,
                   found.st_mtime_ns, found.st_nlink)
                  for path in folder.rglob("*")
                  for found in (path.lstat(),))
