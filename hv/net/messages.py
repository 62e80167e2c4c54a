"""What the machine's part of a NAT and the host's part say to each other.

Requests go out: what the guest's packets ask of the host. Nothing comes back from them at once, and nobody needs to
listen: while a run is repeated, nobody does. Events come in, as bytes through the input gate, at whatever time the host
gives them: they are all that a guest ever notices of the host's network.

A flow is one TCP connection, one pair of UDP ends or one file that is being read. Its number is the machine's choice,
from 1 up, or, where a connection comes from outside, the host's, from HOST_FLOWS up.
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

HOST_FLOWS = 1 << 31
WINDOW = 65535
"""Bytes of a TCP connection that may be on their way in either direction without the other side having taken them."""
CHUNK = 1 << 16
"""Bytes of one Event.DATA at most."""


class Open(NamedTuple):
    """Connect to an IPv4 address. `protocol`: headers.TCP, which CONNECTED or REFUSED answers, or headers.UDP."""

    flow: int
    protocol: int
    address: bytes
    port: int


class Send(NamedTuple):
    """TCP: the next bytes, to be confirmed by SENT. UDP: one datagram."""

    flow: int
    data: bytes


class Credit(NamedTuple):
    """The guest has taken so many bytes more of a connection."""

    flow: int
    amount: int


class Shutdown(NamedTuple):
    """The guest will send no more."""

    flow: int


class Close(NamedTuple):
    """The flow is over. `abort`: its connection is to be reset."""

    flow: int
    abort: bool = False


class OpenFile(NamedTuple):
    """A file below the TFTP folder is asked for; FILE or REFUSED answers."""

    flow: int
    name: str


class ReadFile(NamedTuple):
    """Bytes of an open file are asked for: at most CHUNK. DATA answers."""

    flow: int
    offset: int
    length: int


Request = Open | Send | Credit | Shutdown | Close | OpenFile | ReadFile


class Event(enum.IntEnum):
    """The first byte of what enters; then the flow (4 bytes, big-endian) and the rest."""

    CONNECTED = 1
    REFUSED = 2    # one byte: a Refusal
    DATA = 3       # bytes of a connection or file, or one datagram
    SENT = 4       # so many bytes of Send have been taken: 4 bytes, big-endian
    EOF = 5        # the other side will send no more
    RESET = 6      # the flow is gone
    FORWARDED = 7  # a new flow from outside: FORWARD
    FILE = 8       # the file is open: its size, 8 bytes, big-endian


class Refusal(enum.IntEnum):
    """Why a flow cannot be."""

    REFUSED = 0
    UNREACHABLE = 1
    PROHIBITED = 2


FORWARD = struct.Struct(">B4sHH")
"""Protocol, guest's address (zeros: the first lease's) and port, and the peer's port as the guest is to see it."""
_EVENT = struct.Struct(">BI")


def pack_event(kind: Event, flow: int, rest: bytes = b"") -> bytes:
    """An event as it enters."""
    return _EVENT.pack(kind, flow) + rest


def read_event(data: bytes) -> tuple[Event, int, bytes] | None:
    """Kind, flow and rest; None: it is no event."""
    if len(data) < _EVENT.size:
        return None
    kind, flow = _EVENT.unpack_from(data)
    return (Event(kind), flow, data[_EVENT.size :]) if kind in Event._value2member_map_ else None
