# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that can be reached by ssh. It runs with the user's configuration; host
keys are checked as usual."""
import os
import shlex
import subprocess

from . import tcpdump
from .errors import Failure, describe, plain

CHUNK = 1 << 16
# How long ssh has to exit after its input was closed.
END_SECONDS = 5

# For sh in the guest; its arguments are SSH_CONNECTION, the filter, and tcpdump's
# other arguments. Packets of the connection itself are excluded, as each one captured
# would cause another. When the connection is closed, sshd does not end its children,
# and tcpdump would notice only when it writes the next packet, so the script ends
# tcpdump at the end of its input.
SCRIPT = """\
read -r client port server own_port <<end
$1
end
filter=$2
shift 2
if [ "$own_port" ]; then
    filter="${filter:+($filter) and }not (host $client and host $server and
        tcp port $port and tcp port $own_port)"
fi
set -- "$@" "$filter"
""" + tcpdump.CHOOSE + """\
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(
    while read -r line; do :; done
    kill "$program"
) <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"""


def command_line(options):
    """Return ssh's command line, with the command to run in the guest."""
    host = options.host
    if not host:
        raise Failure("no host is set: it is an option of the interface "
                      "(tshark -o extcap.virtio_capture_ssh.host:HOST)")
    if host.startswith("-"):
        raise Failure(f"host {plain(host)!r}: not a host name")
    try:
        more = shlex.split(options.ssh_options)
    except ValueError as error:
        raise Failure(f"ssh options {plain(options.ssh_options)!r}: {error}"
                      ) from None
    *arguments, wanted = tcpdump.arguments(options)
    words = ["sudo", "-n"] if options.sudo else []
    words += ["sh", "-c", SCRIPT, "sh"]
    # Quoted for the user's shell in the guest.
    there = " ".join([*map(shlex.quote, words), '"$SSH_CONNECTION"',
                      *map(shlex.quote, [wanted, *arguments])])
    return ["ssh", "-T", *more, "--", host, there]


class Source:
    """The source for a guest that can be reached by ssh."""

    interval = None

    def __init__(self, options):
        self.status = None
        self.text = b""
        try:
            self._process = subprocess.Popen(
                command_line(options), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise Failure(f"ssh: {describe(error)}") from None
        self._pipes = [self._process.stdout.fileno(),
                       self._process.stderr.fileno()]
        for pipe in self._pipes:
            os.set_blocking(pipe, False)

    def descriptors(self):
        """Return ssh's output and errors."""
        return self._pipes

    def step(self):
        """Read what is available; None when ssh has ended."""
        data = {}
        for pipe in list(self._pipes):
            try:
                data[pipe] = os.read(pipe, CHUNK)
            except BlockingIOError:
                continue
            if not data[pipe]:
                self._pipes.remove(pipe)
        self.text = (self.text + data.get(self._process.stderr.fileno(), b"")
                     )[-tcpdump.MOST_TEXT:]
        if not self._pipes:
            self.status = self._process.wait()
            return None
        return data.get(self._process.stdout.fileno(), b"")

    def close(self):
        """End tcpdump and ssh, by closing ssh's input."""
        self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
