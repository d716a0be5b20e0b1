# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the launcher on a terminal."""
import os
import pty
import subprocess

from guest import VM


def shell(options, line, prompt=b"# "):
    """Runs a guest without COMMAND and types one line at its shell's prompt; returns
    the launcher's status and the terminal's output."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([VM, *options], stdin=theirs, stdout=theirs,
                          stderr=theirs, start_new_session=True) as launcher:
        os.close(theirs)
        said = b""
        asked = False
        try:
            while data := os.read(ours, 4096):
                said += data
                if not asked and prompt in said:
                    os.write(ours, line + b"\n")
                    asked = True
        except OSError:
            pass    # the launcher has ended
    os.close(ours)
    return launcher.returncode, said
