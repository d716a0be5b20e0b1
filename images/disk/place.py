# SPDX-License-Identifier: GPL-2.0-or-later
"""Temporary folders, removed at the end.

Their files may belong to users that exist in a user name space only, so they are
removed in such a name space. A folder is locked with flock(2) while images/build
runs. If it is killed, the next images/build removes the folder."""
import fcntl
import os
import subprocess
import tempfile
import time

from . import namespace

PREFIX = ".virtio-capture-disk-"


def temporary():
    """Return the folder for temporary files. They are too large for a /tmp that
    is in memory."""
    return os.environ.get("TMPDIR") or "/var/tmp"


class Folder:
    """A context manager: makes a folder, gives its path, and removes it."""

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
    """Remove a folder with files of any owner."""
    # A killed process may still be writing a file.
    for _ in range(10):
        done = subprocess.run([*namespace.command(), "rm", "-rf", "--", path],
                              check=False, stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            break
        time.sleep(0.2)


def clear(parent):
    """Remove the temporary folders of this user's killed processes."""
    for name in os.listdir(parent):
        if not name.startswith(PREFIX):
            continue
        path = os.path.join(parent, name)
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                           | os.O_CLOEXEC)
        except OSError:
            continue    # of another user, or just removed
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
        except OSError:
            pass        # in use
        finally:
            os.close(lock)
