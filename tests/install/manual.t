#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages match the driver and bpfstat, and the example in bpf(4) works in
a guest."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from guest import vm  # noqa: E402

BUILD = tree.TOP / "build" / "tests" / "install" / "manual"
BPF = tree.text("guest-driver/man/bpf.4")
WAYS = {"_IO": "-", "_IOR": "out", "_IOW": "in", "_IOWR": "in out"}

# Sends broadcasts, which QEMU's gateway answers.
SCRIPT = """
./example eth0 >out 2>err &
until grep -q waiting /proc/net/bpf; do sleep 0.1; done
ping -c 1 10.0.2.2 >/dev/null
arping -c 2 -I eth0 10.0.2.2 >/dev/null
until [ "$(wc -l <out)" -ge 4 ]; do sleep 0.1; done
kill $!
cat out err
./example nosuch 2>&1
"""


def section(text, title):
    """Returns the source of a page's section."""
    return re.search(rf'^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)', text,
                     re.M | re.S)[1]


def header_requests():
    """Returns (number, type, way) by name of each request in <net/bpf.h>."""
    found = {}
    for name, macro, number, kind in re.findall(
            r"^#define (BIOC\w+)\s+(_IO\w*)\('B', (\d+)(?:, ([\w ]+))?\)",
            tree.text("guest-driver/include/net/bpf.h"), re.M):
        found[name] = (number, (kind or "none").replace("bpf_timeval",
                                                        "timeval"),
                       WAYS[macro])
    return found


def page_requests():
    """Returns (number, type, way, locked) by name of each line of bpf(4)'s table."""
    return {name: (number, kind.removeprefix("Vt "), way, locked)
            for name, number, kind, way, locked in re.findall(
                r"^\.It Dv (\w+) Ta (\S+) Ta (.*?) Ta (.*?) Ta (\w+)$",
                section(BPF, "IOCTLS"), re.M)}


def test_requests(tap):
    """The table of requests, and an entry for each."""
    page = page_requests()
    fionread = page.pop("FIONREAD")
    tap.equal({name: row[:3] for name, row in page.items()},
              header_requests(),
              "the requests of bpf(4) are those of <net/bpf.h>")
    tap.equal(fionread[:3], ("-", "int", "out"),
              "the table of bpf(4) has FIONREAD")
    entries = re.findall(r"^\.It Dv (\w+(?: , \w+)*)$",
                         section(BPF, "IOCTLS"), re.M)
    names = [name for entry in entries for name in entry.split(" , ")
             if not name.startswith("BPF_")]
    tap.equal(sorted(names), sorted([*page, "FIONREAD"]),
              "each request has one entry in bpf(4)")


def test_locked(tap):
    """The last column of that table."""
    driver = dict(re.findall(r"\{ (BIOC\w+|FIONREAD)\w*, \w+, (\w+) \}",
                             tree.text("guest-driver/ioctl.c")))
    tap.equal({name: row[3] for name, row in page_requests().items()},
              {name: "yes" if when == "ALWAYS" else "no"
               for name, when in driver.items()},
              "bpf(4) says which requests a locked descriptor serves")


def test_limits(tap):
    """Numbers in the text."""
    header = tree.text("guest-driver/include/net/bpf.h")
    text = " ".join(BPF.split())
    for name, sentence in (
            ("BPF_MAXINSNS", r"\.Dv BPF_MAXINSNS \((\d+)\) instructions"),
            ("BPF_MEMWORDS", r"\.Dv BPF_MEMWORDS \((\d+)\) words"),
            ("BPF_DFLTBUFSIZE", r"The default is (\d+)\. \.Em Source")):
        value = re.search(rf"#define {name}\s+(\d+)", header)[1]
        tap.equal(re.search(sentence, text)[1], value, name)
    tap.equal(re.search(r"from (\d+) to (\d+) bytes\. The default is (\d+)\.",
                        text).groups(), ("32", str(16 << 20), str(4 << 20)),
              "bpf(4) has the limits of net.bpf.maxbufsize")


def test_columns(tap):
    """The columns of /proc/net/bpf."""
    driver = re.search(r'seq_puts\(seq, "(pid .*)\\n"\)',
                       tree.text("guest-driver/procfs.c"))[1].split()
    files = section(BPF, "FILES")
    tap.equal(re.findall(r"^\.It Li (\w+)$", files, re.M), driver,
              "bpf(4) names the columns of /proc/net/bpf in order")
    tool = tree.text("guest-driver/man/bpfstat.8")
    missing = [name for name in driver
               if not re.search(rf"^\.Li {name}\b", tool, re.M)]
    tap.equal(missing, [],
              "bpfstat(8) names the columns of /proc/net/bpf as members of JSON")


def test_parameters(tap):
    """The parameters of the module, and their defaults."""
    driver = {}
    for name in tree.files():
        if re.fullmatch(r"guest-driver/[\w-]+\.c", name):
            text = tree.text(name)
            for word in re.findall(r"^module_param(?:_cb)?\((\w+),", text, re.M):
                value = re.search(rf"\b{word} = (\d+|true);", text)
                # A parameter without an initial value is a flag that is off.
                driver[word] = (value[1] if value else "N").replace("true", "Y")
    page = section(tree.text("guest-driver/man/virtio_capture.4"),
                   "DESCRIPTION")
    got = dict(re.findall(r"^\.It Cm (\w+)\n.*?The default is (\d+|N|Y)\.",
                          page, re.M | re.S))
    tap.equal(got, driver, "virtio_capture(4) names the module's parameters")


def test_options(tap):
    """The options of bpfstat."""
    status, lines = tree.run("build/guest-driver/bpfstat", "--help")
    tap.equal(status, 0, "bpfstat --help succeeds")
    tool = re.findall(r"^  -(\w), --([\w-]+)", "\n".join(lines), re.M)
    page = re.findall(r"^\.It Fl (\w) , Fl -([\w-]+)",
                      tree.text("guest-driver/man/bpfstat.8"), re.M)
    tap.equal(sorted(page), sorted(tool), "bpfstat(8) names its options")


def test_example(tap):
    """The program in bpf(4) as it is printed there."""
    BUILD.mkdir(parents=True, exist_ok=True)
    source = re.search(r"^\.Bd -literal\n(#include.*?)^\.Ed", section(
        BPF, "EXAMPLES"), re.M | re.S)[1]
    (BUILD / "example.c").write_text(source.replace("\\e", "\\"))
    status, lines = tree.run(
        "gcc", "-Wall", "-Wextra", "-Werror", "-static", "-I",
        "guest-driver/include", "-o", BUILD / "example", BUILD / "example.c")
    tap.ok(status == 0, "the example of bpf(4) compiles", *lines)
    done = vm(["--add", str(BUILD / "example")], ["sh", "-c", SCRIPT])
    *packets, error = done.stdout.splitlines() or [""]
    bad = [line for line in packets if not re.fullmatch(
        r"\d{10}\.\d{6}: (\d+) of \1 bytes", line)]
    tap.ok(len(packets) >= 4 and not bad,
           "the example of bpf(4) prints ARP packets",
           done.stdout, done.stderr)
    tap.equal(error, "example: nosuch: No such device or address",
              "the example of bpf(4) reports an unknown interface")


def check(tap):
    """Runs all tests, the slow one last."""
    tap.run(test_requests, test_locked, test_limits, test_columns,
            test_parameters, test_options, test_example)


tree.main(check)
