#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/build fails late: its errors, and that it leaves no files. The only system that
is made has --dkms; its failing script first checks the driver."""
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
    """Returns the names of the files in a folder."""
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
    tap.equal(done.returncode, 1, "images/build with a failing --script: status 1")
    tap.contains(done.stderr, "--script fails: exit status 3",
                 "images/build with a failing --script: the error names the script "
                 "and its status")
    tap.contains(done.stderr, "/updates/dkms/virtio_capture.ko",
                 "images/build --dkms: the driver in the image was built by DKMS")
    tap.contains(done.stderr, "all was there",
                 "images/build --dkms: the kernel is not held, and the image has a "
                 "compiler")
    tap.equal(image.read_text(), "of before",
              "images/build --force with a failing --script: OUTPUT is unchanged")
    tap.equal(names(folder), before,
              "images/build with a failing --script leaves no file")


def test_no_package(tap, folder):
    before = names(folder)
    done = build(folder, "--package", "no-such-package", "new")
    tap.ok(done.returncode == 1
           and "Unable to locate package no-such-package" in
           done.stderr.splitlines()[-2],
           "images/build with an unknown --package: status 1, and the error names "
           "it", done.returncode, done.stderr)
    tap.equal(names(folder), before,
              "images/build with an unknown --package leaves no file")


def main():
    """Runs the tests in a temporary folder."""
    tap = Tap()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        tap.run(lambda tap: test_no_package(tap, folder),
                lambda tap: test_script(tap, folder))
    return tap.done()


sys.exit(main())
