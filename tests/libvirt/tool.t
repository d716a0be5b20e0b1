#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt-capture makes only the necessary changes to a domain's XML, and refuses
domains that it cannot change, with the reason."""
import io
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lib"),
                str(Path(__file__).resolve().parents[2] / "qemu-device")]
from libvirt_capture.main import main  # noqa: E402
from emulator import TOP  # noqa: E402
from folders import scratch  # noqa: E402
from tap import Tap  # noqa: E402

TOOL = TOP / "qemu-device" / "libvirt-capture"
PLUGIN = scratch() / "virtio-capture.so"
PLUGIN.touch()
NS = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"

INTERFACE = """<interface type='{}'>
      <mac address='52:54:00:12:34:{}'/>
      <model type='{}'/>{}
    </interface>"""


def nic(kind="network", number=56, model="virtio", more=""):
    """Returns an interface's XML."""
    return INTERFACE.format(kind, number, model, more)


def domain(*parts, machine="pc", kind="kvm", namespace="", rest=""):
    """Returns a domain's XML."""
    return f"""<domain type='{kind}'{namespace}>
  <name>guest</name>
  <os>
    <type arch='x86_64' machine='{machine}'>hvm</type>
  </os>
  <devices>
    {"".join(parts)}
  </devices>{rest}
</domain>
"""


def commandline(*words):
    """Options for QEMU that the user has set."""
    lines = "".join(f"\n    <qemu:arg value='{word}'/>" for word in words)
    return {"namespace": f" {NS}",
            "rest": f"\n  <qemu:commandline>{lines}\n  </qemu:commandline>"}


def run(xml, *options, plugin=PLUGIN):
    """Runs the tool in this process; returns its status, output and errors."""
    if isinstance(xml, str):
        xml = xml.encode()
    words = ["--plugin", str(plugin)] if plugin else []
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    errors = io.StringIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(xml), "utf-8")
    with redirect_stdout(out), redirect_stderr(errors):
        status = main(["--xml", "-", *words, *options])
    return status, out.buffer.getvalue().decode(), errors.getvalue()


def changed(tap, name, xml, *options):
    """Runs the tool and returns its output. Checks that a second run changes
    nothing, and that --remove restores the XML."""
    status, out, errors = run(xml, *options)
    tap.equal(status, 0, f"{name}: libvirt-capture succeeds")
    tap.ok(run(out, *options)[1] == out,
           f"{name}: a second run changes nothing", out, errors)
    tap.equal(run(out, "--remove")[1], xml,
              f"{name}: --remove restores the XML")
    return out


def added(xml, out):
    """Returns the lines of the output that the XML does not have."""
    left = xml.splitlines()
    lines = []
    for line in out.splitlines():
        if left and line == left[0]:
            left.pop(0)
        else:
            lines.append(line.strip())
    return lines


def addresses(text):
    """Returns the addresses of the capture devices."""
    return re.findall(r"virtio-capture-pci,.*?bus=([\w.]+),addr=(\w+)", text)


# Changes to the XML.


def plain(tap):
    """One usual interface."""
    xml = domain(nic())
    out = changed(tap, "an interface", xml)
    first, *lines = out.splitlines()
    tap.equal(first, f"<domain type='kvm' {NS}>",
              "one interface: the domain gets the namespace")
    tap.equal(added("\n".join(xml.splitlines()[1:]), "\n".join(lines)), [
        "<alias name='ua-nic0'/>",
        "<driver name='qemu'/>",
        "<qemu:commandline>",
        "<qemu:arg value='-plugin'/>",
        f"<qemu:arg value='{PLUGIN}'/>",
        "<qemu:arg value='-device'/>",
        "<qemu:arg value='virtio-capture-pci,netdev=hostua-nic0,"
        "id=capture-nic0,bus=pci.0,addr=0x1f'/>",
        "</qemu:commandline>",
        "<metadata>",
        "<capture:added xmlns:capture='urn:virtio-capture:libvirt'>",
        "<capture:interface alias='ua-nic0' new='yes' driver=''/>",
        "</capture:added>",
        "</metadata>"],
              "one interface: only the capture device's lines are new")


def kinds(tap):
    """vhost is used by interfaces of some types and models only."""
    for kind in ("network", "bridge", "ethernet", "direct", "user", "udp"):
        for model in ("virtio", "virtio-non-transitional", "e1000e"):
            name = f"{model} of type {kind}"
            out = changed(tap, name, domain(nic(kind, model=model)))
            tap.equal("<driver name='qemu'/>" in out,
                      model != "e1000e" and kind not in ("user", "udp"),
                      f"{name}: the interface has QEMU's driver where it needs it")


