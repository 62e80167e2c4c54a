"""Packets, taken apart and put together: Ethernet, ARP, IPv4, ICMP, UDP, TCP.

The readers get what a guest has sent. They return None for what is no packet of their kind (too short, lengths that
contradict each other, a wrong checksum) and never raise. Addresses are bytes, 6 (Ethernet) or 4 (IPv4) of them.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from hv.net.checksum import checksum, pseudo_header

ETHERNET = 14
"""Bytes of an Ethernet header."""
MTU = 1500
TYPE_IPV4, TYPE_ARP = 0x0800, 0x0806
BROADCAST = b"\xff" * 6
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ARP_REQUEST, ARP_REPLY = 1, 2
ECHO_REPLY, UNREACHABLE, ECHO = 0, 3, 8
PORT_UNREACHABLE, PROHIBITED = 3, 13
"""Codes of UNREACHABLE (RFC 792, RFC 1812)."""
MORE_FRAGMENTS, OFFSET = 0x2000, 0x1FFF
"""Bits of Ipv4.fragment; offsets count 8 bytes."""
_ARP = struct.Struct(">HHBBH6s4s6s4s")
_IPV4 = struct.Struct(">BBHHHBBH4s4s")
_TCP = struct.Struct(">HHIIBBHHH")
_UDP = struct.Struct(">HHHH")


class Arp(NamedTuple):
    """An ARP packet for Ethernet and IPv4."""

    operation: int
    sender_mac: bytes
    sender: bytes
    target_mac: bytes
    target: bytes


class Ipv4(NamedTuple):
    """An IPv4 packet, or a fragment of one. `fragment`: flags and offset as in the header; `header` as it came."""

    protocol: int
    source: bytes
    target: bytes
    payload: bytes
    identification: int = 0
    fragment: int = 0
    header: bytes = b""


class Udp(NamedTuple):
    """A UDP datagram."""

    source_port: int
    target_port: int
    payload: bytes


class Tcp(NamedTuple):
    """A TCP segment. `mss`: the option's value, 0 without it."""

    source_port: int
    target_port: int
    sequence: int
    acknowledgment: int
    flags: int
    window: int
    payload: bytes = b""
    mss: int = 0


# ---- from a guest ----


def read_arp(data: bytes) -> Arp | None:
    """What follows an Ethernet header of TYPE_ARP."""
    if len(data) < _ARP.size:
        return None
    hardware, protocol, mac_length, length, *fields = _ARP.unpack_from(data)
    return Arp(*fields) if (hardware, protocol, mac_length, length) == (1, TYPE_IPV4, 6, 4) else None


def read_ipv4(data: bytes) -> Ipv4 | None:
    """What follows an Ethernet header of TYPE_IPV4; padding behind the packet is cut off."""
    if len(data) < _IPV4.size:
        return None
    version, _, length, identification, fragment, _, protocol, _, source, target = _IPV4.unpack_from(data)
    header = (version & 15) * 4
    if version >> 4 != 4 or not _IPV4.size <= header <= length <= len(data) or checksum(data[:header]):
        return None
    return Ipv4(protocol, source, target, data[header:length], identification, fragment, data[:header])


def read_udp(packet: Ipv4) -> Udp | None:
    """The datagram in a whole packet."""
    data = packet.payload
    if len(data) < _UDP.size:
        return None
    source, target, length, given = _UDP.unpack_from(data)
    if not _UDP.size <= length <= len(data) or (given and _sum(packet, UDP, data[:length])):
        return None
    return Udp(source, target, data[_UDP.size : length])


def read_tcp(packet: Ipv4) -> Tcp | None:
    """The segment in a whole packet."""
    data = packet.payload
    if len(data) < _TCP.size:
        return None
    source, target, sequence, acknowledgment, offset, flags, window, _, _ = _TCP.unpack_from(data)
    header = (offset >> 4) * 4
    if not _TCP.size <= header <= len(data) or _sum(packet, TCP, data):
        return None
    mss = _mss(data[_TCP.size : header]) if flags & SYN else 0
    return Tcp(source, target, sequence, acknowledgment, flags, window, data[header:], mss)


def _mss(options: bytes) -> int:
    at = 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2:
            break
        if options[at] == 2 and length == 4 and at + 4 <= len(options):
            return int.from_bytes(options[at + 2 : at + 4], "big")
        at += length
    return 0


def _sum(packet: Ipv4, protocol: int, data: bytes) -> int:
    return checksum(pseudo_header(packet.source, packet.target, protocol, len(data)) + data)


# ---- for a guest ----


def ethernet(target: bytes, source: bytes, kind: int, payload: bytes) -> bytes:
    """A frame, filled up to the least length that there is on a wire (60 bytes without its check sequence)."""
    return (target + source + kind.to_bytes(2, "big") + payload).ljust(60, b"\0")


def write_arp(arp: Arp) -> bytes:
    """The bytes behind an Ethernet header."""
    return _ARP.pack(1, TYPE_IPV4, 6, 4, *arp)


def write_ipv4(packet: Ipv4) -> bytes:
    """Header and payload."""
    def header(given: int) -> bytes:
        length = _IPV4.size + len(packet.payload)
        return _IPV4.pack(
            0x45, 0, length, packet.identification, packet.fragment, 64, packet.protocol, given, packet.source,
            packet.target,
        )  # fmt: skip
    return header(checksum(header(0))) + packet.payload


def write_udp(source: bytes, target: bytes, datagram: Udp) -> bytes:
    """A datagram between two IPv4 addresses: the payload of a packet."""
    length = _UDP.size + len(datagram.payload)

    def whole(given: int) -> bytes:
        return _UDP.pack(datagram.source_port, datagram.target_port, length, given) + datagram.payload
    given = checksum(pseudo_header(source, target, UDP, length) + whole(0))
    return whole(given or 0xFFFF)


def write_tcp(source: bytes, target: bytes, segment: Tcp) -> bytes:
    """A segment between two IPv4 addresses: the payload of a packet."""
    options = struct.pack(">BBH", 2, 4, segment.mss) if segment.mss else b""
    offset = (_TCP.size + len(options)) // 4 << 4

    def whole(given: int) -> bytes:
        header = _TCP.pack(
            segment.source_port, segment.target_port, segment.sequence, segment.acknowledgment, offset, segment.flags,
            segment.window, given, 0,
        )  # fmt: skip
        return header + options + segment.payload
    plain = whole(0)
    return whole(checksum(pseudo_header(source, target, TCP, len(plain)) + plain))


def write_icmp(kind: int, code: int, rest: bytes) -> bytes:
    """An ICMP message; `rest` is all that follows its checksum."""
    start = bytes((kind, code))
    return start + checksum(start + b"\0\0" + rest).to_bytes(2, "big") + rest
