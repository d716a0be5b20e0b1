#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bpfstat(8) in a guest, compared with the files that it reads."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from guest import guest_file, vm  # noqa: E402
from tap import Tap  # noqa: E402

BPFSTAT = guest_file("guest-driver", "bpfstat")

FLAGS = {"promisc", "immediate", "hdrcmplt", "seesent"}
WORDS = {"interface", "direction", "buffers", "filter", "state"}

# The name of a process with awkward characters, as a format of printf(1).
NAME = r'q"\\\033\303\251\377\nz'

# "@@ NAME STATUS", then each line that the command printed, after O or E.
SCRIPT = r"""
show() {
    name=$1; shift
    "$@" >/tmp/out 2>/tmp/err
    echo "@@ $name $?"
    sed 's/^/O /' /tmp/out
    sed 's/^/E /' /tmp/err
}
# With a file of our own in the place of the driver's, for this process.
mkdir /tmp/net
fake() {
    name=$1; shift
    printf "$1" >/tmp/net/bpf; shift
    show "$name" sh -c 'mount --bind /tmp/net /proc/$$/net && exec "$0" "$@"' \
        /root/bpfstat "$@"
}
peers=/proc/net/bpf
first="pid interface bufsize received dropped captured promisc immediate"
first="$first hdrcmplt seesent direction buffers filter state"

tcpdump -p -n -B 64 -Q in -i eth0 -w /dev/null 2>/dev/null &
a=$!
tcpdump -n --immediate-mode -Q out -i capture0 -w /dev/null icmp 2>/dev/null &
b=$!
sh -c 'printf "$0" >/proc/$$/comm; exec 3<>/dev/bpf; read wait' 'NAME' \
    </dev/console &
c=$!
until [ "$(grep -c -e waiting -e unattached $peers)" = 3 ]; do sleep 0.1; done
ping -c 3 10.0.2.2 >/dev/null
until grep -q '^[0-9]* capture0 [0-9]* [0-9]* 0 3 ' $peers; do sleep 0.1; done

echo "@@ pids $a $b $c"
show raw cat $peers
show text ./bpfstat
show json ./bpfstat --json
show eth0 ./bpfstat -j -i eth0
show nosuch ./bpfstat -i nosuch
show nosuch-json ./bpfstat -j --interface=nosuch
show raw-again cat $peers
show stats cat /proc/sys/net/bpf/stats
show totals ./bpfstat -s
show totals-json ./bpfstat -s -j
show full sh -c './bpfstat >/dev/full'

fake permuted "state color $first\n" -j
fake order "interface state new direction buffers seesent hdrcmplt immediate promisc \
captured dropped received bufsize pid filter\n\
br0 idle x out zerocopy 1 0 1 0 6 5 4 3 999999 jit\n" -j
fake missing "pid interface bufsize\n"
fake twice "$first pid\n"
fake number "$first\n1 eth0 4096 -1 0 0 0 0 0 1 inout kernel none idle\n"
fake flag "$first\n1 eth0 4096 0 0 0 2 0 0 1 inout kernel none idle\n"
fake few "$first\n1 eth0 4096 0\n"
fake empty ""

show option ./bpfstat -x
show argument ./bpfstat eth0
show no-value ./bpfstat -i
show both ./bpfstat -s -i eth0
show help ./bpfstat --help

echo 'user:x:1000:1000::/:/bin/sh' >>/etc/passwd
chmod 755 /root
show user su user -c /root/bpfstat
show user-totals su user -c '/root/bpfstat -s'
show namespace unshare -n ./bpfstat

kill $a $b $c
wait
rmmod virtio_capture || exit 1
show unloaded ./bpfstat
show unloaded-totals ./bpfstat -s -j
"""


