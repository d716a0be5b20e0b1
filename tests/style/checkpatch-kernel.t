#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's modules are clean under the kernel's own checkpatch.pl --strict."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from passed import check_once  # noqa: E402

SCRIPTS = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")

# Message types to ignore, and why.
IGNORED = {
    "FILE_PATH_CHANGES": "there is no MAINTAINERS file outside the kernel",
    "LINUX_VERSION_CODE": "one source serves several kernel versions",
    "CONSTANT_COMPARISON": "takes LINUX_VERSION_CODE for a constant",
}

# More message types to ignore in headers that user programs include.
IGNORED_USER = {
    "NEW_TYPEDEFS": "the BSD interface has typedefs",
    "PREFER_KERNEL_TYPES": "user programs do not have the kernel's types",
    "VOLATILE": "programs poll struct bpf_zbuf_header",
}

FOLDERS = ("guest-driver/", "images/guest/console-resume/")
USER_HEADERS = "guest-driver/include/"


def check(tap):
    """One run for the modules' files, one for the user headers."""
    scripts = tree.kernel_scripts(SCRIPTS)
    names = [name for name in tree.files()
             if name.startswith(FOLDERS) and tree.is_c(name)]
    user = [name for name in names if name.startswith(USER_HEADERS)]
    driver = [name for name in names if name not in user]

    def both(tap):
        for folder in FOLDERS:
            tap.ok([name for name in names if name.startswith(folder)],
                   f"{folder} has C files")
        run(tap, scripts, driver, IGNORED)
        run(tap, scripts, user, {**IGNORED, **IGNORED_USER})
    check_once(tap, [*names, *[scripts / name for name in SCRIPTS]], both)


def run(tap, scripts, names, ignored):
    """Checks files, without the ignored message types."""
    if not names:
        return
    status, lines = tree.run(
        "perl", scripts / "checkpatch.pl", "--strict",
        "--no-tree", "--no-summary", "--terse", "--show-types",
        "--ignore", ",".join(ignored), "-f", *names)
    tree.report(tap, "checkpatch.pl", names, status, lines)


tree.main(check)
