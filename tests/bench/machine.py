# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest whose NICs get frames from sender, and runs that measure capture."""
import re
import socket
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "lib"))
import lifecycle  # noqa: E402
import waiting  # noqa: E402
from channel import Channel  # noqa: E402
from folders import scratch  # noqa: E402

OUT = Path(__file__).resolve().parents[2] / "build" / "bench"
ADDED = ("receive", "ask", "selftest", "stock")

waiting.PATIENCE = 120          # time limit of an answer, seconds
REST = 20                       # time limit until the guest is idle

# The guest is idle when QEMU's threads sleep in nearly all of these samples.
SAMPLES, SAMPLE_SECONDS = 40, 0.005

# The same addresses, and so the same costs, at each boot; no frames but the
# benchmark's; no watchdog that wakes the guest.
KERNEL = "nokaslr norandmaps ipv6.disable=1 tsc=nowatchdog nowatchdog"
more_parameters = ""    # from --append

# The kinds of guests. A stream delivers many frames in one main loop iteration and
# keeps the guest busy, which makes its costs repeatable. But QEMU's e1000 loses
# frames of a stream, and QEMU queues a stream without limit: rates need datagrams,
# one in each iteration. free: the NIC has no driver and hence no room for frames,
# and a hub takes them all.
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

# The size of a receiver's buffers, and the limit for all receivers together, in
# bytes: the driver limits the buffer memory of a user.
MEMORY, ALL_MEMORY = 8 << 20, 32 << 20

# The read timeout in ms, for up to FEW receivers and for more: the timeouts of
# many would keep the guest busy.
TIMEOUT, LONG_TIMEOUT, FEW = 100, 1000, 4

UNBIND = "cd /sys/bus/virtio/drivers/virtio_net && echo virtio* >unbind"


class Failure(Exception):
    """A measurement failed."""


# Errors that end a part of the benchmark, but not the others.
FAILURES = (Failure, lifecycle.CallError, EOFError, OSError)


def mac(number):
    """Returns the MAC address of a NIC."""
    return f"52:54:00:12:34:{0x56 + number:02x}"


class Trace:
    """Counts the notifications and interrupts of the capture devices."""

    NOTIFY, INTERRUPT = "virtio_queue_notify ", "virtio_notify "

    def __init__(self, path, monitor, capture):
        self.file, self.rest, self.devices = open(path), "", set()
        for event in ("virtio_queue_notify", "virtio_notify",
                      "virtio_capture_listen") if capture else ():
            monitor("trace-event-set-state", name=event, enable=True)

    def count(self):
        """Returns the notifications and interrupts since the last call."""
        text = self.rest + self.file.read()
        *lines, self.rest = text.split("\n")
        for line in lines:
            if "virtio_capture_listen dev " in line:
                self.devices.add(line.split(" dev ")[1].split()[0])
        mine = [line for line in lines if " vdev " in line
                and line.split(" vdev ")[1].split()[0] in self.devices]
        return [sum(word in line for line in mine)
                for word in (self.NOTIFY, self.INTERRUPT)]


