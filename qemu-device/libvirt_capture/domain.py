# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds capture devices to a domain's XML, and removes them."""
import json
import os
import re

from . import Failure
from .document import Document, attribute, indent

PLUGIN = "virtio-capture.so"
DEVICE = "virtio-capture-pci"
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
# Namespace of the element in <metadata> that records changes, to undo them.
OWN = "urn:virtio-capture:libvirt"

# For each machine: the root bus, and its slots in descending order, because
# libvirt assigns slots in ascending order. On q35 some of the highest belong to
# the chipset.
PLACES = {"pc": ("pci.0", range(0x1f, 2, -1)),
          "q35": ("pcie.0", (0x1c, *range(0x19, 2, -1)))}

# Interface types on a TAP device, for which libvirt uses vhost if it can.
TAPS = ("network", "bridge", "ethernet", "direct")
OTHERS = ("user", "udp", "server", "client", "mcast")
REFUSED = {
    "hostdev": "it is a device of the host, without a netdev in QEMU",
    "vdpa": "its frames bypass QEMU (vhost-vdpa)",
    "vhostuser": "its frames bypass QEMU (vhost-user)"}


def number(text):
    """A number in the XML."""
    try:
        return int(text, 0)
    except ValueError:
        raise Failure(f"'{text}' in an address is not a number") from None


def parse_device(value):
    """The properties in a value of -device, in either of its two formats."""
    if value.startswith("{"):
        try:
            return {name: str(text)
                    for name, text in json.loads(value).items()}
        except ValueError:
            return {"driver": ""}
    driver, *rest = value.split(",")
    return {"driver": driver, **dict(word.partition("=")[::2] for word in rest)}


def plugin_path(value):
    """The path in a value of -plugin."""
    path = re.split("(?<!,),(?:,,)*(?!,)", re.sub("^file=", "", value))[0]
    return path.replace(",,", ",")


