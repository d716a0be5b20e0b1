#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libpcap's test programs, with results that need /dev/bpf."""
import os
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import pcap  # noqa: E402
from clients import BY_LINES, CLIENTS, add_programs  # noqa: E402
from guest import PROGRAMS, TWO_NICS, vm  # noqa: E402
from tap import Tap  # noqa: E402

REPLAY = os.path.join(PROGRAMS, "tools", "replay")
NAMES = ("can_set_rfmon_test", "capturetest", "filtertest", "findalldevstest",
         "findalldevstest-perf", "nonblocktest", "opentest", "reactivatetest",
         "selpolltest", "writecaptest")
COUNT = 20
OURS = "ether proto 0x88b5"

# threadsignaltest sleeps for a minute. With these options the guest's clock advances
# to the next timer when the guest is idle.
NO_WAITING = ["--accel", "tcg", "--qemu-arg", "-icount",
              "--qemu-arg", "shift=3,sleep=off"]

# eth1 sends frames, and programs capture them on eth0, on the same hub. seen waits
# until a program has seen all frames, for a minute at most, before the program is
# interrupted. "status NAME N" reports a program's exit status, "listed NAME D P" its
# numbers of /dev/bpf descriptors and packet sockets.
SCRIPT = BY_LINES + f"""
mkdir out
ip addr add 192.0.2.1/24 broadcast 192.0.2.255 dev eth0
listed() {{
    echo "listed $1 $(grep -c "^$2 eth0 " /proc/net/bpf)" \\
        "$(tail -n +2 /proc/net/packet | wc -l)"
}}
start() {{
    name=$1
    shift
    "$@" > out/$name 2>&1 &
    pid=$!
    until grep -q Listening out/$name || ! kill -0 $pid; do sleep 0.1; done
    listed $name $pid
}}
seen() {{
    tries=0
    until awk '/packets seen/ {{ n += $1 }} END {{ exit n < {COUNT} }}' \\
            out/$name || [ $tries -ge 600 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
}}
capture() {{
    start "$@"
    ./replay eth1 ${{frames:-sent.pcap}} > /dev/null
    seen
    kill -${{signal:-INT}} $pid
    wait $pid
    echo "status $name $?"
}}
once() {{
    name=$1
    shift
    "$@" > out/$name 2>&1
    echo "status $name $?"
}}

for options in '' -m -n -r; do
    capture capture$options ./capturetest -i eth0 -s -b $options '{OURS}'
done
# selpolltest has no signal handler, and a shell's background processes ignore
# SIGINT.
signal=TERM
for options in '' -s -p -st -pn; do
    capture selpoll$options ./selpolltest -q -i eth0 $options '{OURS}'
done
signal=
capture write ./writecaptest -i eth0 -w out/first.pcap '{OURS}'
frames=out/first.pcap
capture again ./writecaptest -i eth0 -w out/second.pcap '{OURS}'
frames=
capture short ./writecaptest -i eth0 -s 60 -w out/short.pcap
once links ./writecaptest -i eth0 -L

./nonblocktest -i eth0 > out/nonblock 2>&1 &
pid=$!
until grep -q "^$pid eth0 " /proc/net/bpf; do sleep 0.1; done
listed nonblock $pid
while kill -0 $pid; do ./replay eth1 sent.pcap > /dev/null; sleep 0.1; done
wait $pid
echo "status nonblock $?"

once interfaces ./findalldevstest
once often ./findalldevstest-perf
echo "left $(tail -n +2 /proc/net/bpf | wc -l)"
once filter ./filtertest EN10MB '{OURS} and greater 100'
once same tcpdump -i eth0 -s 262144 -d '{OURS} and greater 100'
once monitor ./can_set_rfmon_test eth0
once open ./opentest -i eth0
once options ./opentest -p -s 100 -B 64 -i eth0
once absent ./opentest -i eth9
once loopback ./reactivatetest
ip link set eth1 down
ip link set eth1 name lo0
ip link set lo0 up
once reactivate ./reactivatetest

rm /dev/bpf /dev/bpf0
once without-capture ./capturetest -i eth0
once without-poll ./selpolltest -p -i eth0
once without-write ./writecaptest -i eth0 -w out/none.pcap
once without-nonblock ./nonblocktest -i eth0
once without-open ./opentest -i eth0
once without-interfaces ./findalldevstest
once without-reactivate ./reactivatetest
"""

