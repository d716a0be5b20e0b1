# SPDX-License-Identifier: GPL-2.0-or-later
"""Common code of the launcher's tests: runs of the launcher, and its environment."""
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
    """Waits for its end; returns its status, output and errors."""
    out, err = launcher.communicate()
    return launcher.returncode, out, err


def run(*options, **kwargs):
    """Runs the launcher; returns its status, output and errors."""
    return finish(start(*options, **kwargs))


def wait_until(launcher, line):
    """Waits for COMMAND's next line, which must be this one."""
    said = launcher.stdout.readline()
    assert said == line + "\n", f"{said!r} instead of {line!r}"


def mounts(script):
    """Returns a prefix that runs a command with private mounts, made by script."""
    become_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *become_root, "--mount", "sh", "-ec",
            f'{script}; exec "$@"', "sh"]


def small_disk(folder, size):
    """Returns such a prefix: the folder is a file system of that size in bytes."""
    return mounts(f"mount -t tmpfs -o size={size} tmpfs '{folder}'")


def shim(folder, name, script):
    """Returns a folder for PATH in which a program is replaced by a script, which
    can run the real program as "$real"."""
    place = Path(folder, "shim")
    place.mkdir()
    program = place / name
    program.write_text(f"#!/bin/sh\nreal={shutil.which(name)}\n{script}\n")
    program.chmod(0o755)
    return place


def leftovers(folder):
    """Returns the launchers' folders that exist."""
    return [name for name in os.listdir(folder) if name.startswith(PREFIXES)]


def readable(descriptor):
    """Waits up to a minute for input; returns whether there is some."""
    return bool(select.select([descriptor], [], [], 60)[0])


def state(folder):
    """Returns the metadata of all files in a folder."""
    return sorted((str(path), found.st_mode, found.st_uid, found.st_size,
                   found.st_mtime_ns, found.st_nlink)
                  for path in folder.rglob("*")
                  for found in (path.lstat(),))
