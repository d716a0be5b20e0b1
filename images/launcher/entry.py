# SPDX-License-Identifier: GPL-2.0-or-later
"""How the runner gets into a guest that was booted from a disk: by the guest
agent, by ssh, or by the serial console, in this order of preference."""
import os
import threading
import time

from . import agent, bootstrap, forwards, serial, ssh
from .channel import Ended
from .errors import Failure
from .image import image_folder, product
from .streams import say

# How long the launcher waits for a better way when one is ready.
GRACE_SECONDS = 20
POLL_SECONDS = 0.5
# How long a system whose disk is kept may take to shut down.
SHUTDOWN_SECONDS = 120


class Entry:
    """Tries the ways in a thread of its own. If all of them fail, `failure` has the
    reasons, unless is_optional: then the user has the system's own login on the
    console. session, if not None, is called when COMMAND has started, and
    session_status is what it returns. The descriptor wakeup becomes readable when
    failure or session_status is set."""

    def __init__(self, ways, runner, scale, is_optional, session):
        self.is_optional = is_optional
        self.shutdown_seconds = 0   # 0: the machine is just switched off
        self.session_status = None
        self.started = threading.Event()    # COMMAND has
        self._session = session
        self.runner = runner        # the file
        self.ssh_port = next((way.port for way in ways
                              if way.name == ssh.Ssh.name), None)
        self.failure = None
        self.used = None            # the way that led in
        self.wakeup, self._end = os.pipe()
        self._ways = list(ways)     # that have not failed
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
        """The names of the ports that are needed. The guest finds the runner's
        last, so when that one is there, all are."""
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
            return      # why it has ended is told elsewhere
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
        """Uses the first way that is ready; one that is not the preferred one only
        after the grace time. Returns whether a way was used."""
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
                    say(f"the guest was entered by {way.title}")
            except Ended:
                raise
            except Failure as error:
                self._reasons.append(f"{way.title}: {error}")
                self._ways.remove(way)
            return True
        return False

    def give_up(self, seconds=None):
        """Sets failure: all ways have failed, or the time is up."""
        with self._lock:
            if self.failure:
                return
            reasons = self._reasons + [f"{way.title}: {way.missing}"
                                       for way in self._ways
                                       if way not in self._ready_since]
            when = f" in {seconds:g} s" if seconds else ""
            text = "; ".join(reasons or ["the script is under way"])
            if self.is_optional:
                say(f"no root shell, only the system's own console: {text}")
                return
            self.failure = \
                f"COMMAND could not be brought into the guest{when}: {text}"
            os.write(self._end, b"!")


def make_entry(options, scale):
    """Makes the Entry for a launch, with the ways that the options allow."""
    runner = str(product(image_folder(options.arch) / "runner", "image"))
    user = options.ssh or "root"
    ways = [agent.Agent(scale)]
    if options.port_nic is not None:
        port = forwards.Port("0:22")
        ways.append(ssh.Ssh(port, user, options.ssh_key, scale))
    elif options.via == "ssh":
        raise Failure("--via ssh: no NIC has a netdev \"user\", which leads into "
                      "the guest")
    if options.command:
        ways.append(serial.Serial(scale))
    elif options.via == "serial":
        raise Failure("--via serial: a shell is on the serial console itself")
    ways = [way for way in ways if options.via in (None, way.name)]
    session = None
    if options.session:
        def session():
            return ways[0].session(options.env)
    entry = Entry(ways, runner, scale, not options.command, session)
    if options.keep:
        entry.shutdown_seconds = SHUTDOWN_SECONDS * scale
    return entry