THREAD = BY_LINES + """
./threadsignaltest -i eth0 &
pid=$!
until grep -q "^$pid eth0 " /proc/net/bpf; do sleep 0.1; done
cat /proc/net/bpf /proc/net/packet
wait $pid
echo "status $?"
"""


class Results:
    """The programs' output, and the script's reports."""

    def __init__(self, folder, text):
        self.folder = folder
        lines = [line.split() for line in text.splitlines()]
        self.status = {words[1]: int(words[2]) for words in lines
                       if words[0] == "status"}
        self.listed = {words[1]: words[2:] for words in lines
                       if words[0] == "listed"}
        self.left = [words[1] for words in lines if words[0] == "left"]

    def text(self, name):
        """A program's output."""
        with open(f"{self.folder}/{name}") as file:
            return file.read()

    def frames(self, name):
        """The frames in a file that a program wrote."""
        return pcap.read(f"{self.folder}/{name}.pcap").frames()

    def seen(self, name):
        """The number of packets that a program reports."""
        return sum(map(int, re.findall(r"(\d+) packets seen",
                                       self.text(name))))


def check_counts(tap, got):
    """capturetest and selpolltest."""
    for name in ("capture", "capture-m", "capture-n", "capture-r",
                 "selpoll", "selpoll-s", "selpoll-p", "selpoll-st",
                 "selpoll-pn"):
        tap.equal(got.seen(name), COUNT,
                  f"libpcap's {name}: the program sees each frame once")
        tap.equal(got.listed.get(name), ["1", "0"],
                  f"libpcap's {name}: the program has one /dev/bpf descriptor and "
                  "no packet socket")
    for name in ("capture", "capture-m", "capture-n", "capture-r"):
        text = got.text(name)
        tap.ok(got.status[name] == 0 and text.endswith(
            "\nBroken out of loop from SIGINT handler\n"),
            f"libpcap's {name}: pcap_breakloop() in a signal handler ends the "
            "wait",
            got.status[name], text)
        received, dropped = re.findall(r"(\d+) ps_recv, (\d+) ps_drop",
                                       text)[-1]
        tap.ok(int(received) >= COUNT and dropped == "0",
               f"libpcap's {name}: pcap_stats() counts all frames, and none "
               "dropped", text)


def check_files(tap, got, sent):
    """writecaptest."""
    tap.equal(got.frames("first"), sent, "writecaptest: the file has the frames as sent")
    tap.equal(got.frames("second"), sent,
              "writecaptest: the frames of its file, sent again, are captured "
              "unchanged")
    tap.equal(got.frames("short"), [frame[:60] for frame in sent],
              "writecaptest -s 60 without a filter: frames have 60 bytes")
    for name in ("write", "again", "short"):
        tap.ok(got.status[name] == 0 and got.listed[name] == ["1", "0"],
               f"writecaptest ({name}): SIGINT ends the program, which has no "
               "packet socket",
               got.status[name], got.listed[name], got.text(name))
    tap.contains(got.text("links"), "EN10MB\n",
                 "writecaptest -L lists the link type EN10MB")


def check_nonblock(tap, got):
    """nonblocktest. Its last check fails, as it is for the eventfd that libpcap
    uses with Linux's packet sockets only."""
    text = got.text("nonblock")
    tap.equal(text.splitlines(),
              ["nonblocktest: WARNING: using pcap_breakloop()",
               "nonblocktest: pcap_setnonblock succeeded even though file "
               "table is full"],
              "nonblocktest: non-blocking mode can be set and read, and a frame "
              "ends pcap_loop()")
    tap.equal(got.listed["nonblock"], ["1", "0"],
              "nonblocktest: the program has one /dev/bpf descriptor and no "
              "packet socket")


