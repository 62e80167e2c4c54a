"""IPv4 fragments: put together those that a guest sends, cut what is too long for it (RFC 791, RFC 815)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from hv.net.headers import MORE_FRAGMENTS, MTU, OFFSET, Ipv4
from hv.net.part import Net, Part

UNFINISHED = 16
"""Packets at most of which fragments are kept; the oldest is given up for another. It is the only thing that removes
unfinished ones: no timer runs for them."""
PIECES = 128
"""Fragments of one packet at most."""
LONGEST = 65535 - 20


class Unfinished(NamedTuple):
    """A packet that is not whole yet: its pieces as (offset, bytes), by offset; `length` -1: its last is missing."""

    key: tuple[bytes, bytes, int, int]
    first: Ipv4
    pieces: tuple[tuple[int, bytes], ...] = ()
    length: int = -1


class Fragments(Part):
    """The packets of which a guest has sent parts."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.unfinished: tuple[Unfinished, ...] = ()

    def save(self) -> tuple[Any, ...]:
        """The fragments that wait."""
        return self.unfinished

    def load(self, saved: tuple[Any, ...]) -> None:
        """Those of another time."""
        self.unfinished = saved

    def take(self, packet: Ipv4) -> Ipv4 | None:
        """A packet or fragment has come: the whole packet, once there is one. Fragments that overlap others or do not
        fit are an attack or an accident, and their packet is given up."""
        if not packet.fragment & (MORE_FRAGMENTS | OFFSET):
            return packet
        key = (packet.source, packet.target, packet.protocol, packet.identification)
        entry = next((u for u in self.unfinished if u.key == key), Unfinished(key, packet))
        self.unfinished = tuple(u for u in self.unfinished if u.key != key)
        added = _add(entry, packet)
        if added is None:
            return None
        if sum(len(data) for _, data in added.pieces) == added.length:
            return added.first._replace(fragment=0, payload=b"".join(data for _, data in added.pieces))
        self.unfinished = (*self.unfinished, added)[-UNFINISHED:]
        return None


def _add(entry: Unfinished, packet: Ipv4) -> Unfinished | None:
    start = (packet.fragment & OFFSET) * 8
    end = start + len(packet.payload)
    more = bool(packet.fragment & MORE_FRAGMENTS)
    bad = end > LONGEST or not packet.payload or (more and len(packet.payload) % 8) or len(entry.pieces) >= PIECES
    overlaps = any(start < at + len(data) and at < end for at, data in entry.pieces)
    length = entry.length if more else end
    if bad or overlaps or (entry.length >= 0 and not more) or (length >= 0 and end > length):
        return None
    pieces = tuple(sorted((*entry.pieces, (start, packet.payload))))
    if length >= 0 and pieces[-1][0] + len(pieces[-1][1]) > length:
        return None
    first = packet if start == 0 else entry.first
    return Unfinished(entry.key, first, pieces, length)


def cut(packet: Ipv4) -> Iterator[Ipv4]:
    """The packet in pieces that a guest can receive: itself, if it is short enough."""
    most = (MTU - 20) // 8 * 8
    if len(packet.payload) <= MTU - 20:
        yield packet
        return
    for start in range(0, len(packet.payload), most):
        piece = packet.payload[start : start + most]
        more = MORE_FRAGMENTS if start + most < len(packet.payload) else 0
        yield packet._replace(payload=piece, fragment=more | start // 8)
