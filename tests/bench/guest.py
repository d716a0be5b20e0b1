# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with one NIC that is fed by sender, and what it costs to capture."""
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "lib"))
from qmp import Qmp  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
VM = TOP / "images" / "vm"
OUT = TOP / "build" / "bench"

PATIENCE = 120                  # no answer takes so many seconds
REST = 20                       # nor does a guest, until it has nothing to do

# Nothing is under way when QEMU sleeps at nearly all of so many looks.
SAMPLES, SAMPLE_SECONDS = 40, 0.005

# The same addresses, and so the same costs, at each boot; nothing but the
# benchmark's frames; no watchdog that wakes the guest.
KERNEL = "nokaslr norandmaps ipv6.disable=1 tsc=nowatchdog nowatchdog"
more_parameters = ""    # and those of --append

# What a guest is like, by name. A stream brings many frames in one pass of
# QEMU's event loop and keeps the guest busy, which makes its costs repeatable;
# but QEMU's e1000 loses frames that come so, and QEMU's own queue grows without
# limit: rates need datagrams, one in each pass. free: a hub takes all frames, also
# those that the NIC has no room for, as it has no driver.
KINDS = {
    "virtio-net": {"nic": "virtio-net-pci", "feed": "stream"},
    "virtio-net, datagrams": {"nic": "virtio-net-pci", "feed": "dgram"},
    "e1000": {"nic": "e1000", "feed": "dgram"},
    "virtio-net, no device": {"nic": "virtio-net-pci", "feed": "stream",
                              "capture": False},
    "e1000, no device": {"nic": "e1000", "feed": "dgram", "capture": False},
    "no driver": {"nic": "virtio-net-pci", "feed": "stream", "free": True},
    "virtio-net, 4 NICs": {"nic": "virtio-net-pci", "feed": "stream",
                           "nics": 4},
    "virtio-net, 14 NICs": {"nic": "virtio-net-pci", "feed": "stream",
                            "nics": 14},
}

# What a receiver has for its packets, bytes, as long as all of them together
# have no more than the second; the driver limits what one user may have.
MEMORY, ALL_MEMORY = 8 << 20, 32 << 20

# How long packets wait that fill no buffer, ms, for few and for many receivers,
# which would keep the guest busy.
TIMEOUT, LONG_TIMEOUT, FEW = 100, 1000, 4

UNBIND = "cd /sys/bus/virtio/drivers/virtio_net && echo virtio* >unbind"


class Failure(Exception):
    """The benchmark cannot go on."""


def mac(number):
    """The address of a NIC."""
    return f"52:54:00:12:34:{0x56 + number:02x}"