def drivers(tap):
    """Interfaces that already have a <driver>."""
    for before, after, option in (
            ("<driver name='vhost' iommu='on'/>",
             "<driver name='qemu' iommu='on'/>", ()),
            ("<driver txmode='iothread'><host csum='off'/></driver>",
             "<driver txmode='iothread' name='qemu'><host csum='off'/></driver>",
             ()),
            ("<driver name='vhost'/>", "<driver name='qemu'/>", ()),
            ("<driver name='qemu' />", "<driver name='qemu' />", ()),
            ("<driver name=\"vhost\" queues = \"4\"/>",
             "<driver name='qemu' queues='1'/>", ["--single-queue"])):
        xml = domain(nic(more=f"\n      {before}"))
        out = run(xml, *option)[1]
        tap.contains(out, after, f"{before}: changed to what QEMU needs")
        back = run(out, "--remove")[1]
        tap.equal(back.replace('"', "'").replace(" = ", "="),
                  xml.replace('"', "'").replace(" = ", "="),
                  f"{before}: --remove changes it back")


def several(tap):
    """Several interfaces, in one run or in several."""
    xml = domain(nic(), nic("user", 57), nic("bridge", 58, "e1000"))
    out = changed(tap, "all", xml)
    tap.equal(addresses(out), [("pci.0", slot) for slot in
                               ("0x1f", "0x1e", "0x1d")],
              "all interfaces: each device has a slot of its own")
    tap.equal(out.count("-plugin"), 1,
              "all interfaces: the plug-in is named once")
    for names in (["1"], ["52:54:00:12:34:57"], ["1", "52:54:00:12:34:57"]):
        words = [word for name in names for word in ("--nic", name)]
        one = changed(tap, f"--nic {names}", xml, *words)
        tap.ok("netdev=hostua-nic1" in one and one.count("-device'") == 1,
               f"--nic {names}: that interface has a device", one)
    two = run(one, "--nic", "2")[1]
    tap.equal(addresses(two), [("pci.0", "0x1f"), ("pci.0", "0x1e")],
              "another --nic later: the device has another slot")
    tap.equal(run(two, "--remove", "--nic", "ua-nic2")[1], one,
              "--remove --nic: that interface's device is removed")


def aliases(tap):
    """Aliases that the user has set, and those of a running domain."""
    out = changed(tap, "own alias", domain(
        nic("user", more="\n      <alias name='ua-lan'/>")))
    tap.contains(out, "netdev=hostua-lan,id=capture-lan,",
                 "alias of the user: used for the device")
    out = run(domain(nic("user", more="\n      <alias name='net0'/>")))[1]
    tap.contains(out, "<alias name='ua-nic0'/>",
                 "alias of libvirt: replaced by one of the tool")
    tap.ok("net0" not in out, "alias of libvirt: net0 is gone")
    out = changed(tap, "taken alias", domain(
        nic("user"), "<disk><alias name='ua-nic0'/></disk>"))
    tap.contains(out, "<alias name='ua-nic1'/>",
                 "alias that is in use: the next one is used")


def texts(tap):
    """Different notations of XML."""
    xml = domain(nic()).replace("'", '"').replace("<name>", """<!-- it's <a>
    > comment --><description><![CDATA[<interface>]]> &gt; ä
  </description>  <name>""")
    changed(tap, "comments, quotes", xml)
    changed(tap, "one line", re.sub(r"\n *", "", domain(nic())))
    changed(tap, "no line end, a declaration",
            '<?xml version="1.0" encoding="UTF-8"?>\r\n' + domain(nic())[:-1])
    changed(tap, "metadata of others", domain(nic(), rest="""
  <metadata>
    <other:x xmlns:other='urn:other'/>
  </metadata>"""))
    out = changed(tap, "options of others", domain(nic(), **commandline(
        "-device", "edu", "-plugin", "/other.so")))
    tap.equal(out.count("<qemu:commandline>"), 1,
              "options of others: there is one qemu:commandline")
    other = domain(nic(), **commandline("-s")).replace(
        "qemu:", "q:").replace("xmlns:qemu", "xmlns:q")
    tap.contains(changed(tap, "another prefix", other), "<q:arg value='-plugin'",
                 "another namespace prefix: used for the options")


def slots(tap):
    """PCI addresses that are in use."""
    taken = "<address type='pci' domain='0x0000' bus='0x{}' slot='0x{}'/>"
    xml = domain(nic(), "<x>" + taken.format("00", "1f") + "</x><x>"
                 + taken.format("01", "1d") + "</x><x><source>"
                 + taken.format("00", "1d") + "</source></x>",
                 **commandline("-device", "edu,addr=1e.0"))
    tap.equal(addresses(run(xml)[1]), [("pci.0", "0x1d")],
              "pc: the slot is neither a device's nor an option's")
    xml = domain(nic(), nic("user", 57), machine="pc-q35-7.2", **commandline(
        "-device", '{"driver":"edu","bus":"pcie.0","addr":"0x19"}'))
    tap.equal(addresses(run(xml)[1]), [("pcie.0", "0x1c"), ("pcie.0", "0x18")],
              "q35: the slot is none of the chipset")
    full = "".join(f"<x>{taken.format('00', f'{slot:x}')}</x>"
                   for slot in range(3, 32))
    refused(tap, domain(nic(), full), "no slot of pci.0 is free")


