# SPDX-License-Identifier: GPL-2.0-or-later
"""The running guest: QEMU's process, its ports, the time limits."""
import os
import selectors
import signal
import socket
import subprocess
import threading
import time

from . import disks, streams
from .errors import Failure, describe
from .verdict import Verdict

CHUNK = 1 << 16

# Limits for a guest that is asked to end: in all, and without data from it.
MOST_SECONDS = 60
IDLE_SECONDS = 10

ASK, ANSWER = b"e", b"\n"       # see images/guest/init/init.h


class Guest:
    """A context, at whose end the QEMU process is killed and reaped.

    ports: a sink, which has feed(), for each port's name; None for the ports that
    this class handles: "result", "stdin", "stdout" and "stderr". console: the sink
    of the console. entry: the Entry of a guest that boots a disk, or None.
    """

    def __init__(self, ports, console, entry=None):
        self.entry = entry
        self.was_shut_down = True   # or powered off; false when killed
        self.verdict = Verdict()
        self.process = None
        self.status = None          # QEMU's; None when the launcher killed it
        self.was_ended = False      # asked to end, or killed
        self.is_timed_out = False
        self.is_unreached = False   # ended because COMMAND could not start
        self.input_error = None
        self.received = {}
        self.outputs = {number: streams.Output(number) for number in (1, 2)}
        self.errors = disks.Errors(self.outputs[2])
        self._sinks = {"result": self.verdict, "console": console,
                       "errors": self.errors, "stdout": self.outputs[1],
                       "stderr": self.outputs[2]}
        self._ours = {}
        self._theirs = {}
        for name, sink in ports.items():
            self._ours[name], self._theirs[name] = socket.socketpair()
            if sink is not None:
                self._sinks[name] = sink
            # Threads write to the others, and may block.
            if name in self._sinks and name != "stdin":
                self._ours[name].setblocking(False)
            if hasattr(sink, "attach"):
                sink.attach(self._ours[name])
        self._live = ports.get("live")
        self._pipes = {}
        for name in ("console", "errors"):
            ends = os.pipe()
            os.set_blocking(ends[0], False)
            self._pipes[name] = [open(end, mode, buffering=0)
                                 for end, mode in zip(ends, ("rb", "wb"))]
        self._process_end = None
        self._limits = []           # times at which to end the guest
        self._boot_limit = 0
        self._has_begun = not entry     # the time limit of COMMAND runs
        self._is_shutting_down = False

    def descriptors(self):
        """QEMU's ends of the ports."""
        return {name: end.fileno() for name, end in self._theirs.items()}

    def console_path(self):
        """The file that QEMU writes the console's output to."""
        return f"/dev/fd/{self._pipes['console'][1].fileno()}"

    def start(self, words, console_is_terminal, inherit, folder):
        """Starts QEMU, with folder for its temporary files. It is killed when the
        launcher ends, for whatever reason."""
        errors, console = (self._pipes[name][1] for name in ("errors",
                                                             "console"))
        nothing, end = os.pipe()
        os.close(end)
        try:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *words],
                stdin=None if console_is_terminal else nothing,
                stdout=None if console_is_terminal else errors,
                stderr=errors, start_new_session=not console_is_terminal,
                env={**os.environ, "TMPDIR": folder},
                pass_fds=[*self.descriptors().values(), console.fileno(),
                          *inherit])
        except OSError as error:
            raise Failure(f"cannot start QEMU: {describe(error)}") from None
        finally:
            os.close(nothing)
        self._process_end = os.pidfd_open(self.process.pid)
        for end in (*self._theirs.values(), errors, console):
            end.close()

    def feed_stdin(self):
        """Passes standard input on to the guest, in a thread."""
        threading.Thread(target=self._pump, daemon=True).start()

    def feed_file(self, name, path):
        """Writes a file to a port, in a thread."""
        def pump():
            try:
                with open(path, "rb") as file:
                    self._ours[name].sendfile(file)
            except OSError:
                pass        # the guest has ended
        threading.Thread(target=pump, daemon=True).start()

    def _pump(self):
        port = self._ours["stdin"]
        data = True
        while data:
            try:
                data = os.read(0, CHUNK)
            except BlockingIOError:
                streams.wait_readable(0)
                continue
            except OSError as error:
                self.input_error = error
                data = b""
            try:
                port.sendall(data)
                if not data:
                    # The guest gets end of file; QEMU can still write.
                    port.shutdown(socket.SHUT_WR)
            except OSError:
                return

    def run(self, limit, signals, has_files, boot_limit=0):
        """Passes output on until QEMU has ended and all output is written.

        limit: in seconds, 0 for none. When it expires, or output cannot be
        written, the guest is asked to end; on a signal only if it has_files to
        send, else it is killed. With an entry, limit starts with COMMAND, and
        boot_limit applies before that.
        """
        self._boot_limit = boot_limit
        self._set_limit(limit if self._has_begun else boot_limit)
        sources = {name: self._ours[name] for name in self._sinks
                   if name in self._ours}
        sources.update((name, self._pipes[name][0]) for name in self._pipes)
        answered = False
        while sources or self._is_writing():
            if not self._wait(sources, signals):
                break
            for name in list(sources):
                if not self._receive(name, sources[name]):
                    del sources[name]
            if not self._has_begun and self.verdict.has_started:
                self._has_begun = True
                self.entry.started.set()
                if not self.was_ended:
                    self._set_limit(limit)
            if not answered and self.verdict.complete(self.received):
                answered = True
                self._answer()
            if signals.number is not None or self._output_error():
                self._end(ask=has_files or signals.number is None)
            elif self.entry and self.entry.failure \
                    and self.process.poll() is None:
                self.is_unreached = True
                self._end(ask=False)
            elif self.entry and self.entry.session_status is not None:
                self._end(ask=True)
            if self._limits and time.monotonic() >= min(self._limits):
                self._late()
        for output in self.outputs.values():
            output.give_up()
        if self._live:
            self._live.close()
        status = self.process.wait()
        self.status = status if status != -signal.SIGKILL \
            or not self.was_ended else None

    def _wait(self, sources, signals):
        """Waits for events; returns false when QEMU has ended and no data is
        left."""
        left = None
        if self._limits:
            left = max(min(self._limits) - time.monotonic(), 0)
        with selectors.PollSelector() as selector:
            for name, source in sources.items():
                unsent = getattr(self._sinks[name], "unsent", None)
                if not self._is_full(name):
                    selector.register(source, selectors.EVENT_READ | (
                        selectors.EVENT_WRITE if unsent else 0))
            for output in self.outputs.values():
                if output.pending:
                    selector.register(output.descriptor,
                                      selectors.EVENT_WRITE)
            selector.register(signals.wakeup, selectors.EVENT_READ)
            if self.entry and not self.was_ended:
                selector.register(self.entry.wakeup, selectors.EVENT_READ)
            has_ended = self.process.poll() is not None
            if has_ended and not self._is_writing():
                left = 0
            elif not has_ended:
                selector.register(self._process_end, selectors.EVENT_READ)
            if self._live:
                self._live.register(selector)
            events = selector.select(left)
        if self._live:
            self._live.handle(events)
        for output in self.outputs.values():
            output.push()
        try:
            os.read(signals.wakeup, CHUNK)
        except BlockingIOError:
            pass
        return events or not has_ended or self._is_writing()

    def _is_writing(self):
        return any(output.pending for output in self.outputs.values())

    def _is_full(self, name):
        """Whether the sink of that name cannot take more data now."""
        return bool(getattr(self._sinks[name], "pending", None))

    def _output_error(self):
        return any(output.error for output in self.outputs.values())

    def _receive(self, name, source):
        """Reads from a port or a pipe; returns False at its end."""
        if self._is_full(name):
            return True
        try:
            data = os.read(source.fileno(), CHUNK)
        except BlockingIOError:
            return True
        except ConnectionError:
            data = b""
        self._sinks[name].feed(data)
        self.received[name] = self.received.get(name, 0) + len(data)
        if self._limits and self.was_ended and data and name != "console":
            self._limits = [self._limits[0],
                            time.monotonic() + IDLE_SECONDS]
        return bool(data)

    def _set_limit(self, seconds):
        self._limits = [time.monotonic() + seconds] if seconds else []

    def _answer(self):
        """Lets the guest power off: all that it reported has been received."""
        self._send(ANSWER)
        if self.entry and self.entry.shutdown_seconds:
            self._is_shutting_down = True
            self._set_limit(self.entry.shutdown_seconds)

    def _late(self):
        """Handles the expiry of the time limit."""
        if self.was_ended or self._is_shutting_down:
            self.kill()
            self._limits = []
            for output in self.outputs.values():
                output.give_up()
        elif not self._has_begun:
            self.entry.give_up(self._boot_limit)
            self.is_unreached = True
            self._end(ask=False)
        else:
            self.is_timed_out = True
            self._end(ask=True)

    def _end(self, ask):
        """Ends the guest: asks it to send its files and end, or kills it."""
        if self.was_ended:
            return
        self.was_ended = True
        now = time.monotonic()
        self._limits = [now + MOST_SECONDS, now + IDLE_SECONDS]
        if ask and self._has_begun:
            self._send(ASK)
        else:
            self.kill()

    def _send(self, byte):
        try:
            self._ours["result"].send(byte)
        except OSError:
            pass

    def kill(self):
        """Kills QEMU if it runs."""
        if self.process and self.process.poll() is None:
            self.was_ended = True
            self.was_shut_down = False
            self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        if self.process:
            self.process.wait()
            os.close(self._process_end)
        for end in (*self._ours.values(), *self._theirs.values(),
                    *sum(self._pipes.values(), [])):
            end.close()
