#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tcpdump expressions select the same frames through /dev/bpf in the guest as tcpdump
does on the host, both if the driver and if the device runs the programs."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import frames  # noqa: E402
import pcap  # noqa: E402
from guest import BIG_ENDIAN, FILTER_ENGINE  # noqa: E402
from guest import PROGRAMS, TOP, TWO_NICS, vm  # noqa: E402
from tap import Tap  # noqa: E402

EXPRESSIONS = os.path.join(TOP, "tests", "fuzz", "expressions")
REPLAY = os.path.join(PROGRAMS, "tools", "replay")
COUNT = 400
BATCH = 60      # less than the maximum number of listener queues of a device
SNAPLEN = 64

# With these the device itself cuts the frames, as none needs a longer prefix.
SHORT = ["", "greater 1000", "less 128", "len = 60", "len - 14 > 100", "arp",
         "ether[0] & 1 != 0", "ether src 52:54:00:12:34:56", "vlan 7", "ip6"]

# Starts each batch of tcpdumps at the same time. Before they are interrupted, each
# has seen all frames and sleeps in a read. In immediate mode a buffer holds few
# frames, so a slow guest needs many buffers.
SCRIPT = """
set -e
rmmod virtio_capture
modprobe virtio_capture buffers=64 descriptors=1000 offload=OFFLOAD
ip link set eth1 up
started=0
for batch in batch*; do
    pids=
    for name in $(ls $batch); do
        tcpdump --immediate-mode -U -Q in -i eth0 -s ${batch##*-} \
            -F $batch/$name -w out/$name 2> out/$name.log &
        pids="$pids $!"
        started=$((started + 1))
    done
    tries=0
    while [ $(cat out/*.log | grep -c listening) -lt $started ]; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { grep -L listening out/*.log >&2; exit 1; }
        sleep 0.2
    done
    ./replay eth1 sent.pcap
    tries=0
    while tail -n +2 /proc/net/bpf | grep -qv "^[^ ]* eth0 [^ ]* COUNT .*g$"; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { cat /proc/net/bpf >&2; exit 1; }
        sleep 0.1
    done
    cat /proc/net/bpf >> out/peers
    quiet=0
    while [ $quiet -lt 3 ]; do
        quiet=$((quiet + 1))
        for pid in $pids; do
            grep -q '^State:.S' /proc/$pid/status || quiet=0
        done
        sleep 0.1
    done
    kill -INT $pids
    wait
done
tar -cf out.tar -C out .
""".replace("COUNT", str(COUNT))


def read_expressions():
    """Returns the lines of the file that are not comments."""
    with open(EXPRESSIONS, encoding="ascii") as file:
        return [line.strip() for line in file
                if line.strip() and not line.startswith("# ")]


def write_batches(folder, expressions):
    """Writes a file for each expression, in folders whose names end in a snapshot
    length. Returns {name of file: (expression, snapshot length)}."""
    jobs = [(text, 262144) for text in ["", *expressions]]
    jobs += [("", 262144)] * (-len(jobs) % BATCH)
    jobs += [(text, SNAPLEN) for text in SHORT]
    names = {}
    for number, (text, snaplen) in enumerate(jobs):
        batch = f"{folder}/batch{number // BATCH:02}-{snaplen}"
        os.makedirs(batch, exist_ok=True)
        names[f"{number:04}"] = (text, snaplen)
        with open(f"{batch}/{number:04}", "w", encoding="ascii") as file:
            file.write(text + "\n")
    return names


def select(path, expression):
    """Returns the frames that the host's tcpdump selects."""
    words = [expression] if expression else []
    done = subprocess.run(["tcpdump", "-r", path, "-w", "-", "--", *words],
                          capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{expression}: {done.stderr.decode()}")
    return pcap.parse(done.stdout).frames()


def run_guest(folder, names, offload):
    """Returns {name: frames} and the lines of /proc/net/bpf."""
    batches = sorted(name for name in os.listdir(folder)
                     if name.startswith("batch"))
    shutil.rmtree(f"{folder}/out", ignore_errors=True)
    os.makedirs(f"{folder}/out")
    adds = ["sent.pcap", "out", *batches]
    # With one processor a device has up to 32 listener queues.
    done = vm([*TWO_NICS, "--timeout", "600", "--memory", "1G", "--smp", "2",
               "--qemu-arg", "-global",
               "--qemu-arg", "virtio-capture-device.listener-queues=64",
               "--add", REPLAY, "--get", f"out.tar:{folder}/out.tar"]
              + [word for name in adds for word in ("--add",
                                                    f"{folder}/{name}")],
              ["sh", "-c", SCRIPT.replace("OFFLOAD", str(int(offload)))])
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode}\n{done.stdout}\n"
                           f"{done.stderr}")
    subprocess.run(["tar", "-xf", f"{folder}/out.tar", "-C", f"{folder}/out"],
                   check=True)
    captured = {}
    for name in names:
        with open(f"{folder}/out/{name}", "rb") as file:
            captured[name] = pcap.parse(file.read()).frames()
    with open(f"{folder}/out/peers", encoding="ascii") as file:
        return captured, [line.split() for line in file
                          if not line.startswith("pid")]


def judge(tap, what, names, expected, captured, peers):
    """Checks the frames of all descriptors, and their lines in /proc/net/bpf.
    Returns the engines that ran the programs."""
    for name, (expression, snaplen) in names.items():
        got = captured[name]
        tap.ok(got == expected[name],
               f"{what}: {expression or 'everything'}: {len(got)} frames"
               + (" cut" if snaplen == SNAPLEN else ""),
               f"{len(got)} in the guest, {len(expected[name])} on the host")
    tap.equal({line[4] for line in peers}, {"0"},
              f"{what}: no descriptor dropped a packet")
    engines = [line[-2] for line in peers]
    tap.equal(len(engines), len(names),
              f"{what}: /proc/net/bpf lists every descriptor")
    return engines


def test_expressions(tap):
    """Runs all expressions in a guest for each engine."""
    sent = [frame.ljust(60, b"\0") for frame in frames.varied(COUNT, 3)]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/sent.pcap"
        pcap.write(path, sent)
        names = write_batches(folder, read_expressions())
        expected = {name: [frame[:snaplen] for frame in select(path, text)]
                    for name, (text, snaplen) in names.items()}
        chosen = sum(0 < len(some) < len(sent) for some in expected.values())
        tap.ok(chosen > len(names) // 2,
               f"{chosen} expressions select some frames")
        if not BIG_ENDIAN:
            engines = judge(tap, "device", names, expected,
                            *run_guest(folder, names, True))
            tap.equal(set(engines), {"device"},
                      "device: it has run all filters")
        engines = judge(tap, "driver", names, expected,
                        *run_guest(folder, names, False))
    tap.equal(set(engines), {FILTER_ENGINE, "constant"},
              "driver: the kernel has run all filters, or there was nothing to run")
    # A program with a loop is invalid, so libpcap itself runs it.
    no_filter = [text for text, _ in names.values()
                 if not text or "protochain" in text]
    tap.equal(engines.count("constant"), len(no_filter),
              "driver: nothing was to be run for filters that ask for nothing, or for a loop")


TAP = Tap()
TAP.run(test_expressions)
sys.exit(TAP.done())
