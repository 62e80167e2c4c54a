"""Packets of the remote serial protocol: framing, escapes, checksums, acknowledgements.

What comes in may be anything. Whatever it is, the framer keeps at most one packet of MAX_PACKET bytes and MAX_WAITING
packets behind it, and says of each thing that it cannot use what is wrong with it.

Source: gdb's manual, "Overview" and "Packet Acknowledgment" of the remote protocol.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from typing import NamedTuple

MAX_PACKET = 0x4000
"""Bytes of a packet, as the PacketSize of qSupported says it."""
MAX_WAITING = 64
"""Packets that are kept while the guest runs."""
INTERRUPT = 0x03
_ESCAPE, _FLIP = 0x7D, 0x20
_ESCAPED = re.compile(rb"}(.?)", re.DOTALL)
_SPECIAL = frozenset(b"$#}*")
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Kind(enum.Enum):
    """What has come in."""

    PACKET = 0
    INTERRUPT = 1
    NAK = 2
    """The last answer is to be sent again."""
    BROKEN = 3
    """A packet that is too long or, where its sender would not be told by a -, one with a wrong checksum: the data says
    which."""


class Event(NamedTuple):
    """One thing that has come in: of a packet its body, without escapes."""

    kind: Kind
    data: bytes = b""


class Framer:
    """Bytes in, events out. `acks`: until QStartNoAckMode, each packet is answered with + or - (see `due`)."""

    def __init__(self) -> None:
        self.acks = True
        self.events: deque[Event] = deque()
        self.due = b""
        """Acknowledgements that are to be sent."""
        self._have = b""
        self._too_long = False

    def feed(self, data: bytes) -> None:
        """Take in what the socket gave."""
        have = self._have + data if self._have else data
        at = 0
        while at < len(have):
            if have[at] != 0x24:
                at = self._between(have, at)
                continue
            end = have.find(b"#", at)
            again = have.rfind(b"$", at + 1, end if end >= 0 else len(have))
            if again >= 0:  # another begins inside: the first was cut off
                at, self._too_long = again, False
                continue
            if end < 0 or end + 3 > len(have):
                break
            self._packet(have[at + 1 : end], have[end + 1 : end + 3])
            at = end + 3
        self._have = have[at:]
        if len(self._have) > MAX_PACKET + 4:
            self._have, self._too_long = b"$", True

    def _between(self, have: bytes, at: int) -> int:
        """What stands between packets, at `at`; where to go on."""
        if have[at] == INTERRUPT:
            self._put(Event(Kind.INTERRUPT))
        elif have[at] == 0x2D and self.acks:
            self._put(Event(Kind.NAK))
        return at + 1

    def _packet(self, body: bytes, digits: bytes) -> None:
        broken = "packet too long" if self._too_long or len(body) > MAX_PACKET else ""
        self._too_long = False
        if not broken and not (_HEX.issuperset(digits) and sum(body) & 0xFF == int(digits, 16)):
            broken = "wrong checksum"
        if self.acks:
            repeat = broken == "wrong checksum"
            self.due += b"-" if repeat else b"+"
            if repeat:
                return
        if broken:
            self._put(Event(Kind.BROKEN, broken.encode()))
        else:
            self._put(Event(Kind.PACKET, unescaped(body) if _ESCAPE in body else body))

    def _put(self, event: Event) -> None:
        if len(self.events) < MAX_WAITING:
            self.events.append(event)
        elif event.kind is Kind.INTERRUPT:  # never lost
            self.events[-1] = event


def framed(body: bytes) -> bytes:
    """`body`, which is escaped already if it must be, as a packet."""
    return b"$%s#%02x" % (body, sum(body) & 0xFF)


def escaped(data: bytes) -> bytes:
    """Binary data for the body of a packet."""
    if _SPECIAL.isdisjoint(data):
        return data
    out = bytearray()
    for byte in data:
        if byte in _SPECIAL:
            out += bytes((_ESCAPE, byte ^ _FLIP))
        else:
            out.append(byte)
    return bytes(out)


def unescaped(body: bytes) -> bytes:
    """The data of a body; an escape at its very end escapes nothing and is left out."""
    return _ESCAPED.sub(lambda found: bytes((found[1][0] ^ _FLIP,)) if found[1] else b"", body)
