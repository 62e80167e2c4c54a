"""Router discovery of IPv6 (RFC 4861), for a network without IPv6: who asks for routers is told that there is none.

A host that hears nothing asks again and again, and a boot loader that waits for all of its network to be configured
(iPXE) waits for that: 16 seconds. An advertisement with a lifetime of zero and without a prefix ends it.
"""

from __future__ import annotations

import struct

from hv.net.checksum import checksum, pseudo_header

TYPE_IPV6 = 0x86DD
"""Of an Ethernet frame."""
ROUTER = bytes.fromhex("fe80 0000000000000000000000000002")
"""The gateway's link-local address, as QEMU's user network has it."""
_ALL_NODES = bytes.fromhex("ff02 0000000000000000000000000001")
_UNSPECIFIED = bytes(16)
_ICMPV6 = 58
_HOPS = 255
"""Of every packet of neighbour discovery, which shows that no router has passed it on."""
_SOLICITATION, _ADVERTISEMENT = 133, 134
_SOURCE_ADDRESS = 1
"""The option with the sender's Ethernet address."""
_VERSION = 6 << 28
_HEADER = struct.Struct(">IHBB16s16s")
_LEAST = 8
"""Bytes of a solicitation without options, and the unit of the options' lengths."""


def read_solicitation(packet: bytes) -> bytes | None:
    """Where an answer to a router solicitation is to go; packet: what follows an Ethernet header of TYPE_IPV6. None: it
    is no solicitation, or not a valid one (section 6.1.1)."""
    if len(packet) < _HEADER.size + _LEAST:
        return None
    version, length, kind, hops, source, target = _HEADER.unpack_from(packet)
    message = packet[_HEADER.size : _HEADER.size + length]
    if version >> 28 != 6 or kind != _ICMPV6 or hops != _HOPS or not _LEAST <= length == len(message):
        return None
    if message[:2] != bytes((_SOLICITATION, 0)):
        return None
    if checksum(pseudo_header(source, target, _ICMPV6, length) + message):
        return None
    options = _options(message[_LEAST:])
    if options is None or (source == _UNSPECIFIED and _SOURCE_ADDRESS in options):
        return None
    return _ALL_NODES if source == _UNSPECIFIED else source


def _options(data: bytes) -> set[int] | None:
    """The kinds of a message's options; None: one has no length, or ends behind the message."""
    kinds = set()
    while data:
        length = data[1] * 8 if len(data) >= 2 else 0
        if not 0 < length <= len(data):
            return None
        kinds.add(data[0])
        data = data[length:]
    return kinds


def write_advertisement(target: bytes, mac: bytes) -> bytes:
    """The packet by which ROUTER says that it is nobody's default router and knows no prefix. target: as from
    read_solicitation; mac: ROUTER's Ethernet address."""
    def message(given: int) -> bytes:
        # Hop limit, flags, lifetime and both timers are zero: nothing is laid down for the host.
        return struct.pack(">BBH12xBB6s", _ADVERTISEMENT, 0, given, _SOURCE_ADDRESS, 1, mac)
    plain = message(0)
    head = _HEADER.pack(_VERSION, len(plain), _ICMPV6, _HOPS, ROUTER, target)
    return head + message(checksum(pseudo_header(ROUTER, target, _ICMPV6, len(plain)) + plain))