class Domain:
    """A domain's XML, and the changes to it."""

    def __init__(self, data):
        self.document = Document(data)
        self.root = self.document.root
        if self.root.tag != "domain":
            raise Failure(f"this is the XML of a <{self.root.tag}>, not of a "
                          "<domain>")
        kind = self.root.attributes.get("type")
        if kind not in ("kvm", "qemu"):
            raise Failure(f"a domain of type '{kind}' does not run in QEMU")
        devices = self.root.find("devices")
        self.interfaces = [] if not devices else [
            child for child in devices.children if child.tag == "interface"]
        self.commandline = self.root.find(f"{QEMU} commandline")
        metadata = self.root.find("metadata")
        self.added = metadata and metadata.find(f"{OWN} added")
        self.records = []           # changes to interfaces, to be undone later

    def describe(self, nic):
        """A description of an interface for messages."""
        return (f"interface {self.interfaces.index(nic)} "
                f"({nic.value('mac', 'address') or 'no MAC address'}, type "
                f"'{nic.attributes.get('type')}')")

    def choose(self, names):
        """The interfaces with these names, which are numbers, MAC addresses or
        aliases; all interfaces if there are no names."""
        if not self.interfaces:
            raise Failure("the domain has no interface")
        if not names:
            return self.interfaces
        found = []
        for name in names:
            fits = [nic for place, nic in enumerate(self.interfaces)
                    if name.lower() in (
                        str(place), (nic.value("alias", "name") or "").lower(),
                        (nic.value("mac", "address") or "").lower())]
            if not fits:
                raise Failure(f"--nic {name}: there is no such interface, only "
                              + ", ".join(map(self.describe, self.interfaces)))
            found += [nic for nic in fits[:1] if nic not in found]
        return found

    def _options(self, name):
        """Each use of an option on QEMU's command line, as two elements."""
        words = self.commandline.children if self.commandline else []
        return [pair for pair in zip(words, words[1:])
                if pair[0].attributes.get("value") == name
                and "value" in pair[1].attributes]

    def _plugins(self):
        """The options that load the plug-in."""
        return [pair for pair in self._options("-plugin") if os.path.basename(
            plugin_path(pair[1].attributes["value"])) == PLUGIN]

    def plugin(self):
        """The path of the plug-in that the domain already loads, or None."""
        for _, value in self._plugins():
            return plugin_path(value.attributes["value"])
        return None

    def _captures(self, nic):
        """The -device options of an interface's capture devices, or of all
        interfaces' if it is None."""
        alias = nic and nic.value("alias", "name")
        found = []
        for pair in self._options("-device"):
            device = parse_device(pair[1].attributes["value"])
            if device["driver"] == DEVICE and (
                    not nic or device.get("netdev") == f"host{alias}"):
                found.append(pair)
        return found

    def _check_captures(self):
        """Fails if a capture device has a netdev that is not named by an alias:
        a new alias would change the netdev's name."""
        netdevs = {f"host{nic.value('alias', 'name')}"
                   for nic in self.interfaces}
        for _, value in self._captures(None):
            netdev = parse_device(value.attributes["value"]).get("netdev")
            if netdev not in netdevs:
                raise Failure(f"there is a {DEVICE} with netdev={netdev}, which "
                              "is not 'host' and the alias of an interface: "
                              "remove it first")

    def _slots(self):
        """The root bus, and its free slots in order of preference."""
        machine = (self.root.find("os") or self.root).value("type", "machine")
        if not machine:
            raise Failure("<os><type> has no machine: it must be pc or q35")
        match = re.fullmatch(r"(?:pc-)?(q35)(?:-.*)?|(pc)(?:-i440fx-.*)?",
                             machine)
        if not match:
            raise Failure(f"the machine '{machine}' is neither pc nor q35")
        bus, slots = PLACES[match[1] or match[2]]
        used = set()
        for element in self.root.walk():
            where = element.attributes
            # In <source> there are addresses of the host.
            if element.tag == "address" and where.get("type") == "pci" and \
                    element.parent.tag != "source" and \
                    not number(where.get("domain", "0")) and \
                    not number(where.get("bus", "0")):
                used.add(number(where.get("slot", "0")))
        for _, value in self._options("-device"):
            where = parse_device(value.attributes["value"])
            slot = re.match("(?:0x)?([0-9a-fA-F]+)", where.get("addr", ""))
            if slot and where.get("bus", bus) == bus:
                used.add(int(slot[1], 16))
        return bus, [slot for slot in slots if slot not in used]

    # Adding.

    def add(self, interfaces, plugin, single_queue):
        """Adds a capture device for each of the interfaces that has none."""
        self._check_captures()
        words = []
        value = plugin.replace(",", ",,")
        if not self._plugins():
            words += ["-plugin", value]
        elif plugin != self.plugin():
            self.document.set_attribute(self._plugins()[0][1], "value", value)
        bus, slots = self._slots()
        for nic in interfaces:
            if self._captures(nic):
                continue
            if not slots:
                raise Failure(f"{self.describe(nic)}: no slot of {bus} is free")
            alias = self._prepare(nic, single_queue)
            words += ["-device", f"{DEVICE},netdev=host{alias},"
                                 f"id={alias.replace('ua-', 'capture-', 1)},"
                                 f"bus={bus},addr={slots.pop(0):#x}"]
        self._add_words(words)
        self._add_records()

    def _prepare(self, nic, single_queue):
        """Changes an interface so that it can be tapped; returns its alias."""
        kind = nic.attributes.get("type")
        if kind not in (*TAPS, *OTHERS):
            reason = REFUSED.get(kind, "this type is not supported")
            raise Failure(f"{self.describe(nic)}: {reason}; choose others with "
                          "--nic, or change its type to 'network', 'bridge' or "
                          "'user'")
        record = {"alias": nic.value("alias", "name") or ""}
        # libvirt replaces aliases without this prefix.
        if not record["alias"].startswith("ua-"):
            record = {"alias": self._new_alias(nic), "new": "yes"}
        if (nic.value("model", "type") or "").startswith("virtio"):
            self._prepare_driver(nic, single_queue, record)
        if len(record) > 1:
            self.records.append(record)
        return record["alias"]

    def _new_alias(self, nic):
        """Sets a new alias with the prefix for user-defined ones."""
        taken = {e.attributes.get("name") for e in self.root.walk()
                 if e.tag == "alias"}
        taken.update(record["alias"] for record in self.records)
        count = self.interfaces.index(nic)
        while f"ua-nic{count}" in taken:
            count += 1
        if nic.find("alias"):
            self.document.set_attribute(nic.find("alias"), "name",
                                        f"ua-nic{count}")
        else:
            self.document.add_child(nic, f"<alias name='ua-nic{count}'/>")
        return f"ua-nic{count}"

    def _prepare_driver(self, nic, single_queue, record):
        """Sets a virtio interface to one queue, and to QEMU without vhost."""
        driver = nic.find("driver")
        before = driver.attributes if driver else {}
        queues = before.get("queues", "1")
        if queues != "1":
            if not single_queue:
                raise Failure(f"{self.describe(nic)}: it has {queues} queues, "
                              "but a capture device can tap only one; "
                              "--single-queue reduces it to one")
            self.document.set_attribute(driver, "queues", "1")
            record["queues"] = queues
        if nic.attributes["type"] in TAPS and before.get("name") != "qemu":
            if driver:
                self.document.set_attribute(driver, "name", "qemu")
            else:
                self.document.add_child(nic, "<driver name='qemu'/>")
            record["driver"] = before.get("name", "")

    def _add_words(self, words):
        """Appends arguments to QEMU's command line."""
        if not words:
            return
        prefix = self.document.prefixes.get(QEMU)
        if self.commandline:
            prefix = self.document.prefix(self.commandline)
        elif not prefix:
            prefix = "qemu"
            self.document.set_attribute(self.root, "xmlns:qemu", QEMU)
        lines = "\n".join(f"<{prefix}:arg{attribute('value', word)}/>"
                          for word in words)
        if self.commandline:
            self.document.add_child(self.commandline, lines)
        else:
            self.document.add_child(
                self.root, f"<{prefix}:commandline>\n{indent(lines)}\n"
                f"</{prefix}:commandline>")

    def _add_records(self):
        """Records in <metadata> what was changed in the interfaces."""
        if not self.records:
            return
        prefix = self.document.prefix(self.added) if self.added else "capture"
        lines = "\n".join(
            f"<{prefix}:interface" + "".join(
                attribute(*item) for item in record.items()) + "/>"
            for record in self.records)
        if self.added:
            self.document.add_child(self.added, lines)
            return
        lines = (f"<capture:added xmlns:capture='{OWN}'>\n{indent(lines)}\n"
                 "</capture:added>")
        if self.root.find("metadata"):
            self.document.add_child(self.root.find("metadata"), lines)
        else:
            self.document.add_child(
                self.root, f"<metadata>\n{indent(lines)}\n</metadata>")

    # Removing.

    def remove(self, interfaces):
        """Removes the capture devices of interfaces, and undoes the changes to
        the interfaces."""
        gone, undone = [], []
        records = {record.attributes.get("alias"): record
                   for record in (self.added.children if self.added else [])}
        for nic in interfaces:
            if nic.find("alias"):
                gone += self._captures(nic)
            record = records.get(nic.value("alias", "name"))
            if record:
                self._restore(nic, record.attributes)
                undone.append(record)
        if len(gone) == len(self._captures(None)):
            gone += self._plugins()
        self._remove_all([word for pair in gone for word in pair])
        self._remove_all(undone)

    def _remove_all(self, elements):
        """Removes children of one parent, and the parent if it is then empty:
        also <metadata>, and the namespace of the command line."""
        parent = elements[0].parent if elements else None
        if not parent:
            return
        if len(elements) < len(parent.children) or parent is self.root:
            for element in elements:
                self.document.remove(element)
            return
        self._remove_all([parent])
        prefix = self.document.prefixes.get(QEMU)
        users = [e for e in self.root.walk() if e.tag.startswith(f"{QEMU} ")]
        if parent is self.commandline and len(users) == len(elements) + 1:
            self.document.set_attribute(self.root, f"xmlns:{prefix}", None)

    def _restore(self, nic, before):
        """Undoes the changes to an interface."""
        driver = nic.find("driver")
        if "new" in before:
            self.document.remove(nic.find("alias"))
        if driver and "queues" in before:
            self.document.set_attribute(driver, "queues", before["queues"])
        if driver and "driver" in before:
            if set(driver.attributes) == {"name"} and not driver.children \
                    and not before["driver"]:
                self.document.remove(driver)
            else:
                self.document.set_attribute(driver, "name",
                                            before["driver"] or None)
