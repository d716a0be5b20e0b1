# SPDX-License-Identifier: GPL-2.0-or-later
"""Temporary folders, which a launcher that was killed leaves behind.

A folder is locked, flock(2), for as long as its launcher lives, and has a mark
in it that tells of what program it is. The next launcher removes marked folders
of the same user that nobody has locked. Between the making of a folder and its
lock another launcher may remove it; its maker sees that and makes another.
"""
import fcntl
import os
import shutil
import tempfile

PREFIX = "virtio-capture-vm-"
HIDDEN = "." + PREFIX           # beside files of the user's
MARK = "of-images-vm"

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary():
    """Where temporary folders go. No other place is tried: nobody would look
    there for what was left."""
    return os.environ.get("TMPDIR") or "/tmp"


def is_at(descriptor, path):
    """Whether that is still the folder of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


class Workspace:
    """A context: the path of a folder that is gone after it."""

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
        """Makes and locks a folder; false when another launcher took it."""
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
        """Locks and marks the folder; false when it has gone."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError:
            return True     # a file system without locks: without the mark, too
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
    """Removes what killed launchers have left in a folder."""
    try:
        names = os.listdir(parent)
    except OSError:
        return
    for name in names:
        if name.startswith((PREFIX, HIDDEN)):
            try:
                clear_one(os.path.join(parent, name))
            except OSError:
                pass    # not ours, in use, or going at this moment


def clear_one(path):
    """Removes one folder if it is a dead launcher's. Its content goes by the
    descriptor: the name may lead elsewhere by now."""
    descriptor = os.open(path, FOLDER)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = os.listdir(descriptor)
        if (names and MARK not in names) or not is_at(descriptor, path):
            return
        # The mark is the last: what is interrupted here can be done again.
        for name in sorted(names, key=MARK.__eq__):
            try:
                os.unlink(name, dir_fd=descriptor)
            except IsADirectoryError:
                shutil.rmtree(name, dir_fd=descriptor)
        os.rmdir(path)
    finally:
        os.close(descriptor)
