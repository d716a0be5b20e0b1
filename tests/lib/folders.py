# SPDX-License-Identifier: GPL-2.0-or-later
"""Temporary folders of tests."""
import atexit
import shutil
import tempfile
from pathlib import Path


def scratch():
    """Returns a new folder, which is removed when the test ends."""
    folder = tempfile.mkdtemp(prefix="capture-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
