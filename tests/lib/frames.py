# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames of the kinds that filter expressions distinguish."""
import random

from scapy.all import (ARP, Dot1Q, Dot3, Ether, ICMP, ICMPv6EchoRequest,
                       ICMPv6ND_NS, IP, IPOption_Router_Alert, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
                       IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, LLC, PPP, PPPoE,
                       PPPoED, Raw, SNAP, STP, TCP, UDP)
from scapy.contrib.mpls import MPLS
from scapy.layers.sctp import SCTP

GUEST_MAC = "52:54:00:12:34:56"
HOST_MAC = "52:54:00:aa:aa:aa"
OTHER_MAC = "52:54:00:bb:bb:bb"

MACS = (GUEST_MAC, HOST_MAC, OTHER_MAC, "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01", "33:33:00:00:00:01")
HOSTS = ("192.0.2.1", "192.0.2.2", "192.0.2.200", "198.51.100.7", "10.1.2.3",
         "172.16.9.9", "224.0.0.1", "255.255.255.255")
HOSTS6 = ("2001:db8::1", "2001:db8::2", "2001:db8:1::9", "fe80::1", "ff02::1")
PORTS = (1, 7, 22, 53, 67, 80, 443, 1024, 5060, 6000, 6005, 6081, 40000)


def _transport(rng):
    """A header above IP."""
    ports = {"sport": rng.choice(PORTS), "dport": rng.choice(PORTS)}
    return rng.choice((
        lambda: TCP(flags=rng.choice(("S", "SA", "A", "FA", "R", "PA")),
                    window=rng.randrange(65536), **ports),
        lambda: TCP(options=[("MSS", 1460), ("NOP", None)], **ports),
        lambda: UDP(**ports),
        lambda: SCTP(**ports),
        lambda: Raw(rng.randbytes(20))))()


def _ip(rng):
    """An IPv4 packet; some with options, some fragments."""
    head = IP(src=rng.choice(HOSTS), dst=rng.choice(HOSTS),
              ttl=rng.choice((1, 63, 64, 255)), tos=rng.randrange(256))
    kind = rng.randrange(10)
    if kind == 0:
        head.options = [IPOption_Router_Alert()]
    elif kind == 1:
        head.frag = rng.randrange(1, 100)
    elif kind == 2:
        head.flags = "MF"
    elif kind == 3:
        head.proto = rng.choice((2, 9, 50, 51, 103, 112))
        return head / Raw(rng.randbytes(24))
    elif kind == 4:
        return head / ICMP(type=rng.choice((0, 3, 8)), code=rng.randrange(3))
    return head / _transport(rng)


def _ip6(rng):
    """An IPv6 packet; some with extension headers."""
    head = IPv6(src=rng.choice(HOSTS6), dst=rng.choice(HOSTS6),
                hlim=rng.choice((1, 64, 255)))
    extensions = [IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(),
                  IPv6ExtHdrDestOpt(), IPv6ExtHdrFragment(id=7)]
    for extension in rng.sample(extensions, rng.choice((0, 0, 1, 2, 3))):
        head /= extension
    if rng.randrange(5) == 0:
        return head / rng.choice((ICMPv6EchoRequest(),
                                  ICMPv6ND_NS(tgt="2001:db8::2")))
    return head / _transport(rng)


def _inner(rng):
    """IPv4 or IPv6."""
    return rng.choice((_ip, _ip6))(rng)


def _geneve(rng):
    """A Geneve tunnel with a network number that is often 7."""
    vni = rng.choice((7, 7, rng.randrange(1 << 24)))
    head = bytes((0, 0)) + b"\x65\x58" + vni.to_bytes(3, "big") + b"\0"
    return (IP(src="192.0.2.1", dst="192.0.2.2") / UDP(dport=6081)
            / Raw(head + bytes(Ether(src=OTHER_MAC, dst=HOST_MAC) / _ip(rng))))


def _payload(rng):
    """What follows the Ethernet header."""
    vlan = rng.choice((5, 7, 100, 4095))
    label = rng.choice((100, 1024, 77))
    return rng.choice((
        _ip, _ip, _ip, _ip6, _ip6, _ip6, _geneve,
        lambda rng: ARP(op=rng.choice((1, 2, 3)), psrc=rng.choice(HOSTS),
                        pdst=rng.choice(HOSTS)),
        lambda rng: Dot1Q(vlan=vlan) / _inner(rng),
        lambda rng: Dot1Q(vlan=vlan) / ARP(pdst="192.0.2.1"),
        lambda rng: Dot1Q(vlan=100) / Dot1Q(vlan=rng.choice((7, 200)))
        / _inner(rng),
        lambda rng: MPLS(label=label, s=1) / _ip(rng),
        lambda rng: MPLS(label=100, s=0) / MPLS(label=label, s=1) / _ip(rng),
        lambda rng: PPPoE(sessionid=rng.choice((7, 39))) / PPP() / _ip(rng),
        lambda rng: PPPoE(sessionid=7) / PPP(proto=0x57) / _ip6(rng),
        lambda rng: PPPoED()))(rng)


def _llc(rng):
    """An 802.3 frame."""
    head = Dot3(src=HOST_MAC, dst=rng.choice(MACS))
    sap = rng.choice((0x42, 0xaa, 0xe0, 0xf0, 0xfe))
    above = rng.choice((STP(), SNAP(code=0x809b) / Raw(bytes(20)),
                        Raw(rng.randbytes(30))))
    return head / LLC(dsap=sap, ssap=sap, ctrl=rng.choice((3, 0, 1, 5))) / above


def varied(count, seed):
    """Returns that number of different frames of 14 to 1514 bytes. Equal seeds give
    equal frames."""
    rng = random.Random(seed)
    frames = {}
    while len(frames) < count:
        kind = rng.randrange(12)
        if kind == 0:
            frame = bytes(_llc(rng))
        elif kind == 1:
            frame = bytes(Ether(src=HOST_MAC, dst=rng.choice(MACS),
                                type=rng.choice((0x88b5, 0x88cc, 0x8035)))
                          / Raw(rng.randbytes(rng.randrange(60))))
        else:
            frame = bytes(Ether(src=rng.choice(MACS[:3]), dst=rng.choice(MACS))
                          / _payload(rng))
        if kind > 4:
            frame += rng.randbytes(rng.choice((0, 6, 60, 400, 1000)))
        if kind == 2:
            frame = frame[:rng.randrange(14, len(frame) + 1)]
        frames[frame[:1514]] = None
    return list(frames)
