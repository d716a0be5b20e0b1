# SPDX-License-Identifier: GPL-2.0-or-later
"""Combinations of kernels, QEMUs and options that each test runs with: --matrix."""
import itertools
import os

from launcher import options as vm
from launcher.errors import Failure
from launcher.image import TOP

from .tests import OWN

KERNELS = TOP / "build" / "kernels"
BUILT, INSTALLED = "image", "installed"


class Cell:
    """One combination: its name, and options and environment for images/vm."""

    def __init__(self, parts):
        self.name = ", ".join(f"{key}={value}" for key, value, *_ in parts)
        self.words = [word for part in parts for word in part[2]]
        self.environment = {key: value for part in parts
                            for key, value in part[3].items()}


def cells(specs):
    """Returns all combinations of the values of the options --matrix; without such
    an option, one that changes nothing."""
    axes = {}
    for spec in specs:
        key, equals, values = spec.partition("=")
        values = values.split(",")
        if not equals or not key or not all(values):
            raise Failure(f"--matrix {spec}: not KEY=VALUE or "
                          "KEY=VALUE,VALUE...")
        if key in axes:
            raise Failure(f"--matrix {spec}: {key} is given twice")
        if len(set(values)) < len(values):
            raise Failure(f"--matrix {spec}: a value is given twice")
        axes[key] = [part(spec, key, value) for value in values]
    return [Cell(parts) for parts in itertools.product(*axes.values())]


def part(spec, key, value):
    """A key and a value, with its options and environment for images/vm."""
    if key == "kernel":
        return (key, value, *kernel(spec, value))
    if key == "qemu":
        return (key, value, *qemu(spec, value))
    if f"--{key}" not in keys() or f"--{key}" in OWN:
        raise Failure(f"--matrix {spec}: {key!r} is neither kernel, qemu nor "
                      "an option of images/vm that takes a value")
    return key, value, [f"--{key}={value}"], {}


def keys():
    """The options of images/vm that take a value."""
    return [name for action in vm.make_parser()._actions
            for name in action.option_strings if action.nargs is None]


def kernel(spec, value):
    """Options and environment for a kernel: a built image, or one of the user's."""
    if value == BUILT:
        return [], {}
    file, colon, modules = value.partition(":")
    if colon:
        return ["--kernel", existing(spec, file),
                "--modules", existing(spec, modules)], {}
    folder = value
    if "/" not in value and (KERNELS / value).is_dir():
        folder = str(KERNELS / value)
    if os.path.exists(f"{folder}/images/kernel"):
        return [], {"GUEST_OUT": os.path.abspath(folder)}
    if "/" not in value and not os.path.exists(value):
        raise Failure(
            f"--matrix {spec}: no folder build/kernels/{value} (make "
            f"image KVER={value} GUEST_OUT=build/kernels/{value})")
    return ["--kernel", existing(spec, value)], {}


def qemu(spec, value):
    """Options and environment for a QEMU: that of a release, or a file."""
    if value == INSTALLED:
        return [], {"QEMU_RELEASE": ""}
    if "/" in value:
        return ["--qemu", existing(spec, value)], {}
    if not (TOP / "build" / value / "qemu-device").is_dir():
        raise Failure(f"--matrix {spec}: no folder build/{value}/qemu-device "
                      f"(make device QEMU_RELEASE={value})")
    return [], {"QEMU_RELEASE": value}


def existing(spec, path):
    """The absolute path of a file: tests run in other folders."""
    if not os.path.exists(path):
        raise Failure(f"--matrix {spec}: {path}: no such file or folder")
    return os.path.abspath(path)
