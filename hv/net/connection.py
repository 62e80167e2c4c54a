"""One TCP connection between a guest and a NAT: what is remembered of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

from hv.devices.device import NEVER
from hv.net.headers import MTU

MSS = MTU - 40
MASK = 0xFFFFFFFF
"""Sequence numbers are counted modulo 2^32."""


class Phase(enum.IntEnum):
    """How far a connection is."""

    OPENING = 0   # the guest's SYN is here; the host connects
    ANSWERED = 1  # SYN and ACK have gone to the guest
    CALLING = 2   # a SYN has gone to the guest: a connection from outside
    OPEN = 3


@dataclass(slots=True)
class Connection:
    """One connection. Sequence numbers in our direction: `acknowledged` by the guest, `following` to be sent next,
    `highest` ever sent; in the guest's: `expected` next, `edge` is where the window that it was told ends."""

    flow: int
    guest: bytes
    guest_port: int
    peer: bytes
    peer_port: int
    phase: int
    acknowledged: int
    following: int
    highest: int
    expected: int = 0
    edge: int = 0
    window: int = 0
    """What the guest can take, from `acknowledged` on."""
    mss: int = MSS
    out: bytes = b""
    """What the host has brought, from `acknowledged` on."""
    pending: int = 0
    """Bytes given to the host that it has not taken."""
    host_done: bool = False
    fin_sent: bool = False
    guest_done: bool = False
    deadline: int = NEVER
    tries: int = 0

    @property
    def key(self) -> tuple[bytes, int, bytes, int]:
        """Which packets belong to it."""
        return self.guest, self.guest_port, self.peer, self.peer_port

    @property
    def in_flight(self) -> int:
        """How much has been sent since `acknowledged`, a FIN included."""
        return self.following - self.acknowledged & MASK


FIELDS = tuple(field.name for field in fields(Connection))
