# SPDX-License-Identifier: GPL-2.0-or-later
"""The interfaces that Wireshark shows, and the options of each."""
from typing import NamedTuple

from . import agent, ssh, vm
from .tcpdump import DIRECTIONS


class Option(NamedTuple):
    """An option of an interface."""

    name: str
    display: str
    tooltip: str
    type: str = "string"
    default: str = ""
    group: str = "Guest"
    values: object = ()     # pairs of a value and its text, or their generator

    def arg(self, number):
        """Return the option's lines for --extcap-config."""
        fields = {"number": number, "call": f"--{self.name}",
                  "display": self.display, "tooltip": self.tooltip,
                  "type": self.type, "group": self.group}
        if self.type == "fileselect":
            fields["mustexist"] = "true"
        if self.default:
            fields["default"] = self.default
        yield sentence("arg", **fields)
        for value, text in self.values() if callable(self.values) \
                else self.values:
            yield sentence("value", arg=number, value=value, display=text,
                           default=str(value == self.default).lower())


def sentence(word, **fields):
    """Return a line for Wireshark, without braces in values, which delimit them."""
    return f"{word} " + "".join(
        "{%s=%s}" % (name, str(value).replace("{", "(").replace("}", ")"))
        for name, value in fields.items())


def guest_values():
    """Return the guests of images/vm to choose from."""
    yield "", "the only one"
    for guest in vm.guests():
        yield str(guest.pid), f"{guest.pid}: {guest.command}"


def nic_values():
    """Return the interfaces of these guests."""
    yield "", "the first one"
    names = set().union(*(guest.nics for guest in vm.guests()))
    for name in sorted(names, key=lambda name: (name[:3] != "eth", name)):
        yield name, name


NIC = Option("nic", "NIC", "The interface in the guest, such as eth0 or "
                           "capture0; the default is the first")

COMMON = (
    Option("filter", "Filter", "A capture filter, applied in the guest",
           group="Capture"),
    Option("snaplen", "Snapshot length", "Bytes of each packet, 0 for all",
           "unsigned", "0", "Capture"),
    Option("direction", "Direction", "What the guest receives, what it sends, "
                                     "or both", "selector", "inout", "Capture",
           tuple(zip(DIRECTIONS, ("both", "received", "sent")))),
    Option("promiscuous", "Promiscuous mode", "Also capture frames for other "
                                              "hosts",
           "boolean", "true", "Capture"))


class Interface(NamedTuple):
    """An interface: one way to reach guests."""

    display: str
    source: type
    options: tuple


INTERFACES = {
    "virtio-capture-vm": Interface(
        "Guest of images/vm", vm.Source, (
            Option("guest", "Guest", "The process ID of images/vm, needed if "
                                     "several are running",
                   "selector", values=guest_values),
            NIC._replace(type="selector", values=nic_values),
            *COMMON)),
    "virtio-capture-ssh": Interface(
        "Guest with virtio-capture, by ssh", ssh.Source, (
            Option("host", "Host", "[USER@]HOST, as for ssh"),
            Option("ssh-options", "Options of ssh", "Such as: -p 2222 -i KEY"),
            Option("sudo", "Run tcpdump by sudo", "With sudo -n, which does not "
                                                  "ask for a password",
                   "boolflag"),
            NIC, *COMMON)),
    "virtio-capture-agent": Interface(
        "Guest with virtio-capture, by the QEMU guest agent", agent.Source, (
            Option("qmp", "QMP socket", "The guest's QMP socket, to find the "
                                        "agent's socket", "fileselect"),
            Option("agent", "Agent's socket", "Needed without a QMP socket",
                   "fileselect"),
            NIC, *COMMON)),
}
