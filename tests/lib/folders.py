# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders for what a test writes."""
import atexit
import shutil
import tempfile
from pathlib import Path


def scratch():
    """A new folder for sockets and files, which goes with the test."""
    folder = tempfile.mkdtemp(prefix="capture-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
