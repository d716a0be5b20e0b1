# SPDX-License-Identifier: GPL-2.0-or-later
"""How the runner (images/guest/init) is started in the system of a disk image.

The guest agent, ssh or the serial console executes a shell script as root. The
script reads the runner from the port "runner" and starts it; the runner reads the
settings and the files of --add from the port "setup". So only the small script has
to be sent over what may be a serial line.
"""
import os
import subprocess
from pathlib import Path

from .errors import Failure
from .files import stage_numbered

# A small test script shows whether a folder is mounted noexec. Any user can write to
# some of the folders, so mkdir must create a new one.
SCRIPT = """\
fail() { echo "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "the user is not root"
modprobe virtio_console 2>/dev/null
port= n=0
while [ -z "$port" ] && [ $n -lt WAIT ]; do
for p in /sys/class/virtio-ports/*; do
[ "$(cat $p/name 2>/dev/null)" = runner ] && port=/dev/${p##*/}
done
[ -n "$port" ] || sleep 1
n=$((n + 1))
done
[ -n "$port" ] || fail "the kernel has no driver virtio_console"
for d in /dev/shm /run /tmp /var/tmp /root; do
f=$d/virtio-capture.$$
mkdir -m 700 $f 2>/dev/null || continue
printf '#!/bin/sh\\n' >$f/runner && chmod 700 $f/runner
$f/runner 2>/dev/null && break
rm -r $f
f=
done
[ -d "$f" ] || fail "no folder in which a program can be executed"
head -c SIZE <$port >$f/runner || fail "cannot read the runner from its port"
$f/runner || fail "the runner failed"
"""

WAIT_SECONDS = 20


def script(runner):
    """The script that starts the runner in that file."""
    return SCRIPT.replace("SIZE", str(os.path.getsize(runner))).replace(
        "WAIT", str(WAIT_SECONDS))


def write_setup(path, settings, additions, folder):
    """Writes the data for the port "setup" to a file; see images/guest/init/setup.c."""
    stage = Path(folder, "added")
    stage.mkdir()
    stage_numbered(additions, stage)
    archive = f"{folder}/added.tar"
    done = subprocess.run(
        ["tar", "--numeric-owner", "--owner=0", "--group=0", "-cf", archive,
         "-C", stage, "."], stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise Failure(f"tar: {done.stderr.decode(errors='replace')}")
    text = b"".join(os.fsencode(f"{key}={value}") + b"\0"
                    for key, value in settings)
    with open(path, "wb") as setup, open(archive, "rb") as added:
        size = os.fstat(added.fileno()).st_size if additions else 0
        setup.write(b"%19d %19d\n" % (len(text), size) + text)
        while size and (data := added.read(1 << 20)):
            setup.write(data)
