# SPDX-License-Identifier: GPL-2.0-or-later
"""How a file that came out of the guest gets to its place.

It is made beside its place, on the same file system, and renamed: the place has
the old file or the whole new one, whenever the launcher is killed and whoever
else writes there.
"""
import errno
import os
import shutil
import stat
import subprocess

from .errors import Failure
from .workspace import HIDDEN, Workspace, temporary


def unpack(archive, folder, is_part=False):
    """Unpacks an archive into a new folder. tar refuses names that lead out of
    it, and that is why it is tar. It is not to get the terminal's signals."""
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
    """Has fill() make a folder with one file or folder, and puts that there."""
    if is_device(place):
        through(place, fill, os.O_APPEND)
        return
    final = os.path.realpath(place)
    where = final if os.path.isdir(final) else os.path.dirname(final)
    try:
        # COMMAND's time is long: somebody may have removed it.
        os.makedirs(where, exist_ok=True)
        with Workspace(where, HIDDEN) as folder:
            install(made(folder, fill), place, final)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) \
                or not os.path.isfile(final):
            raise
        # A file that can be written in a folder that cannot.
        through(final, fill, os.O_TRUNC)


def is_device(place):
    """Whether that is not a file to replace: a FIFO, /dev/stdout and so on."""
    try:
        mode = os.stat(place).st_mode
    except OSError:
        return False
    first = os.path.abspath(place).split("/")[1]
    return not stat.S_ISDIR(mode) and (not stat.S_ISREG(mode)
                                       or first in ("dev", "proc"))


def made(folder, fill):
    """The one thing that fill() makes."""
    fill(f"{folder}/new")
    names = os.listdir(f"{folder}/new")
    if len(names) != 1:
        raise Failure(f"the guest sent {len(names)} files")
    return f"{folder}/new/{names[0]}"


def through(place, fill, flag):
    """Writes a file's content into something that is there."""
    with Workspace(temporary()) as folder:
        source = made(folder, fill)
        if not os.path.isfile(source):
            raise Failure(f"{place} is no place for a folder")
        with open(source, "rb") as content, \
                open(os.open(place, os.O_WRONLY | flag), "wb") as target:
            shutil.copyfileobj(content, target)


def install(source, place, final):
    """Renames source; final is where place leads."""
    if os.path.islink(source):
        if os.path.lexists(place):
            os.unlink(place)
        os.symlink(os.readlink(source), place)
    elif os.path.isdir(source) and os.path.isdir(final):
        merge(source, final)
    else:
        os.replace(source, final)


def merge(source, target):
    """Puts what a folder has into one that is there, file by file."""
    for name in os.listdir(source):
        old, new = os.path.join(source, name), os.path.join(target, name)
        if os.path.isdir(new) and not os.path.islink(new) \
                and os.path.isdir(old) and not os.path.islink(old):
            merge(old, new)
        elif os.path.lexists(new) and not (os.path.isfile(new)
                                           or os.path.islink(new)):
            raise FileExistsError(errno.EEXIST, "neither file nor folder"
                                  if not os.path.isdir(new) else
                                  "a folder there, none in the guest", new)
        else:
            os.replace(old, new)
