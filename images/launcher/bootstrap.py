# SPDX-License-Identifier: GPL-2.0-or-later
"""How the runner (images/guest/init) starts in a system that is there already.

Each way into the guest executes the same shell script as root. The script reads
the runner from the port "runner" and starts it; the runner reads the settings and
the files of --add from the port "setup". Only the script, which is small, has to
pass the way itself, which may be a serial line.
"""
import os
import subprocess
from pathlib import Path

from .errors import Failure
from .files import stage_numbered

# Some of the folders may be mounted noexec, so a script is tried there first. Any
# user can write to some of them, so mkdir has to create a new one.
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
[ -n "$port" ] || fail "its kernel has no driver virtio_console"
for d in /dev/shm /run /tmp /var/tmp /root; do
f=$d/virtio-capture.$$
mkdir -m 700 $f 2>/dev/null || continue
printf '#!/bin/sh\\n' >$f/runner && chmod 700 $f/runner
$f/runner 2>/dev/null && break
rm -r $f
f=
done
[ -d "$f" ] || fail "it has no folder for a program"
head -c SIZE <$port >$f/runner || fail "the runner does not come"
$f/runner || fail "the runner does not run"
"""

WAIT_SECONDS = 20


def script(runner):
    """The script for that runner."""
    return SCRIPT.replace("SIZE", str(os.path.getsize(runner))).replace(
        "WAIT", str(WAIT_SECONDS))


def write_setup(path, settings, additions, folder):
    """The file with what goes to the port "setup"; see setup.c in images/guest/init."""
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
