#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/build: what it says and leaves when it fails late. One system is made for
all of it, with --dkms, whose driver a script looks at before it fails."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import diskimage as disk  # noqa: E402
from tap import Tap  # noqa: E402

SCRIPT = """\
set -e
for modules in /lib/modules/*/kernel; do
    release=${modules%/kernel}
    echo "driver: $(modinfo -k "${release##*/}" -F filename virtio_capture)"
done
[ -z "$(apt-mark showhold)" ]
dpkg --list gcc | grep -q '^ii'
echo all was there
exit 3
"""


def build(folder, *words):
    """Runs images/build in a folder, with its temporary files there."""
    return subprocess.run([disk.BUILD, *words], text=True, check=False,
                          cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True,
                          env={**os.environ, "TMPDIR": str(folder)})


def names(folder):
    """What is there."""
    return sorted(path.name for path in Path(folder).iterdir())


def test_script(tap, folder):
    Path(folder, "fails").write_text(SCRIPT)
    image = Path(folder, "image")
    image.write_text("of before")
    before = names(folder)
    done = build(folder, "--dkms", "--force", "--script", "fails", "image")
    if done.returncode == 77:
        tap.skip("--dkms", done.stderr.splitlines()[-1], is_lacking=False)
        return
    tap.equal(done.returncode, 1, "a script fails: status 1")
    tap.contains(done.stderr, "--script fails: exit status 3",
                 "the error names it, and its status")
    tap.contains(done.stderr, "/updates/dkms/virtio_capture.ko",
                 "--dkms: the driver is DKMS's")
    tap.contains(done.stderr, "all was there",
                 "--dkms: the kernel is not held, and there is a compiler")
    tap.equal(image.read_text(), "of before", "OUTPUT is as it was")
    tap.equal(names(folder), before, "nothing else is left")


def test_no_package(tap, folder):
    before = names(folder)
    done = build(folder, "--package", "no-such-package", "new")
    tap.ok(done.returncode == 1
           and "Unable to locate package no-such-package" in
           done.stderr.splitlines()[-2],
           "a package that there is not: status 1, and the error names it",
           done.returncode, done.stderr)
    tap.equal(names(folder), before, "nothing is left")


def main():
    """All of them."""
    tap = Tap()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        tap.run(lambda tap: test_no_package(tap, folder),
                lambda tap: test_script(tap, folder))
    return tap.done()


sys.exit(main())
