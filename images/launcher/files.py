# SPDX-License-Identifier: GPL-2.0-or-later
"""Files copied into the guest: --add."""
import os
import shutil

from .errors import Failure


def target_path(base, path, default, is_folder):
    """Where cp(1) would copy base to: into path if that is a folder, else to path."""
    path = path or default
    if path.endswith("/") or is_folder(path):
        return os.path.join(path, base)
    return path


def stage_additions(additions, stage, folders):
    """Copies the files of --add to their paths below the folder stage. folders:
    those that the guest's root has already."""
    for spec in additions:
        source, _, wanted = spec.partition(":")
        base = os.path.basename(os.path.abspath(source))
        target = target_path(
            base, wanted and os.path.join("/root", wanted), "/root",
            lambda path: path in folders
            or os.path.isdir(f"{stage}/{path}"))
        copy_addition(spec, source,
                      f"{stage}/{os.path.normpath(target).lstrip('/')}")


def addition_settings(additions):
    """Settings for a guest that copies the files to their targets itself, from
    folders named by number. See images/guest/init/config.c."""
    for spec in additions:
        source, _, target = spec.partition(":")
        yield "add", os.path.basename(os.path.abspath(source))
        yield "to", os.path.join("/root", target) if target else "/root"


def stage_numbered(additions, stage):
    """Copies the files of each --add into a folder of stage named by its number."""
    for number, spec in enumerate(additions):
        source = spec.partition(":")[0]
        base = os.path.basename(os.path.abspath(source))
        copy_addition(spec, source, f"{stage}/{number}/{base}")


def copy_addition(spec, source, place):
    """Copies the file or folder of one --add to place."""
    if not os.path.exists(source):
        raise Failure(f"--add {source}: no such file or folder")
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(source, place)
    except shutil.Error as error:
        # One triple of source, destination and reason for each file.
        source, _, reason = error.args[0][0]
        raise Failure(f"--add {spec}: {source}: {reason}") from None
    except OSError as error:
        raise Failure(f"--add {spec}: {error}") from None