def plugins(tap):
    """The path of the plug-in."""
    other = scratch() / "a,b" / "virtio-capture.so"
    other.parent.mkdir()
    other.touch()
    out = run(domain(nic()), plugin=other)[1]
    tap.contains(out, str(other).replace(",", ",,"),
                 "plug-in with a comma in its path: the comma is doubled")
    tap.equal(run(out, plugin=None)[1], out,
              "second run without --plugin: the plug-in stays")
    new = run(out)[1]
    tap.ok(new.count("-plugin") == 1 and f"'{PLUGIN}'" in new,
           "second run with --plugin: the plug-in is replaced", new)
    copy = scratch() / "root"
    done = subprocess.run(
        ["make", "-s", "-C", TOP / "qemu-device", "install",
         f"DESTDIR={copy}"], check=False)
    tap.equal(done.returncode, 0, "make install succeeds")
    local = copy / "usr/local"
    done = subprocess.run([local / "sbin/libvirt-capture", "--xml", "-"],
                          input=domain(nic()).encode(), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.contains(done.stdout.decode(), f"'{local}/lib/qemu/virtio-capture.so'",
                 "the installed tool finds the plug-in beside it")
    subprocess.run(["make", "-s", "-C", TOP / "qemu-device", "uninstall",
                    f"DESTDIR={copy}"], check=True)
    tap.equal([path for path in copy.rglob("*") if not path.is_dir()], [],
              "make uninstall removes everything")


# Errors.


def refused(tap, xml, reason, *options, **keywords):
    """Checks that there is an error and no output."""
    status, out, errors = run(xml, *options, **keywords)
    tap.ok(status == 1 and not out, f"refused: {reason}", status, out, errors)
    tap.contains(errors, reason, f"refused: the error says {reason}")


def wrong(tap):
    """Domains that the tool cannot change."""
    for kind, reason in (
            ("hostdev", "without a netdev in QEMU; choose others"),
            ("vdpa", "its frames bypass QEMU (vhost-vdpa)"),
            ("vhostuser", "its frames bypass QEMU (vhost-user)"),
            ("internal", "this type is not supported")):
        refused(tap, domain(nic("user"), nic(kind, 57)),
                "interface 1 (52:54:00:12:34:57, type "
                f"'{kind}'): ")
        refused(tap, domain(nic(kind)), reason)
    refused(tap, domain(nic(more="<driver queues='4'/>")), "it has 4 queues")
    refused(tap, domain(nic()), "--nic 1: there is no such interface, only "
            "interface 0 (52:54:00:12:34:56, type 'network')", "--nic", "1")
    refused(tap, domain(), "the domain has no interface")
    refused(tap, domain(nic(), machine="virt-7.2"),
            "the machine 'virt-7.2' is neither pc nor q35")
    refused(tap, domain(nic()).replace(" machine='pc'", ""), "no machine")
    refused(tap, domain(nic(), kind="xen"), "type 'xen' does not run in QEMU")
    refused(tap, "<network/>", "this is the XML of a <network>")
    refused(tap, domain(nic(), **commandline(
        "-device", "virtio-capture-pci,netdev=hostnet0")),
        "with netdev=hostnet0, which is not 'host' and the alias")
    refused(tap, domain(nic(), "<x><address type='pci' slot='x'/></x>"),
            "'x' in an address is not a number")


def no_xml(tap):
    """Input that is not the XML of a domain."""
    text = domain(nic())
    for data in (b"", b"guest", text[:-5].encode(), text.encode("utf-16"),
                 text.replace("guest", "\xe4").encode("latin-1"),
                 b"<!DOCTYPE domain [<!ENTITY a 'b'>]>" + text.encode()):
        status, out, errors = run(data)
        tap.ok(status == 1 and not out and re.fullmatch(
            r"libvirt-capture: (this is not XML in UTF-8: .*|the XML has a "
            r"document type declaration, but a domain has none)\n", errors),
               f"{data[:20]!r} as XML: refused with one line",
               status, out, errors)


def files(tap):
    """Missing files and domains."""
    refused(tap, domain(nic()), "there is no plug-in /no/virtio-capture.so",
            plugin="/no/virtio-capture.so")
    refused(tap, domain(nic()), "its name must be virtio-capture.so",
            plugin=__file__)
    # Runs the program in a process of its own.
    for words, reason in ((["--xml", "/no/file"], "--xml /no/file: No such"),
                          (["-c", "test:///default", "guest"],
                           "virsh dumpxml: error: failed to get domain"),
                          (["-c", "qemu:///session?socket=/no", "guest"],
                           "virsh dumpxml: error: failed to connect")):
        done = subprocess.run([TOOL, *words], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, check=False)
        tap.ok(done.returncode == 1 and reason in done.stderr
               and not done.stdout, f"refused: {reason}", done)
    done = subprocess.run([TOOL, "--xml", "-", "guest"], check=False, text=True,
                          stderr=subprocess.PIPE)
    tap.ok(done.returncode == 2 and "either DOMAIN or --xml" in done.stderr,
           "two domains as arguments: refused", done)


TAP = Tap()
TAP.run(plain, kinds, drivers, several, aliases, texts, slots, plugins, wrong,
        no_xml, files)
sys.exit(TAP.done())
