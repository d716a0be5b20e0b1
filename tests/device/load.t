#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plug-in loads only into the QEMU that it was built for."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import shutil  # noqa: E402
import subprocess  # noqa: E402

import capture  # noqa: E402
import emulator  # noqa: E402
import folders  # noqa: E402
import links  # noqa: E402
import qtest  # noqa: E402
import waiting  # noqa: E402
from tap import Tap  # noqa: E402

INSTALLED = subprocess.run(
    [emulator.QEMU, "--version"], check=True, stdout=subprocess.PIPE).stdout \
    .decode().splitlines()[0].split(" ", 3)[3]


def build(name, *variables):
    """Builds the plug-in with other make variables; returns its path."""
    out = emulator.BUILD / name
    subprocess.run(["make", "-s", "-C", emulator.TOP / "qemu-device",
                    f"OUT={out}", *variables], check=True,
                   stdout=subprocess.DEVNULL)
    return out / "virtio-capture.so"


def version(tap):
    """Built for another version, or for another build of the same version."""
    for other in ("7.1.0 (Debian 1:7.1+dfsg-7)",
                  INSTALLED.replace(")", "+local)")):
        plugin = build("other-version", f"BUILT_FOR={other}")
        status, errors = emulator.run_qemu(plugin=plugin)
        tap.equal(errors.splitlines()[0],
                  f"virtio-capture.so: it was built for QEMU {other}, but "
                  f"this is QEMU {INSTALLED}; rebuild it for this QEMU",
                  f"plug-in built for {other}: the error names both versions")
        tap.equal(status, 1, f"plug-in built for {other}: QEMU does not start")
        tap.contains(errors, f"Could not load plugin {plugin}",
                     f"plug-in built for {other}: QEMU names the file")


def refuse_layout(tap, structure, define, type_name, member):
    """QEMU has a structure with another layout, because of this define."""
    # Only this file, which compares the layouts, has to be built again.
    (emulator.BUILD / "other-layout/plugin/layout.o").unlink(missing_ok=True)
    plugin = build("other-layout", f"DEFINES={define}")
    status, errors = emulator.run_qemu(plugin=plugin)
    tap.contains(errors, "this QEMU has the right version, but was built "
                 f"with other options: its '{type_name}' has '{member}' "
                 "at byte ",
                 f"QEMU with another {structure}: the error reports it")
    tap.equal(status, 1, f"QEMU with another {structure}: it does not start")


def other_filter_header(line):
    """Returns a file to include first: NetFilterState has another member before the
    one in that line."""
    source = emulator.BUILD.parents[1] / "qemu-device" / "qemu-source"
    text = (source / "include/net/filter.h").read_text()
    assert line in text
    path = folders.scratch() / "filter.h"
    path.write_text('#include "qemu/osdep.h"\n' +
                    text.replace(line, f"    char more[64];\n{line}"))
    return path


def layout(tap):
    """The right version, but built with other options: an additional member."""
    for structure, define, type_name, member in (
            ("DeviceState", "instance_id_alias=instance_id_alias,more[64]",
             "pci-device", "addr"),
            ("PCIDevice", "msix_entries_nr=msix_entries_nr,more[64]",
             "pci-device", "acpi-index"),
            ("VirtIODevice", "disable_legacy_check=disable_legacy_check,"
             "more[64]", "virtio-rng-device", "period"),
            ("VirtIOPCIProxy", "nvqs_with_notifiers=nvqs_with_notifiers,"
             "more[64]", "virtio-rng-pci", "virtio-backend")):
        refuse_layout(tap, structure, f"-D{define}", type_name, member)
    for where, line, member in (
            ("before a flag", "    bool on;", "status"),
            ("at its end", "    QTAILQ_ENTRY(NetFilterState) next;",
             "interval")):
        refuse_layout(tap, f"NetFilterState, {where}",
                      f"-include {other_filter_header(line)}",
                      "filter-buffer", member)


def usage(tap):
    """Loaded twice, or with arguments."""
    copy = folders.scratch() / "copy.so"
    copy.write_bytes(emulator.PLUGIN.read_bytes())
    status, errors = emulator.run_qemu("-plugin", copy)
    tap.equal((status, errors.splitlines()[0]),
              (1, "virtio-capture.so: it is already loaded"),
              "plug-in loaded twice: the error reports it")
    status, errors = emulator.run_qemu(plugin=f"{emulator.PLUGIN},colour=blue")
    tap.equal((status, errors.splitlines()[0]),
              (1, "virtio-capture.so: it takes no arguments, but got "
                  "'colour=blue'"),
              "plug-in with an argument: the error names it")


def targets(tap):
    """The same plug-in loads into QEMU for other processors."""
    for target, machine in (("aarch64", "virt"), ("s390x", "s390-ccw-virtio")):
        option, _ = links.link()
        qemu = Path(shutil.which(emulator.QEMU)).with_name(f"qemu-system-{target}")
        done = subprocess.run(
            [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-S",
             "-machine", machine, "-accel", "tcg", "-plugin", emulator.PLUGIN,
             "-netdev", f"{option},id=n0",
             "-device", "virtio-net-pci,netdev=n0,romfile=",
             *capture.options(), "-monitor", "stdio"],
            input=b"info qtree\nquit\n", capture_output=True, check=False,
            timeout=waiting.PATIENCE)
        tap.contains(done.stdout.decode(), 'dev: virtio-capture-pci, id "cap"',
                     f"{target}: the device is there")
        tap.equal((done.returncode, done.stderr), (0, b""),
                  f"{target}: QEMU exits with status 0, and prints no error")


def right(tap):
    """The right QEMU has the device and its trace events."""
    with qtest.Machine() as machine:
        types = [t["name"] for t in machine.qmp(
            "qom-list-types", implements="virtio-pci")]
        tap.ok("virtio-capture-pci" in types,
               "device types have virtio-capture-pci")
        events = machine.qmp("trace-event-get-state", name="virtio_capture_*")
        tap.equal({e["state"] for e in events}, {"disabled"},
                  "trace events of the device are there, and off")
        tap.equal(machine.close(), 0, "QEMU exits with status 0")


main = Tap()
main.run(version, layout, usage, targets, right)
sys.exit(main.done())
