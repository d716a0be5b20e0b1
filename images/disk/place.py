# SPDX-License-Identifier: GPL-2.0-or-later
"""Temporary folders. Their files may belong to users that only a name space
has, and the launcher may be killed: the next one removes what it has left.

A folder is locked, flock(2), for as long as its launcher lives."""
import fcntl
import os
import subprocess
import tempfile
import time

from . import namespace

PREFIX = ".virtio-capture-disk-"


def temporary():
    """Where the system's files go: they are too many for a file system in
    memory, as /tmp may be."""
    return os.environ.get("TMPDIR") or "/var/tmp"


class Folder:
    """A context: the path of a folder that is gone after it."""

    def __init__(self, parent):
        self.parent = os.path.abspath(parent)
        self.path = None
        self._lock = None

    def __enter__(self):
        clear(self.parent)
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=self.parent)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self.path

    def __exit__(self, *_):
        if self._lock is None:
            return      # it was never made
        remove(self.path)
        os.close(self._lock)


def remove(path):
    """Removes a folder, whomever its files belong to in the name space."""
    # What was killed may be about to write a file.
    for _ in range(10):
        done = subprocess.run([*namespace.command(), "rm", "-rf", "--", path],
                              check=False, stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            break
        time.sleep(0.2)


def clear(parent):
    """Removes what killed launchers of this user have left in a folder."""
    for name in os.listdir(parent):
        if not name.startswith(PREFIX):
            continue
        path = os.path.join(parent, name)
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                           | os.O_CLOEXEC)
        except OSError:
            continue    # not ours, or going at this moment
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
        except OSError:
            pass        # in use
        finally:
            os.close(lock)
