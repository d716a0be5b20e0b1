# SPDX-License-Identifier: GPL-2.0-or-later
"""How a file from the guest replaces its target.

It is created beside the target, on the same file system, and renamed. So the target
is the old file or the complete new one, also when the launcher is killed or another
process writes there.
"""
import errno
import os
import shutil
import stat
import subprocess

from .errors import Failure
from .workspace import HIDDEN, Workspace, temporary


def unpack(archive, folder, is_part=False):
    """Unpacks an archive into a new folder with tar(1), which refuses names that
    point out of it. A new session keeps the terminal's signals from it."""
    os.mkdir(folder)
    done = subprocess.run(
        ["tar", "--no-same-owner", "-xf", archive, "-C", folder],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, check=False,
        start_new_session=True)
    if done.returncode and not is_part:
        lines = done.stderr.decode(errors="replace").splitlines()
        raise Failure(lines[0] if lines else
                      f"tar ended with status {done.returncode}")


def put(place, fill):
    """Writes to place the one file or folder that fill(folder) creates in a new
    folder."""
    if is_device(place):
        through(place, fill, os.O_APPEND)
        return
    final = os.path.realpath(place)
    where = final if os.path.isdir(final) else os.path.dirname(final)
    try:
        # The folder may have been removed while COMMAND ran.
        os.makedirs(where, exist_ok=True)
        with Workspace(where, HIDDEN) as folder:
            install(made(folder, fill), place, final)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) \
                or not os.path.isfile(final):
            raise
        # The file is writable, but its folder is not.
        through(final, fill, os.O_TRUNC)


def is_device(place):
    """Whether place must be written to, not replaced: a FIFO, /dev/stdout etc."""
    try:
        mode = os.stat(place).st_mode
    except OSError:
        return False
    first = os.path.abspath(place).split("/")[1]
    return not stat.S_ISDIR(mode) and (not stat.S_ISREG(mode)
                                       or first in ("dev", "proc"))


def made(folder, fill):
    """Calls fill(); returns the path of the one file or folder that it created."""
    fill(f"{folder}/new")
    names = os.listdir(f"{folder}/new")
    if len(names) != 1:
        raise Failure(f"the guest sent {len(names)} files")
    return f"{folder}/new/{names[0]}"


def through(place, fill, flag):
    """Writes a file's content to an existing file or device."""
    with Workspace(temporary()) as folder:
        source = made(folder, fill)
        if not os.path.isfile(source):
            raise Failure(f"{place}: a folder cannot be written to a file")
        with open(source, "rb") as content, \
                open(os.open(place, os.O_WRONLY | flag), "wb") as target:
            shutil.copyfileobj(content, target)


def install(source, place, final):
    """Moves source to place; final is the real path of place."""
    if os.path.islink(source):
        if os.path.lexists(place):
            os.unlink(place)
        os.symlink(os.readlink(source), place)
    elif os.path.isdir(source) and os.path.isdir(final):
        merge(source, final)
    else:
        os.replace(source, final)


def merge(source, target):
    """Moves a folder's content into an existing folder, file by file."""
    for name in os.listdir(source):
        old, new = os.path.join(source, name), os.path.join(target, name)
        if os.path.isdir(new) and not os.path.islink(new) \
                and os.path.isdir(old) and not os.path.islink(old):
            merge(old, new)
        elif os.path.lexists(new) and not (os.path.isfile(new)
                                           or os.path.islink(new)):
            raise FileExistsError(errno.EEXIST, "neither a file nor a folder"
                                  if not os.path.isdir(new) else
                                  "a folder, but not in the guest", new)
        else:
            os.replace(old, new)
