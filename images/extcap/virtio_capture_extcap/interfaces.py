# SPDX-License-Identifier: GPL-2.0-or-later
"""The interfaces that Wireshark shows, and the options of each."""
from typing import NamedTuple

from . import agent, ssh, vm
from .tcpdump import DIRECTIONS


class Option(NamedTuple):
    """An option, as Wireshark is told of it, and as it gives it back."""

    name: str
    display: str
    tooltip: str
    type: str = "string"
    default: str = ""
    group: str = "Guest"
    values: object = ()     # pairs of a value and its text, or what gives them

    def arg(self, number):
        """The lines for --extcap-config."""
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
    """A line for Wireshark. Braces in a value would end it."""
    return f"{word} " + "".join(
        "{%s=%s}" % (name, str(value).replace("{", "(").replace("}", ")"))
        for name, value in fields.items())


def guest_values():
    """The guests of images/vm to choose from."""
    yield "", "the only one"
    for guest in vm.guests():
        yield str(guest.pid), f"{guest.pid}: {guest.command}"


def nic_values():
    """The interfaces that those guests have."""
    yield "", "the first one"
    names = set().union(*(guest.nics for guest in vm.guests()))
    for name in sorted(names, key=lambda name: (name[:3] != "eth", name)):
        yield name, name


NIC = Option("nic", "NIC", "The interface in the guest, as eth0 or capture0; "
                           "without one, the first")

COMMON = (
    Option("filter", "Filter", "A capture filter of tcpdump's, which the guest "
                               "applies", group="Capture"),
    Option("snaplen", "Snapshot length", "Bytes of each packet, 0 for all",
           "unsigned", "0", "Capture"),
    Option("direction", "Direction", "What the guest receives, what it sends, "
                                     "or both", "selector", "inout", "Capture",
           tuple(zip(DIRECTIONS, ("both", "received", "sent")))),
    Option("promiscuous", "Promiscuous mode", "Also what is not for the guest",
           "boolean", "true", "Capture"))


class Interface(NamedTuple):
    """An interface: a kind of guests."""

    display: str
    source: type
    options: tuple


INTERFACES = {
    "virtio-capture-vm": Interface(
        "Guest of images/vm", vm.Source, (
            Option("guest", "Guest", "The number of the process images/vm; which "
                                     "one, if several run",
                   "selector", values=guest_values),
            NIC._replace(type="selector", values=nic_values),
            *COMMON)),
    "virtio-capture-ssh": Interface(
        "Guest with virtio-capture, by ssh", ssh.Source, (
            Option("host", "Host", "[USER@]HOST, as for ssh"),
            Option("ssh-options", "Options of ssh", "As in: -p 2222 -i KEY"),
            Option("sudo", "Run tcpdump by sudo", "With sudo -n, which does not "
                                                  "ask for a password",
                   "boolflag"),
            NIC, *COMMON)),
    "virtio-capture-agent": Interface(
        "Guest with virtio-capture, by the QEMU guest agent", agent.Source, (
            Option("qmp", "QMP socket", "Of its QEMU; by that the agent's is "
                                        "found", "fileselect"),
            Option("agent", "Agent's socket", "If there is no QMP socket",
                   "fileselect"),
            NIC, *COMMON)),
}
