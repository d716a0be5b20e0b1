#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The device in QEMU's own tree: it compiles there, and the patches for upstream
add it."""
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import emulator  # noqa: E402
import folders  # noqa: E402
from tap import Tap  # noqa: E402

DEVICE = emulator.TOP / "qemu-device"
SOURCE = emulator.BUILD.parents[1] / "qemu-device" / "qemu-source"
TREE = emulator.BUILD / "in-tree"


def run(*words, **options):
    """Runs a command; returns its exit status and output."""
    done = subprocess.run(words, check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    return done.returncode, done.stdout


def compiled(tap):
    """Each of the device's files compiles; warnings are errors."""
    status, said = run("make", "-s", "-C", str(DEVICE), "in-tree",
                       f"IN_TREE={TREE}")
    tap.ok(status == 0, "make in-tree", said)
    objects = {path.name for path in (TREE / "build").rglob("*.o")}
    wanted = [path.name for path in DEVICE.glob("*.c")]
    missing = [name for name in wanted
               if f"hw_virtio-capture_{name}.o" not in objects]
    tap.equal(missing, [], "each of the device's files is compiled")
    log = (TREE / "build/ninja.log").read_text()
    tap.equal(re.findall(r".*warning:.*", log), [], "without a warning")


def patches(tap):
    """The patches apply to QEMU's unmodified sources, and make the same tree."""
    series = sorted(str(path) for path in (TREE / "series").glob("*.patch"))
    tap.ok(len(series) > 1, "there are patches and a cover letter", series)
    copy = folders.scratch()
    changed = "MAINTAINERS meson.build hw/Kconfig hw/meson.build".split()
    for name in changed:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes((SOURCE / name).read_bytes())
    for patch in series[1:]:
        status, said = run("git", "apply", "--verbose", patch, cwd=copy)
        tap.ok(status == 0, f"{Path(patch).name} applies", said)
    files = [path for path in copy.rglob("*") if path.is_file()]
    different = [str(path) for path in files if path.read_bytes() !=
                 (TREE / "source" / path.relative_to(copy)).read_bytes()]
    tap.equal(different, [], "they give the tree that was built")
    tap.equal([name for name in changed if (SOURCE / name).read_bytes() ==
               (TREE / "source" / name).read_bytes()], [],
              "QEMU's own sources stay as they are")


def usage(tap):
    """Wrong arguments."""
    script = str(DEVICE / "in-tree")
    tap.equal(run(script), (2, "usage: in-tree SOURCE DIR [TARGET...]\n"),
              "without arguments")
    empty = folders.scratch()
    tap.equal(run(script, str(empty), str(empty / "out")),
              (1, f"in-tree: no QEMU sources in {empty}\n"), "without sources")
    tap.ok(not (empty / "out").exists(), "which leaves nothing behind")


main = Tap()
main.run(compiled, patches, usage)
sys.exit(main.done())
