# SPDX-License-Identifier: GPL-2.0-or-later
"""
A guest in which the test controls descriptors of /dev/bpf, through the program
tests/guest/tools/agent.c, while it controls QEMU over QMP.
"""
import itertools
import os
import re

from channel import Channel
from folders import scratch
from guest import PROGRAMS, VM, parameters
from links import link
from qmp import Qmp
from waiting import wait_for

AGENT = os.path.join(PROGRAMS, "tools", "agent")
DRIVER = "/sys/bus/virtio/drivers/virtio_capture"
MAC = "52:54:00:12:34:56"       # of the first NIC
SOAK = bool(os.environ.get("SOAK"))

# The driver's resources for descriptors: vmalloc areas, and lines of /proc/net/bpf.
HOLDINGS = "grep -c virtio_capture /proc/vmallocinfo; " \
    "tail -n +2 /proc/net/bpf | wc -l"


class CallError(Exception):
    """A command in the guest failed."""


def numbers(text):
    """The numbers in "1 7-9": 1, 7, 8, 9."""
    runs = [[int(end) for end in run.split("-")] for run in text.split()]
    return [n for run in runs for n in range(run[0], run[-1] + 1)]


def unescape(text):
    """Decodes the agent's escapes."""
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else
                  match[1], text)


class Guest:
    """A context manager: a guest of images/vm with these options, which inherits
    these descriptors; keywords are those of parameters()."""

    def __init__(self, *options, timeout=120, descriptors=(), **keywords):
        self.folder = scratch()
        self.tags = (str(n) for n in itertools.count())
        self.slots = set()
        self.answers = {}
        self.errors = open(self.folder / "errors", "w+")
        self.process, self.channel = Channel.start(
            [VM, "--qmp", f"{self.folder}/qmp", "--add", AGENT,
             "--timeout", str(timeout), *parameters(options, **keywords),
             *map(str, options), "--", "./agent"],
            stderr=self.errors, pass_fds=descriptors)
        self.channel.socket.settimeout(None)    # the launcher has a limit
        self.qmp = Qmp.connect(self.folder / "qmp")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.errors.close()

    def ready(self):
        """Waits until the guest has booted; returns the guest."""
        assert self._line() == "ready", "not ready"
        return self

    def _line(self):
        try:
            return self.channel.line()
        except (EOFError, ConnectionResetError):
            self.process.wait()
            raise EOFError("the guest has ended:\n" + self.complaints()) from None

    def _say(self, text):
        self.channel.send(text)

    def complaints(self):
        """Returns the errors of the launcher and the guest's programs."""
        self.errors.seek(0)
        return self.errors.read()

    def end(self, tap):
        """Ends the guest; checks that its kernel has reported no error."""
        self._say("end\n")
        status = self.process.wait()
        tap.ok(status == 0, "the guest's kernel reports no error",
               f"exit status {status}", self.complaints())

    # Calls.

    def begin(self, command):
        """Starts a command of the agent; returns its tag, for result()."""
        tag = next(self.tags)
        self._say(f"{tag} {command}\n")
        return tag

    def result(self, tag):
        """Waits for a command's end; returns "0" or an error's name, and text."""
        while tag not in self.answers:
            done, error, text = self._line().split(" ", 2)
            self.answers[done] = (error, unescape(text))
        return self.answers.pop(tag)

    def both(self, command):
        """Executes a command; returns its error and text."""
        return self.result(self.begin(command))

    def call(self, command):
        """Executes a command that must succeed; returns its text."""
        error, text = self.both(command)
        if error != "0":
            raise CallError(f"{command}: {error} {text}")
        return text

    def shell(self, command):
        """Runs a shell command that must succeed; returns its output."""
        script = command.replace("\n", "\r")
        text, _, status = self.call(f"sh {script}").rpartition("\n")
        if status != "0":
            raise CallError(f"{command}: status {status}, {text}")
        return text.strip()

    def free_memory(self):
        """Returns the free memory in KiB, after caches were dropped."""
        self.shell("sync; echo 3 > /proc/sys/vm/drop_caches")
        return int(self.shell("grep MemFree /proc/meminfo").split()[1])

    def holdings(self):
        """Returns the driver's resources for descriptors, see HOLDINGS."""
        return self.call(f"sh {HOLDINGS}").split()[:2]

    # The hardware.

    def reset(self):
        """Resets the machine; returns when the guest has booted again."""
        self.qmp("set-action", reboot="reset")
        self.qmp("system_reset")
        self.slots.clear()
        self.answers.clear()
        while self._line() != "ready":
            pass

    def take_over(self, source):
        """Takes over pending commands, as a guest was migrated from another QEMU."""
        self.tags, self.slots = source.tags, source.slots
        self.answers = source.answers

    def unplug(self, device):
        """Unplugs a device; returns when it has been removed."""
        self.qmp("device_del", id=device)
        self.qmp.event("DEVICE_DELETED", device=device)

    def plug_capture(self):
        """Plugs the capture device in, and waits until it can be used, which is
        later than its driver is bound to it."""
        self.qmp("device_add", driver="virtio-capture-pci", id="capture0",
                 netdev="net0")
        one = Descriptor(self)
        wait_for(lambda: one.error("setif", "capture0") == "0",
                 "capture device")
        one.close()

    def plug_nic(self, mac=MAC):
        """Plugs the first NIC in, and brings its interface up."""
        self.qmp("device_add", driver="virtio-net-pci", id="nic0",
                 netdev="net0", mac=mac, romfile="")
        wait_for(lambda: self.call("sh ip link set eth0 up 2>&1") == "\n0",
                 "eth0")