class Guest(lifecycle.Guest):
    """A context manager: a guest and its senders."""

    def __init__(self, kind, count=True, profile=None):
        self.settings = KINDS[kind]
        self.nics = self.settings.get("nics", 1)
        self.interface = "capture0" if self.settings.get("free") else "eth0"
        self.senders, self.feeds = [], []
        stream = self.settings["feed"] == "stream"
        links = [socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM if stream
                                   else socket.SOCK_DGRAM)
                 for _ in range(self.nics)]
        files = scratch()
        super().__init__(
            *self._options(files, count, profile),
            *(option for number, (_, theirs) in enumerate(links)
              for option in self._netdev(theirs.fileno(), mac(number))),
            timeout=0, table=True,
            descriptors=[theirs.fileno() for _, theirs in links])
        try:
            self.channel.socket.settimeout(waiting.PATIENCE)
            for number, (ours, theirs) in enumerate(links):
                self._start_sender(ours, "stream" if stream else "dgram",
                                   mac(number))
                theirs.close()
            self.ready()
            processor = self.qmp("query-cpus-fast")[0]["thread-id"]
            with open(f"/proc/{processor}/status") as file:
                main = re.search(r"^Tgid:\s+(\d+)$", file.read(),
                                 re.MULTILINE)[1]
            self.threads = (processor, main)
            self.trace = Trace(files / "trace", self.qmp,
                               self.settings.get("capture", True))
            self.counts = open(files / "counts") if count else None
            self._prepare()
        except BaseException:
            self.__exit__()
            raise

    def _options(self, files, count, profile):
        words = ["--accel", "tcg", "--append", f"{KERNEL} {more_parameters}"]
        for name in ADDED:
            words += ["--add", OUT / name]
        if not self.settings.get("capture", True):
            words += ["--no-capture"]
        arguments = ["-D", f"{files}/trace"]
        if count:
            option = f"{OUT}/count.so,out={files}/counts"
            if profile:
                option += f",profile={profile}"
            arguments += ["-plugin", option]
        for argument in arguments:
            words += ["--qemu-arg", argument]
        return words

    def _start_sender(self, link, feed, address):
        with link:
            sender, channel = Channel.start(
                [OUT / "sender", str(link.fileno()), feed, address],
                pass_fds=[link.fileno()])
        self.senders.append(sender)
        self.feeds.append(channel)

    def _netdev(self, descriptor, address):
        words = ["--nic", f"{self.settings['nic']},mac={address}"]
        if not self.settings.get("free"):
            return words + ["--netdev", f"socket,fd={descriptor}"]
        # The third port is connected to nothing: it always has room.
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
        line = self._line()
        if line.split(" ")[0] != word:
            raise Failure(f"the guest printed {line!r}, not {word!r}")
        return line

    def instructions(self):
        """Returns what count.so wrote at the last marker 2: instructions of kernel
        and user space, number of reads, and the median latency of these."""
        return [int(word) for word in self.counts.read().split()[-4:]]

    def ask(self, what, count):
        """Returns the instructions of that many requests to an idle descriptor."""
        self.shell(f"./ask {what} {count} {self.interface}")
        return sum(self.instructions()[:2])

    def selftest(self):
        """Returns the counts for a loop of two million instructions."""
        self.shell("./selftest")
        return self.instructions()

    def _is_busy(self):
        """Whether the thread of QEMU's processor or main loop is runnable."""
        for thread in self.threads:
            with open(f"/proc/{thread}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] != "S":
                    return True
        return False

    def settle(self, seconds):
        """
        Waits until the guest is idle, and at least that time.

        The guest is idle when QEMU's threads sleep; their processor time is no
        measure on a host with other work. Timers may still run.
        """
        start, seen = time.monotonic(), []
        while (len(seen) < SAMPLES or sum(seen) > SAMPLES / 10
               or time.monotonic() < start + seconds):
            if time.monotonic() > start + seconds + REST:
                break       # frames that have not arrived by now count as lost
            time.sleep(SAMPLE_SECONDS)
            seen = [*seen, self._is_busy()][-SAMPLES:]

    def _received(self):
        """Returns the number of frames that the NICs' driver has received."""
        if self.settings.get("free"):
            return 0
        return sum(map(int, self.shell(
            "cat /sys/class/net/eth*/statistics/rx_packets").split()))

    def send(self, size, count, rate=0):
        """Sends frames, an equal share to each NIC; returns the time taken in us."""
        for feed in self.feeds:
            feed.send(f"{size} {count // self.nics} {rate / self.nics}\n")
        return max(int(feed.line().split()[1]) for feed in self.feeds)

    def run(self, method, size, count, receivers=1, accept="all",
            how="bulk", rate=0, settle=0.3, warm_up=0, timeout=None):
        """
        Sends frames while receivers capture; returns the counts.

        With several NICs, each has a receiver and gets an equal share of the
        frames. count 0: sends nothing for settle seconds. warm_up: the number of
        long frames to send before counting starts; the filter must accept all
        frames. timeout: the read timeout in ms.
        """
        if timeout is None:
            timeout = TIMEOUT if receivers <= FEW else LONG_TIMEOUT
        if self.nics > 1:
            receivers = self.nics
        before = self._received()
        interface = "*" if self.nics > 1 else self.interface
        memory = min(MEMORY, ALL_MEMORY // receivers) >> 18 << 18
        program = self.begin(
            f"foreground ./receive {method} {receivers} {accept} {how} "
            f"'{interface}' {memory} {timeout} 2>&1")
        self._expect("ready")
        if warm_up:
            self.send(1514, warm_up, rate)
            self.settle(settle)
        self.channel.send("begin\n")
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
        self.channel.send("end\n")
        for word in self._expect("result").split()[1:]:
            key, value = word.split("=")
            result[key] = int(value)
            if key.startswith("frames"):
                result[key] -= warm_up
        self.result(program)
        result["received"] = self._received() - before - warm_up
        if self.counts:
            (result["kernel"], result["user"], result["reads"],
             result["latency"]) = self.instructions()
        return result

    def __exit__(self, *_):
        for sender in self.senders:
            sender.terminate()
            sender.wait()
        super().__exit__()
