# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver's tracepoints, read through tracefs in a guest."""
import re

TRACING = "/sys/kernel/tracing"


def mount(guest):
    """Mounts tracefs."""
    guest.shell(f"mount -t tracefs tracefs {TRACING}")


def start(guest):
    """Enables all tracepoints of the driver, and discards older events. To be
    called again when the module has been loaded again."""
    guest.shell(f"echo 1 > {TRACING}/events/virtio_capture/enable; "
                f"echo > {TRACING}/trace")


def events(guest):
    """The events since the last call or start(): [(name, {field: value})]."""
    text = guest.shell(f"cat {TRACING}/trace; echo > {TRACING}/trace")
    return [(name, dict(field.split("=") for field in fields.split()))
            for name, fields in re.findall(
                r" virtio_capture_(\w+): (.*)", text)]


def drops(found):
    """The number of packets that these events report as dropped."""
    return sum(int(fields["count"]) for name, fields in found
               if name == "drop")
