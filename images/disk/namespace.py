# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the image is made: in name spaces of its own, in which the user is
root. What is mounted there, and what runs there, ends with the first process.

A user without root's rights has his own files there as root's, and his range of
/etc/subuid for all other users of the image."""
import os
import subprocess
import threading

from launcher.errors import Failure


def command():
    """What to put before a command that is to run there."""
    user = ["--user", "--map-root-user", "--map-auto"] if os.geteuid() else []
    return ["unshare", *user, "--mount", "--pid", "--fork", "--kill-child",
            "--"]


def check():
    """Whether there can be such name spaces."""
    done = subprocess.run([*command(), "true"], check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    if done.returncode:
        wanted = "a user other than root needs a range of IDs in /etc/subuid " \
            "and /etc/subgid, and user name spaces" if os.geteuid() else \
            "root needs the capability CAP_SYS_ADMIN"
        raise Failure(f"there is no name space: {done.stderr.strip()}; "
                      f"{wanted}")


def run(words):
    """Runs a command there; gives its exit status. It has no part in the
    terminal's signals, and an exception ends it with all that it has
    started. Its standard input is a pipe that this process holds open."""
    with subprocess.Popen([*command(), *words], stdin=subprocess.PIPE,
                          start_new_session=True) as outer:
        try:
            return outer.wait()
        except BaseException:
            end(outer)
            raise


def end(outer):
    """Ends the first process there: unshare ends when all others are gone."""
    outer.stdin.close()
    try:
        outer.wait(5)
    except subprocess.TimeoutExpired:
        # Before it has looked at its input.
        outer.kill()
        outer.wait()


def end_with_launcher():
    """For the first process there: it ends, and with it all others, when its
    standard input does, as the launcher has been killed then."""
    def watch():
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