def run():
    """Returns for each command of the script: (status, stdout, stderr)."""
    done = vm(["--add", BPFSTAT], ["sh", "-c", SCRIPT.replace("NAME", NAME)])
    results = {}
    for part in re.split("^@@ ", done.stdout, flags=re.M)[1:]:
        head, *lines = part.split("\n")
        name, *words = head.split()
        text = {kind: "".join(line[2:] + "\n" for line in lines
                              if line.startswith(kind + " "))
                for kind in "OE"}
        results[name] = ([int(word) for word in words], text["O"], text["E"])
    return done, results


def typed(name, value):
    """Converts a column's value to its type in JSON."""
    if name in FLAGS:
        return value == "1"
    if name in WORDS:
        return None if value == "-" else value
    return int(value)


def peers(text):
    """Returns the lines of /proc/net/bpf as in JSON, by process."""
    names, *lines = [line.split() for line in text.splitlines()]
    return {int(line[0]): {name: typed(name, value)
                           for name, value in zip(names, line)}
            for line in lines}


tap = Tap()
GUEST, RESULTS = run()
tap.ok(GUEST.returncode == 0 and "unloaded-totals" in RESULTS,
       "the guest's script ran to its end", GUEST.stdout[-2000:], GUEST.stderr)
if tap.failed:
    sys.exit(tap.done())
IN, OUT, NUISANCE = RESULTS["pids"][0]
COMMANDS = {IN: "tcpdump", OUT: "tcpdump", NUISANCE: 'q"\\\x1b\xe9\ufffd\nz'}


def test_json(tap):
    """All columns of /proc/net/bpf are shown, and the processes' names."""
    raw = peers(RESULTS["raw"][1])
    status, out, err = RESULTS["json"]
    tap.equal((status, err), ([0], ""),
              "bpfstat --json: status 0, nothing on standard error")
    got = {peer["pid"]: peer for peer in json.loads(out)["descriptors"]}
    tap.equal(set(got), set(COMMANDS),
              "bpfstat --json has the open descriptors")
    tap.equal({pid: peer.pop("command") for pid, peer in got.items()},
              COMMANDS, "bpfstat --json has the names of their processes")
    tap.ok(got in (raw, peers(RESULTS["raw-again"][1])),
           "bpfstat --json has what /proc/net/bpf has", got, raw)
    tap.equal([(got[OUT][name]) for name in
               ("interface", "captured", "promisc", "immediate", "hdrcmplt",
                "seesent", "direction", "state")],
              ["capture0", 3, True, True, True, True, "out", "waiting"],
              "bpfstat --json: the descriptor of tcpdump -Q out --immediate-mode")
    tap.equal([(got[IN][name]) for name in
               ("interface", "bufsize", "promisc", "immediate", "direction")],
              ["eth0", 65536, False, False, "in"],
              "bpfstat --json: the descriptor of tcpdump -p -Q in")
    tap.equal((got[NUISANCE]["interface"], got[NUISANCE]["state"]),
              (None, "unattached"),
              "bpfstat --json: an unattached descriptor's interface is null")


def test_text(tap):
    """The table."""
    status, out, err = RESULTS["text"]
    tap.equal((status, err), ([0], ""),
              "bpfstat: status 0, nothing on standard error")
    heading, *lines = [line.split() for line in out.splitlines()]
    tap.equal(" ".join(heading), "Pid Netif Flags Recv Drop Capt Bufsize"
              " Buffers State Filter Command", "bpfstat: the heading")
    raw = peers(RESULTS["raw"][1])
    flags = {IN: "--h-", OUT: "piho", NUISANCE: "---s"}
    commands = {**COMMANDS, NUISANCE: 'q"\\?????z'}
    for line in lines:
        pid = int(line[0])
        peer = raw[pid]
        tap.equal(line[1:], [peer["interface"] or "-", flags[pid],
                             *[str(peer[name]) for name in
                               ("received", "dropped", "captured", "bufsize",
                                "buffers", "state", "filter")], commands[pid]],
                  f"bpfstat: the line of {commands[pid]}, {peer['interface']}")
    tap.equal(len(lines), 3, "bpfstat: a line for each descriptor")
    tap.equal([line.index(" " + commands[int(line.split()[0])])
               for line in out.splitlines()[1:]],
              [out.index(" Command")] * 3, "bpfstat: the lines are in columns")


