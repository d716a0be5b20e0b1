# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the extcap, images/extcap/virtio-capture-extcap, by tshark and directly."""
import os
import subprocess
import threading
from pathlib import Path

from guest import TOP, VM, parameters

EXTCAP = Path(TOP, "images", "extcap", "virtio-capture-extcap")
# Files for the guest: an SSH server and the guest agent, with their libraries.
ROOT = Path(TOP, "build", "downloads", "live")

MOST_SECONDS = 60


def environment(folder):
    """Returns an environment in which programs find only guests that were started
    with the same one, and the extcap in the folder of a user's extcaps."""
    # Wireshark 4.0 looks in the first, later releases in the second.
    for place in (Path(folder, "config", "wireshark", "extcap"),
                  Path(folder, ".local", "lib", "wireshark", "extcap")):
        if not place.exists():
            place.mkdir(parents=True)
            Path(place, EXTCAP.name).symlink_to(EXTCAP)
    return {**os.environ, "HOME": str(folder), "TMPDIR": str(folder),
            "XDG_CONFIG_HOME": f"{folder}/config", "LC_ALL": "C.UTF-8"}


def options(words):
    """Returns options of the extcap as words of its command line."""
    return [f"--{name.replace('_', '-')}" if value is True else
            f"--{name.replace('_', '-')}={value}" for name, value in words.items()]


def ask(folder, *words):
    """Runs the extcap without a capture; returns its status, output and errors."""
    done = subprocess.run([EXTCAP, *words], env=environment(folder), text=True,
                          capture_output=True, check=False,
                          timeout=MOST_SECONDS)
    return done.returncode, done.stdout, done.stderr


class Guest:
    """A context manager: a guest with a shell that reads commands from the test."""

    def __init__(self, folder, *words, command=("sh",)):
        self._folder = folder
        self._words = [*parameters([]), *words, "--", *command]
        self.launcher = None

    def __enter__(self):
        self.launcher = subprocess.Popen(
            [VM, *self._words], env=environment(self._folder), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, errors="replace")
        return self

    def tell(self, line):
        """Sends a line to the shell."""
        self.launcher.stdin.write(f"{line}\n")
        self.launcher.stdin.flush()

    def ask(self, line):
        """Sends a line to the shell; returns the line that it prints."""
        self.tell(line)
        return self.launcher.stdout.readline().rstrip("\n")

    def end(self):
        """Ends the shell and thereby the guest; returns status and errors."""
        errors = self.launcher.communicate("exit\n", timeout=MOST_SECONDS)[1]
        return self.launcher.returncode, errors

    def __exit__(self, *_):
        if self.launcher.poll() is None:
            self.launcher.kill()
        self.launcher.communicate()


class Tshark:
    """A context manager: tshark captures with the extcap; settings: the interface's
    options."""

    def __init__(self, folder, interface, *words, **settings):
        name = interface.replace("-", "_")
        settings = [f"-oextcap.{name}.{key}:{value}"
                    for key, value in settings.items()]
        self._process = subprocess.Popen(
            ["tshark", "-l", "-i", interface, *settings, *words],
            env=environment(folder), stdin=subprocess.DEVNULL, bufsize=0,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def line(self):
        """Returns the next line of its output."""
        # The pipe is unbuffered, as communicate() ignores buffered data.
        return self._process.stdout.readline().decode().rstrip("\n")

    def finish(self):
        """Waits for its end; returns its status, and the rest of its output and
        errors."""
        output, errors = self._process.communicate(timeout=MOST_SECONDS)
        return self._process.returncode, output.decode(), errors.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


class Capture:
    """A context manager: the extcap captures, started as by Wireshark."""

    count = 0

    def __init__(self, folder, interface, **words):
        Capture.count += 1
        fifo = f"{folder}/fifo{Capture.count}"
        os.mkfifo(fifo)
        self._process = subprocess.Popen(
            [EXTCAP, "--capture", "--extcap-interface", interface, "--fifo",
             fifo, *options(words)], env=environment(folder), text=True,
            stderr=subprocess.PIPE)
        # The timer ends the wait if the extcap does not open the FIFO.
        timer = threading.Timer(MOST_SECONDS, self._process.kill)
        timer.start()
        self.fifo = open(fifo, "rb", buffering=0)
        timer.cancel()

    def read(self, size):
        """Reads that many bytes, or up to the end of the capture."""
        data = b""
        while len(data) < size:
            more = self.fifo.read(size - len(data))
            if not more:
                break
            data += more
        return data

    def leave(self):
        """Closes the FIFO."""
        self.fifo.close()

    def finish(self):
        """Waits for its end; returns its status and errors."""
        errors = self._process.communicate(timeout=MOST_SECONDS)[1]
        return self._process.returncode, errors.rstrip("\n")

    def stop(self):
        """Ends the capture by SIGTERM, as Wireshark does."""
        self._process.terminate()
        return self.finish()

    def kill(self):
        """Ends the capture by SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.fifo.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stderr.close()
