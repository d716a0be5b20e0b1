# SPDX-License-Identifier: GPL-2.0-or-later
"""How the runner is started in a guest that boots from a disk: by the guest agent,
by ssh, or by the serial console, in this order of preference."""
import os
import threading
import time

from . import agent, bootstrap, forwards, serial, ssh
from .channel import Ended
from .errors import Failure
from .image import image_folder, product
from .streams import say

# How long to wait for a preferred way when another one is ready.
GRACE_SECONDS = 20
POLL_SECONDS = 0.5
# Time limit for the shutdown of a system with --keep.
SHUTDOWN_SECONDS = 120


class Entry:
    """Tries the ways into the guest in a thread of its own. If all of them fail,
    `failure` has the reasons, unless is_optional: then the user can log in on the
    console. session, if not None, is called when COMMAND has started;
    session_status is its return value. The descriptor wakeup becomes readable when
    failure or session_status is set."""

    def __init__(self, ways, runner, scale, is_optional, session):
        self.is_optional = is_optional
        self.shutdown_seconds = 0   # 0: power off without shutdown
        self.session_status = None
        self.started = threading.Event()    # COMMAND has started
        self._session = session
        self.runner = runner        # path of the program
        self.ssh_port = next((way.port for way in ways
                              if way.name == ssh.Ssh.name), None)
        self.failure = None
        self.used = None            # the way that worked
        self.wakeup, self._end = os.pipe()
        self._ways = list(ways)     # those that have not failed
        self._script = bootstrap.script(runner)
        self._grace = GRACE_SECONDS * scale
        self._is_attended = os.isatty(2)
        self._ready_since = {}
        self._reasons = []
        self._lock = threading.Lock()

    def sinks(self, console):
        """The sinks of the ways' ports, by the ways' names. console gets the data
        of the serial console as well."""
        sinks = {way.name: way.channel for way in self._ways
                 if hasattr(way, "channel")}
        if serial.Serial.name in sinks:
            sinks[serial.Serial.name].also(console)
        return sinks

    def ports(self):
        """The names of the ports that are needed. The port "runner" is last, so when
        the guest's kernel has it, it has all of them."""
        return [*(way.name for way in self._ways if hasattr(way, "channel")),
                "setup", "runner"]

    def start(self):
        """Starts the thread."""
        if self._is_attended:
            say("waiting for " + " or ".join(way.title for way in self._ways))
        threading.Thread(target=self._enter, daemon=True).start()

    def _enter(self):
        try:
            while self._ways and not self.used:
                if not self._step():
                    time.sleep(POLL_SECONDS)
        except Ended:
            return      # judgement.py reports the reason
        except (Failure, OSError) as error:
            self._reasons.append(str(error))
            self._ways = []
        if not self.used:
            self.give_up()
        elif self._session:
            self.started.wait()
            self.session_status = self._session()
            os.write(self._end, b"!")

    def _step(self):
        """Uses the first way that is ready, but another one than the preferred one
        only after the grace time. Returns whether a way was used."""
        now = time.monotonic()
        for number, way in enumerate(self._ways):
            if not way.is_ready():
                continue
            since = self._ready_since.setdefault(way, now)
            if number and now < since + self._grace:
                continue
            try:
                way.run(self._script)
                self.used = way
                if self._is_attended:
                    say(f"connected to the guest by {way.title}")
            except Ended:
                raise
            except Failure as error:
                self._reasons.append(f"{way.title}: {error}")
                self._ways.remove(way)
            return True
        return False

    def give_up(self, seconds=None):
        """Sets failure, because all ways failed or the boot timeout expired."""
        with self._lock:
            if self.failure:
                return
            reasons = self._reasons + [f"{way.title}: {way.missing}"
                                       for way in self._ways
                                       if way not in self._ready_since]
            when = f" in {seconds:g} s" if seconds else ""
            text = "; ".join(reasons or ["the script is still running"])
            if self.is_optional:
                say(f"cannot start a root shell; log in on the console: {text}")
                return
            self.failure = \
                f"cannot start COMMAND in the guest{when}: {text}"
            os.write(self._end, b"!")


def make_entry(options, scale):
    """Makes the Entry, with the ways that the options allow."""
    runner = str(product(image_folder(options.arch) / "runner", "image"))
    user = options.ssh or "root"
    ways = [agent.Agent(scale)]
    if options.port_nic is not None:
        port = forwards.Port("0:22")
        ways.append(ssh.Ssh(port, user, options.ssh_key, scale))
    elif options.via == "ssh":
        raise Failure("--via ssh: no NIC has a netdev \"user\", which forwards "
                      "a port to the guest")
    if options.command:
        ways.append(serial.Serial(scale))
    elif options.via == "serial":
        raise Failure("--via serial: only with COMMAND, as the shell uses the "
                      "serial console")
    ways = [way for way in ways if options.via in (None, way.name)]
    session = None
    if options.session:
        def session():
            return ways[0].session(options.env)
    entry = Entry(ways, runner, scale, not options.command, session)
    if options.keep:
        entry.shutdown_seconds = SHUTDOWN_SECONDS * scale
    return entry