def test_selection(tap):
    """-i, --interface"""
    got = json.loads(RESULTS["eth0"][1])["descriptors"]
    tap.equal([peer["pid"] for peer in got], [IN],
              "bpfstat -i has the descriptors of an interface")
    tap.equal(RESULTS["nosuch"][1].splitlines()[1:], [],
              "bpfstat -i without descriptors: the heading only")
    tap.equal(json.loads(RESULTS["nosuch-json"][1]), {"descriptors": []},
              "bpfstat -i -j without descriptors: an empty array")


def test_totals(tap):
    """-s, --totals"""
    stats = [int(word) for word in RESULTS["stats"][1].split()]
    names = ["received", "dropped", "captured"]
    tap.equal(RESULTS["totals"][1].splitlines(),
              [f"{value} packets {name}"
               for name, value in zip(names, stats)],
              "bpfstat -s has the totals")
    tap.equal(json.loads(RESULTS["totals-json"][1]),
              {"totals": dict(zip(names, stats))},
              "bpfstat -s -j has the totals")
    tap.ok(stats[2] >= 3, "bpfstat -s: the totals are not zero", stats)


def test_format(tap):
    """The columns of /proc/net/bpf are found by their names."""
    tap.equal(json.loads(RESULTS["order"][1])["descriptors"],
              [{"pid": 999999, "interface": "br0", "bufsize": 3, "received": 4,
                "dropped": 5, "captured": 6, "promisc": False,
                "immediate": True, "hdrcmplt": False, "seesent": True,
                "direction": "out", "buffers": "zerocopy",
                "filter": "jit", "state": "idle",
                "command": None}],
              "bpfstat takes another order of columns, a new one, an ended process")
    for name, message in (("permuted", 'duplicate column "state"'),
                          ("twice", 'duplicate column "pid"'),
                          ("missing", 'missing column "received"'),
                          ("number",
                           'line 2: invalid value "-1" of column "received"'),
                          ("flag",
                           'line 2: invalid value "2" of column "promisc"'),
                          ("few", "line 2 has 4 words instead of 14"),
                          ("empty", "empty")):
        failure(tap, name, 1, f"/proc/net/bpf: {message}")


def failure(tap, name, status, message):
    """Checks that a command failed with a message of one line."""
    tap.equal((RESULTS[name][0], RESULTS[name][2]),
              ([status], f"bpfstat: {message}\n"),
              f"bpfstat, {name}: {message}")


def test_usage(tap):
    """Invalid options, and --help."""
    for name in ("option", "argument", "no-value", "both"):
        status, out, err = RESULTS[name]
        tap.ok(status == [2] and not out and "usage: bpfstat" in err,
               f"bpfstat, {name}: the usage on standard error, status 2",
               *RESULTS[name])
    status, out, err = RESULTS["help"]
    tap.ok(status == [0] and not err and out.startswith("usage: bpfstat"),
           "bpfstat --help: the usage on standard output, status 0", out, err)


def test_errors(tap):
    """Each kind of error has its message."""
    failure(tap, "user", 1,
            "/proc/net/bpf: only root may see the descriptors")
    tap.equal(RESULTS["user-totals"][0], [0], "bpfstat -s of a user succeeds")
    failure(tap, "namespace", 1, "/proc/net/bpf: exists in the initial "
            "network namespace only")
    for name, path in (("unloaded", "/proc/net/bpf"),
                       ("unloaded-totals", "/proc/sys/net/bpf/stats")):
        failure(tap, name, 1, f"{path}: no such file; "
                "the module virtio_capture is not loaded")
    failure(tap, "full", 1, "cannot write: No space left on device")


tap.run(test_json, test_text, test_selection, test_totals, test_format,
        test_usage, test_errors)
sys.exit(tap.done())
