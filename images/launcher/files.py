# SPDX-License-Identifier: GPL-2.0-or-later
"""Files into the guest and out of it: --add and --get."""
import os
import shutil
import subprocess

from .errors import Failure


def target_path(base, path, default, is_folder):
    """Where cp would put base when told path: inside a folder, else there."""
    path = path or default
    if path.endswith("/") or is_folder(path):
        return os.path.join(path, base)
    return path


def stage_additions(additions, stage, folders):
    """Copies what --add names into a folder that is laid out as the guest,
    which has those folders already."""
    for spec in additions:
        source, _, wanted = spec.partition(":")
        if not os.path.exists(source):
            raise Failure(f"--add {source}: no such file or folder")
        base = os.path.basename(os.path.abspath(source))
        target = target_path(
            base, wanted and os.path.join("/root", wanted), "/root",
            lambda path: path in folders
            or os.path.isdir(f"{stage}/{path}"))
        place = f"{stage}/{os.path.normpath(target).lstrip('/')}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        try:
            if os.path.isdir(source):
                shutil.copytree(source, place, symlinks=True,
                                dirs_exist_ok=True)
            else:
                shutil.copy2(source, place)
        except (OSError, shutil.Error) as error:
            raise Failure(f"--add {spec}: {error}") from None


def check_targets(options):
    """Fails now, and not after COMMAND, when --get cannot write."""
    for spec in options.get:
        source, _, target = spec.partition(":")
        if not source:
            raise Failure(f"--get {spec}: no SRC")
        folder = os.path.dirname(target.rstrip("/")) or "."
        if not os.path.isdir(folder):
            raise Failure(f"--get {spec}: no folder {folder}")


def fetch(options, verdict, folder):
    """Unpacks what --get brought out; returns what went wrong. tar refuses
    names that lead out of the folder, and that is why it is tar."""
    problems = []
    for number, spec in enumerate(options.get):
        source, _, target = spec.partition(":")
        if not verdict.counts.get(f"get{number}"):
            continue    # the guest has told why
        unpacked = f"{folder}/got{number}"
        os.mkdir(unpacked)
        untar = subprocess.run(
            ["tar", "--no-same-owner", "-xf", f"{folder}/get{number}.tar",
             "-C", unpacked], stderr=subprocess.PIPE)
        names = os.listdir(unpacked)
        if untar.returncode or len(names) != 1:
            problems.append(f"--get {spec}: "
                            + untar.stderr.decode(errors="replace").strip())
            continue
        place = target_path(names[0], target, ".", os.path.isdir)
        try:
            if os.path.isdir(place) and not os.path.islink(place):
                shutil.copytree(f"{unpacked}/{names[0]}", place,
                                symlinks=True, dirs_exist_ok=True)
            else:
                shutil.move(f"{unpacked}/{names[0]}", place)
        except (OSError, shutil.Error) as error:
            problems.append(f"--get {spec}: {error}")
    return problems