class Descriptor:
    """An open /dev/bpf in a guest."""

    def __init__(self, guest, name=None, ethertype="88b5", nonblock=False,
                 **options):
        """name: the interface to attach; options: set before that."""
        self.guest = guest
        self.slot = next(n for n in itertools.count() if n not in guest.slots)
        guest.slots.add(self.slot)
        guest.call(f"open {self.slot} {int(nonblock)}")
        for option, value in options.items():
            self.call("option", option, int(value))
        if name:
            self.call("setif", name)
            if ethertype:
                self.call("filter", ethertype)

    def command(self, name, *words):
        """Returns the agent's command for this descriptor."""
        return " ".join(map(str, (name, self.slot, *words)))

    def call(self, name, *words):
        """Executes a command that must succeed; returns its text."""
        return self.guest.call(self.command(name, *words))

    def error(self, name, *words):
        """Executes a command; returns its error, "0" if there is none."""
        return self.guest.both(self.command(name, *words))[0]

    def begin(self, name, *words):
        """Starts a command."""
        return self.guest.begin(self.command(name, *words))

    def begin_blocked(self, name, *words):
        """Starts a command that reads; returns when it blocks."""
        tag = self.begin(name, *words)
        wait_for(lambda: "waiting" in self.guest.shell(
            "cat /proc/net/bpf"), "blocked reader")
        return tag

    def read(self):
        """Reads one buffer; returns the numbers of its frames, or an error."""
        error, text = self.guest.both(self.command("read"))
        return error if error != "0" else numbers(text)

    def stats(self):
        """Returns the counts of received, dropped and captured packets."""
        return tuple(int(n) for n in self.call("stats").split())

    def wait_captured(self, count):
        """Waits until that many frames were captured."""
        try:
            wait_for(lambda: self.stats()[2] >= count, f"{count} frames")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: received, dropped, captured are "
                               f"{self.stats()}") from error

    def close(self):
        """Closes the descriptor."""
        self.call("close")
        self.guest.slots.remove(self.slot)


def dgram_guest(*options, model="virtio-net-pci", **keywords):
    """Returns a guest whose NIC is on a link to the test, and the link."""
    option, end = link()
    return Guest("--nic", model, "--netdev", option, *options,
                 **keywords), end


# Ways to remove an interface: the guest does not have it when they yield, and has it
# again at their end.


def unplug(guest):
    """Unplugs the capture device."""
    guest.unplug("capture0")
    yield
    guest.plug_capture()


def unbind(guest):
    """Unbinds the capture device's driver."""
    device = guest.shell(f"cd {DRIVER}; ls -d virtio*")
    guest.shell(f"echo {device} > {DRIVER}/unbind")
    yield
    guest.shell(f"echo {device} > {DRIVER}/bind")


def unplug_nic(guest):
    """Unplugs the NIC."""
    guest.unplug("nic0")
    yield
    guest.plug_nic()
