"""The DHCP server of a NAT (RFC 2131, RFC 2132): one answer for one request, leases by Ethernet address.

Addresses are given in the order of asking, the first guest getting FIRST. A BOOTP request without options is no DHCP
and gets no answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

SERVER_PORT, CLIENT_PORT = 67, 68
LEASES = 16
LEASE_SECONDS = 86400
_HEADER = struct.Struct(">BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
_PAD, _END = 0, 255
_MASK, _ROUTER, _DNS = 1, 3, 6
_WANTED, _LEASE, _KIND, _SERVER, _BOOTFILE = 50, 51, 53, 54, 67
_IPXE, _NO_PROXY = 175, 176
"""iPXE's options lie in one of their own; "no-pxedhcp" among them says that no second server knows more about booting,
and so spares it the seconds in which it would listen for one."""
_BROADCAST = 0x8000


class Network(NamedTuple):
    """What the server tells: addresses of 4 bytes each; guests get `first` and those that follow."""

    mask: bytes
    router: bytes
    dns: bytes
    first: bytes
    bootfile: str = ""
    """What a guest that boots from the network is to load from the router by TFTP, or a URI."""


class Answer(NamedTuple):
    """A datagram for the client, the address that it goes to, and the leases that hold from now on."""

    message: bytes
    target: bytes
    leases: tuple[bytes, ...]


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        length = data[at + 1] if at + 1 < len(data) else 256
        if at + 2 + length > len(data):
            return
        yield data[at], data[at + 2 : at + 2 + length]
        at += 2 + length


def address_of(network: Network, number: int) -> bytes:
    """The address of the lease with that number, from 0 up."""
    return (int.from_bytes(network.first, "big") + number).to_bytes(4, "big")


def answer(network: Network, leases: tuple[bytes, ...], message: bytes) -> Answer | None:
    """Answer a client's message; None: there is nothing to say. leases: Ethernet addresses, by number of the lease."""
    if len(message) < _HEADER.size:
        return None
    op, hardware, length, _, xid, _, flags, ciaddr, _, _, _, chaddr, _, _, cookie = _HEADER.unpack_from(message)
    if (op, hardware, length, cookie) != (1, 1, 6, _COOKIE):
        return None
    options = dict(_options(message[_HEADER.size :]))
    client = chaddr[:6]
    if client not in leases:
        if len(leases) >= LEASES:
            return None
        leases = (*leases, client)
    yours = address_of(network, leases.index(client))
    kind, reply = options.get(_KIND, b""), 0
    wanted = options.get(_WANTED, b"") or (ciaddr if any(ciaddr) else yours)
    if options.get(_SERVER, network.router) != network.router:
        return None
    if kind == bytes((DISCOVER,)):
        reply = OFFER
    elif kind == bytes((REQUEST,)):
        reply = ACK if wanted == yours else NAK
    elif kind == bytes((INFORM,)):
        reply, yours = ACK, bytes(4)
    if not reply:
        return None
    if reply == NAK:
        yours = bytes(4)
    target = ciaddr if any(ciaddr) and reply != NAK else b"\xff" * 4
    if any(yours) and not flags & _BROADCAST:
        target = yours
    file = network.bootfile.encode()
    head = _HEADER.pack(
        2, 1, 6, 0, xid, 0, flags, ciaddr, yours, network.router, bytes(4), chaddr, b"",
        file if len(file) < 128 else b"", _COOKIE,
    )  # fmt: skip
    given = [(_KIND, bytes((reply,))), (_SERVER, network.router)]
    if reply != NAK:
        given += [(_MASK, network.mask), (_ROUTER, network.router), (_DNS, network.dns)]
        if any(yours):
            given.append((_LEASE, LEASE_SECONDS.to_bytes(4, "big")))
        if file:
            given.append((_BOOTFILE, file[:255]))
        if _IPXE in options:
            given.append((_IPXE, bytes((_NO_PROXY, 1, 1))))
    body = b"".join(bytes((code, len(value))) + value for code, value in given)
    return Answer((head + body + bytes((_END,))).ljust(300, b"\0"), target, leases)
