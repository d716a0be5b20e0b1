# SPDX-License-Identifier: GPL-2.0-or-later
"""Temporary folders, and removal of those that a killed launcher left.

A folder is locked, flock(2), while its launcher runs, and has a marker file that
says which program made it. The next launcher removes marked folders of the same
user that are not locked. Another launcher may remove a folder before it is locked;
then its creator makes another one.
"""
import fcntl
import os
import shutil
import tempfile

PREFIX = "virtio-capture-vm-"
HIDDEN = "." + PREFIX           # beside the user's files
MARK = "of-images-vm"

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary():
    """The parent of temporary folders. There is no other choice, as folders that are
    left there would not be found."""
    return os.environ.get("TMPDIR") or "/tmp"


def is_at(descriptor, path):
    """Whether the descriptor's folder still has that path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


class Workspace:
    """A context with a temporary folder, which is removed at its end."""

    def __init__(self, parent, prefix=PREFIX):
        self.parent = parent
        self.prefix = prefix
        self.path = None
        self._descriptor = None

    def __enter__(self):
        while not self._make():
            pass
        return self.path

    def _make(self):
        """Makes and locks a folder; returns false if another launcher removed it."""
        self.path = os.path.abspath(
            tempfile.mkdtemp(prefix=self.prefix, dir=self.parent))
        try:
            self._descriptor = os.open(self.path, FOLDER)
        except FileNotFoundError:
            return False
        try:
            return self._lock()
        except BaseException:
            self.__exit__()
            raise

    def _lock(self):
        """Locks and marks the folder; returns false if it was removed."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError:
            return True     # no locks on this file system: no marker either
        if not is_at(self._descriptor, self.path):
            os.close(self._descriptor)
            return False
        os.close(os.open(MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600,
                         dir_fd=self._descriptor))
        return True

    def __exit__(self, *_):
        if self._descriptor is None:
            return      # it was never made
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)


def clear(parent):
    """Removes the temporary folders that killed launchers left in a folder."""
    try:
        names = os.listdir(parent)
    except OSError:
        return
    for name in names:
        if name.startswith((PREFIX, HIDDEN)):
            try:
                clear_one(os.path.join(parent, name))
            except OSError:
                pass    # another program's, in use, or just being removed


def clear_one(path):
    """Removes a folder if its launcher was killed. Its content is removed by the
    descriptor, as the name may be another folder's by now."""
    descriptor = os.open(path, FOLDER)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = os.listdir(descriptor)
        if (names and MARK not in names) or not is_at(descriptor, path):
            return
        # The marker goes last, so that an interrupted removal can be repeated.
        for name in sorted(names, key=MARK.__eq__):
            try:
                os.unlink(name, dir_fd=descriptor)
            except IsADirectoryError:
                shutil.rmtree(name, dir_fd=descriptor)
        os.rmdir(path)
    finally:
        os.close(descriptor)
