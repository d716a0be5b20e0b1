# SPDX-License-Identifier: GPL-2.0-or-later
"""The name spaces in which an image is made: mounts and processes, and users
unless root runs images/build. Mounts and processes end with the first process.

In the user name space, root is the user who runs images/build, and the other
users of the image are the user's range of IDs in /etc/subuid."""
import os
import subprocess
import threading

from launcher.errors import Failure


def command():
    """Return the words to put before a command to run it in new name spaces."""
    user = ["--user", "--map-root-user", "--map-auto"] if os.geteuid() else []
    return ["unshare", *user, "--mount", "--pid", "--fork", "--kill-child",
            "--"]


def check():
    """Raise Failure unless such name spaces can be made."""
    done = subprocess.run([*command(), "true"], check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    if done.returncode:
        wanted = "a user other than root needs a range of IDs in /etc/subuid " \
            "and /etc/subgid, and user name spaces" if os.geteuid() else \
            "root needs the capability CAP_SYS_ADMIN"
        raise Failure(f"cannot make name spaces: {done.stderr.strip()}; "
                      f"{wanted}")


def run(words):
    """Run a command in new name spaces and return its exit status.

    It gets no signals from the terminal. An exception ends the command and all
    its children. Its standard input is a pipe that ends with this process; see
    end_with_launcher()."""
    with subprocess.Popen([*command(), *words], stdin=subprocess.PIPE,
                          start_new_session=True) as outer:
        try:
            return outer.wait()
        except BaseException:
            end(outer)
            raise


def end(outer):
    """End the first process; unshare exits when all processes have ended."""
    outer.stdin.close()
    try:
        outer.wait(5)
    except subprocess.TimeoutExpired:
        # It was not reading its standard input yet.
        outer.kill()
        outer.wait()


def end_with_launcher():
    """Exit when the standard input ends, that is when the launcher has exited
    or closed it. To be called by the first process in the name spaces."""
    def watch():
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