class Lines:
    """A program's output, line by line, each within its time."""

    def __init__(self, process, name, errors=None):
        self.process, self.name, self.rest = process, name, b""
        self.errors = errors            # where it writes what went wrong

    def tell(self, line):
        """A line to the program's input."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, patience=PATIENCE):
        """The next line of its output."""
        end = time.monotonic() + patience
        while b"\n" not in self.rest:
            left = max(end - time.monotonic(), 0)
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise Failure(f"{self.name} says nothing for {patience} s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                words = Path(self.errors).read_text() if self.errors else ""
                raise Failure(f"{self.name} has ended: {words[-500:]}")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace")


class Trace:
    """How often the capture devices and their driver call each other."""

    NOTIFY, INTERRUPT = "virtio_queue_notify ", "virtio_notify "

    def __init__(self, path, monitor, capture):
        self.file, self.rest, self.devices = open(path), "", set()
        for event in ("virtio_queue_notify", "virtio_notify",
                      "virtio_capture_listen") if capture else ():
            monitor("trace-event-set-state", name=event, enable=True)

    def count(self):
        """Notifications and interrupts since the last call."""
        text = self.rest + self.file.read()
        *lines, self.rest = text.split("\n")
        for line in lines:
            if "virtio_capture_listen dev " in line:
                self.devices.add(line.split(" dev ")[1].split()[0])
        mine = [line for line in lines if " vdev " in line
                and line.split(" vdev ")[1].split()[0] in self.devices]
        return [sum(word in line for line in mine)
                for word in (self.NOTIFY, self.INTERRUPT)]


class Guest:
    """A context: a guest that obeys guest/main.c's lines."""

    def __init__(self, kind, count=True, profile=None):
        self.settings = KINDS[kind]
        self.nics = self.settings.get("nics", 1)
        self.counts = self.trace = None
        self.senders = []
        self.folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.interface = "capture0" if self.settings.get("free") else "eth0"
        try:
            self._start(kind, count, profile)
        except BaseException:
            self.__exit__()
            raise

    def _start(self, kind, count, profile):
        folder = Path(self.folder.name)
        stream = self.settings["feed"] == "stream"
        links = [socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM if stream
                                   else socket.SOCK_DGRAM)
                 for _ in range(self.nics)]
        words = [VM, "--accel", "tcg", "--timeout", "0", "--append",
                 f"{KERNEL} {more_parameters}",
                 "--qmp", f"{folder}/qmp", "--add", f"{OUT}/guest",
                 "--add", f"{OUT}/stock"]
        for number, (_, theirs) in enumerate(links):
            words += self._netdev(theirs.fileno(), mac(number))
        if not self.settings.get("capture", True):
            words += ["--no-capture"]
        arguments = ["-D", f"{folder}/trace"]
        if count:
            option = f"{OUT}/count.so,out={folder}/counts"
            if profile:
                option += f",profile={profile}"
            arguments += ["-plugin", option]
        for argument in arguments:
            words += ["--qemu-arg", argument]
        self.errors = open(folder / "errors", "w+")
        self.vm = subprocess.Popen(
            [*words, "--", "/root/guest"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors,
            pass_fds=[theirs.fileno() for _, theirs in links])
        for number, (ours, _) in enumerate(links):
            self.senders.append(subprocess.Popen(
                [OUT / "sender", str(ours.fileno()),
                 "stream" if stream else "dgram", mac(number)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                pass_fds=[ours.fileno()]))
        for link in links:
            for end in link:
                end.close()
        self.program = Lines(self.vm, f"the guest ({kind})",
                             folder / "errors")
        self.feeds = [Lines(sender, "sender") for sender in self.senders]
        self._expect("serving")
        self.monitor = Qmp.connect(folder / "qmp")
        self.monitor.channel.socket.settimeout(PATIENCE)
        processor = self.monitor("query-cpus-fast")[0]["thread-id"]
        with open(f"/proc/{processor}/status") as file:
            main = re.search(r"^Tgid:\s+(\d+)$", file.read(), re.MULTILINE)[1]
        self.threads = (processor, main)
        self.trace = Trace(folder / "trace", self.monitor,
                           self.settings.get("capture", True))
        if count:
            self.counts = open(folder / "counts")
        self._prepare()

    def _netdev(self, descriptor, address):
        words = ["--nic", f"{self.settings['nic']},mac={address}"]
        if not self.settings.get("free"):
            return words + ["--netdev", f"socket,fd={descriptor}"]
        # The third port leads nowhere: it always has room.
        words += ["--netdev", "hubport,hubid=0",
                  "--nic", "none", "--netdev", f"socket,fd={descriptor}"]
        for port in ("hubport,id=feed,hubid=0,netdev=net1",
                     "hubport,id=sink,hubid=0"):
            words += ["--qemu-arg", "-netdev", "--qemu-arg", port]
        return words

    def _prepare(self):
        if self.settings.get("free"):
            self.shell(UNBIND)
        else:
            for number in range(self.nics):
                self.shell(f"ip link set eth{number} promisc on")
        if self.settings.get("capture", True):
            self.shell("echo 4194304 >/proc/sys/net/bpf/maxbufsize")

    def _expect(self, word):
        line = self.program.line()
        if line.split(" ")[0] != word:
            raise Failure(f"the guest says {line!r}, not {word!r}")
        return line

    def shell(self, command):
        """Runs a command in the guest and gives its output."""
        self.program.tell("sh " + command)
        lines = []
        while not (line := self.program.line()).startswith("done "):
            lines.append(line)
        if line != "done 0":
            raise Failure(f"{command}: {line} {lines}")
        return lines

    def instructions(self):
        """What count.so wrote at the last marker 2: kernel, user, readers
        woken and the median of instructions until they had their frame."""
        return [int(word) for word in self.counts.read().split()[-4:]]

    def ask(self, what, count):
        """The instructions for asking an idle descriptor so often."""
        self.program.tell(f"ask {what} {count} {self.interface}")
        self._expect("done")
        return sum(self.instructions()[:2])

    def free_memory(self):
        """What the guest's kernel has free, KiB, after it gave back what it
        can."""
        self.shell("echo 3 >/proc/sys/vm/drop_caches")
        self.shell("echo 1 >/proc/sys/vm/compact_memory")
        return int(self.shell("cat /proc/meminfo | grep MemFree")[0].split()[1])

    def selftest(self):
        """The instructions of a loop that has two million."""
        self.program.tell("selftest")
        self._expect("done")
        return self.instructions()

    def _is_busy(self):
        """Whether QEMU's processor or main loop runs, or waits for its turn."""
        for thread in self.threads:
            with open(f"/proc/{thread}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] != "S":
                    return True
        return False

    def settle(self, seconds):
        """
        Waits until the guest has nothing to do, at least so long.

        Whether QEMU's threads sleep tells that, and not how much they get done
        on a machine that has other work, too. Timers are let pass.
        """
        start, seen = time.monotonic(), []
        while (len(seen) < SAMPLES or sum(seen) > SAMPLES / 10
               or time.monotonic() < start + seconds):
            if time.monotonic() > start + seconds + REST:
                break       # what has not come by now is told as lost
            time.sleep(SAMPLE_SECONDS)
            seen = [*seen, self._is_busy()][-SAMPLES:]

    def _received(self):
        """The frames that the NICs' driver has counted."""
        if self.settings.get("free"):
            return 0
        return sum(map(int, self.shell(
            "cat /sys/class/net/eth*/statistics/rx_packets")))

    def send(self, size, count, rate=0):
        """Frames, as many for each NIC; gives how long that took, us."""
        for feed in self.feeds:
            feed.tell(f"{size} {count // self.nics} {rate / self.nics}")
        return max(int(feed.line().split()[1]) for feed in self.feeds)

    def run(self, method, size, count, receivers=1, accept="all",
            how="bulk", rate=0, settle=0.3, warm_up=0, timeout=None):
        """
        Sends frames while receivers capture; gives what was counted.

        With several NICs there is a receiver for each, and of the frames each
        NIC gets its share. count 0: nothing is sent for so long as settle says.
        warm_up: as many long frames go before the count, which accepts all.
        timeout: how long frames wait that fill no buffer, ms.
        """
        if timeout is None:
            timeout = TIMEOUT if receivers <= FEW else LONG_TIMEOUT
        if self.nics > 1:
            receivers = self.nics
        before = self._received()
        interface = "*" if self.nics > 1 else self.interface
        memory = min(MEMORY, ALL_MEMORY // receivers) >> 18 << 18
        self.program.tell(f"run {method} {receivers} {accept} {how} "
                          f"{interface} {memory} {timeout}")
        self._expect("ready")
        if warm_up:
            self.send(1514, warm_up, rate)
            self.settle(settle)
        self.program.tell("begin")
        time.sleep(0.05)
        self.trace.count()
        result = {"method": method, "size": size, "count": count,
                  "receivers": receivers, "accept": accept, "rate": rate}
        if count:
            result["sent_us"] = self.send(size, count, rate)
            self.settle(settle)
        else:
            time.sleep(settle)
        result["notifications"], result["interrupts"] = self.trace.count()
        self.program.tell("end")
        for word in self._expect("result").split()[1:]:
            key, value = word.split("=")
            result[key] = int(value)
            if key.startswith("frames"):
                result[key] -= warm_up
        result["received"] = self._received() - before - warm_up
        if self.counts:
            (result["kernel"], result["user"], result["reads"],
             result["latency"]) = self.instructions()
        return result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (*self.senders, getattr(self, "vm", None)):
            if process and process.poll() is None:
                process.terminate()
                process.wait()
        self.folder.cleanup()