def check_interfaces(tap, got):
    """findalldevstest, can_set_rfmon_test."""
    text = got.text("interfaces")
    names = re.findall(r"^(\S+)$", text, re.M)
    tap.equal((got.status["interfaces"], sorted(names)), (0, ["eth0", "eth1"]),
              "findalldevstest lists the interfaces of /dev/bpf, and not lo")
    for part in ("UP, RUNNING", "Address: 192.0.2.1\n",
                 "Netmask: 255.255.255.0\n",
                 "Broadcast Address: 192.0.2.255\n",
                 "network: 192.0.2.0/255.255.255.0"):
        tap.contains(text, part, f"findalldevstest prints: {part.strip()}")
    tap.ok(got.status["often"] == 0,
           "findalldevstest-perf lists interfaces 500 times", got.text("often"))
    tap.equal(got.left, ["0"], "findalldevstest-perf leaves no descriptor open")
    tap.contains(got.text("monitor"), "eth0: Monitor mode cannot be set",
                 "can_set_rfmon_test: eth0 has no monitor mode")


def check_opening(tap, got):
    """filtertest, opentest, reactivatetest."""
    tap.ok(got.status["filter"] == 0 and "#0x88b5" in got.text("filter"),
           "filtertest compiles an expression", got.text("filter"))
    tap.equal(got.text("filter"), got.text("same"),
              "filtertest prints the same program as tcpdump -d")
    for name in ("open", "options"):
        tap.equal((got.status[name], got.text(name)),
                  (0, "eth0 opened successfully\n"),
                  f"opentest ({name}) opens eth0")
    tap.ok(got.status["absent"] == 1 and "eth9" in got.text("absent"),
           "opentest: an interface that does not exist is an error",
           got.text("absent"))
    tap.contains(got.text("loopback"), "Neither lo0 nor lo could be opened",
                 "reactivatetest: /dev/bpf has no loopback interface")
    tap.equal((got.status["reactivate"], got.text("reactivate")), (0, ""),
              "reactivatetest: on a NIC named lo0, a second activation fails")


def check_without(tap, got):
    """The programs without /dev/bpf."""
    for name in ("capture", "poll", "write", "nonblock", "open", "reactivate"):
        tap.ok(got.status[f"without-{name}"] == 1,
               f"libpcap's {name}: the program fails without /dev/bpf",
               got.text(f"without-{name}"))
    tap.contains(got.text("without-interfaces"), "\nlo\n",
                 "findalldevstest without /dev/bpf lists lo")


def programs(tap):
    """All programs except threadsignaltest, in one guest."""
    sent = [bytes.fromhex("ffffffffffff52540099999988b5")
            + os.urandom(86 + 10 * number) for number in range(COUNT)]
    with tempfile.TemporaryDirectory() as folder:
        pcap.write(f"{folder}/sent.pcap", sent)
        done = vm([*TWO_NICS, "--timeout", "300", "--add", REPLAY,
                   "--add", f"{folder}/sent.pcap",
                   *add_programs(*(f"{CLIENTS}/libpcap/{name}"
                                   for name in NAMES)),
                   "--get", f"out:{folder}"], ["sh", "-c", SCRIPT])
        if not tap.ok(done.returncode == 0,
                      "libpcap's programs: the script in the guest succeeds",
                      done.returncode, done.stdout, done.stderr):
            return
        got = Results(f"{folder}/out", done.stdout)
        check_counts(tap, got)
        check_files(tap, got, sent)
        check_nonblock(tap, got)
        check_interfaces(tap, got)
        check_opening(tap, got)
        check_without(tap, got)


def thread(tap):
    """threadsignaltest: a reader that no frame wakes."""
    done = vm([*TWO_NICS, *NO_WAITING,
               *add_programs(f"{CLIENTS}/libpcap/threadsignaltest")],
              ["sh", "-c", THREAD])
    tap.ok(done.returncode == 0 and
           re.search("Doing pcap_breakloop.*Sending SIGUSR1.*Got SIGUSR1.*"
                     "\nLoop got broken\nstatus 0\n$", done.stdout, re.S),
           "threadsignaltest: pcap_breakloop() and a signal interrupt a read",
           done.returncode, done.stdout, done.stderr)
    tap.ok(re.search(r"^\d+ eth0 .*\nsk .*\nDoing", done.stdout, re.M),
           "threadsignaltest: the program has one /dev/bpf descriptor and no "
           "packet socket", done.stdout)


TAP = Tap()
TAP.run(programs, thread)
sys.exit(TAP.done())
