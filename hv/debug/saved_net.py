"""The other end of a card's cable, as plain data: frames under way, and what a NAT remembers of connections.

Of the host's sockets nothing is saved, and nothing could be: a machine that is loaded has flows whose other end nobody
serves. To the guest they are connections on which nothing comes any more.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hv.debug.fields import FieldError, flag
from hv.debug.shapes import U8, U16, U32, Known, Shape, exactly, integer, many, octets, one_of, row, state_shape
from hv.inputs import FAR_FUTURE
from hv.net import dhcp, fragments, tcp, tftp, udp
from hv.net.connection import MSS, Connection, Phase
from hv.net.fragments import Unfinished
from hv.net.headers import Ipv4
from hv.net.messages import CHUNK, HOST_FLOWS, WINDOW
from hv.net.nat import NEIGHBOURS, Nat, NatState
from hv.net.port import LONGEST, PATIENCE, QUEUE, SHORTEST, PortState
from hv.net.switch import ADDRESSES, SwitchPortState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hv.net.port import Port

MAC, ADDRESS = exactly(6), exactly(4)
PORT, FLOW = integer(U16), integer(2 * HOST_FLOWS - 1)
LIMITS: Known = {
    PortState: {
        "frames": many(row(integer(FAR_FUTURE), octets(LONGEST, SHORTEST)), QUEUE), "passed": FAR_FUTURE,
        "told": PATIENCE, "tell_at": FAR_FUTURE,
    },
    SwitchPortState: {"known": many(MAC, ADDRESSES)},
    NatState: {
        "requested": FAR_FUTURE, "begun": HOST_FLOWS, "identification": U16, "leases": many(MAC, dhcp.LEASES),
        "neighbours": many(row(ADDRESS, MAC), NEIGHBOURS),
    },
}  # fmt: skip
PACKET = row(
    integer(U8), ADDRESS, ADDRESS, octets(fragments.LONGEST), integer(U16), integer(U16), octets(60), make=Ipv4._make
)
UNFINISHED = row(
    row(ADDRESS, ADDRESS, integer(U8), integer(U16)), PACKET,
    many(row(integer(fragments.LONGEST), octets(fragments.LONGEST, 1)), fragments.PIECES, 1),
    integer(fragments.LONGEST, -1), make=Unfinished._make,
)  # fmt: skip
CONNECTION = {
    "flow": FLOW, "guest": ADDRESS, "guest_port": PORT, "peer": ADDRESS, "peer_port": PORT,
    "phase": integer(max(Phase), make=Phase), "window": integer(U16), "mss": integer(MSS, tcp.LEAST_MSS),
    "out": octets(WINDOW), "pending": integer(U32), "host_done": flag, "fin_sent": flag, "guest_done": flag,
    "deadline": integer(FAR_FUTURE), "tries": integer(tcp.TRIES),
}  # fmt: skip
TRANSFER = {
    "flow": FLOW, "guest": ADDRESS, "guest_port": PORT, "server": ADDRESS, "port": PORT,
    "size": integer(FAR_FUTURE, -1), "options": many(one_of("blksize", "tsize"), 2),
    "block_size": integer(tftp.LONGEST_BLOCK, 8), "block": integer(FAR_FUTURE), "start": integer(FAR_FUTURE),
    "data": octets(CHUNK), "waiting": flag,
}  # fmt: skip
_SEQUENCE = integer(U32)


def _fields(cls: type[Any], shapes: dict[str, Shape]) -> Shape:
    """All fields of a dataclass, in order; those that are not named are sequence numbers."""
    return row(*(shapes.get(field.name, _SEQUENCE) for field in dataclasses.fields(cls)))


def _once(shape: Shape, key: Callable[[Any], Any]) -> Shape:
    """Values of which no two have the same key."""

    def read(data: Any, what: str) -> Any:
        values: Iterable[Any] = shape(data, what)
        keys = [key(value) for value in values]
        if len(set(keys)) != len(keys):
            raise FieldError(f"{what} has one of them twice")
        return values

    return read


NAT = row(
    state_shape(NatState, LIMITS),
    many(UNFINISHED, fragments.UNFINISHED),
    _once(_once(many(_fields(Connection, CONNECTION), tcp.CONNECTIONS), lambda c: c[0]), lambda c: c[1:5]),
    _once(many(row(FLOW, ADDRESS, PORT, ADDRESS, PORT, make=udp.UdpFlow._make), udp.FLOWS), lambda f: f[1:5]),
    _once(many(_fields(tftp.Transfer, TRANSFER), tftp.TRANSFERS), lambda t: t[0]),
)
"""The shape of what a NAT saves."""
SWITCH_PORT = state_shape(SwitchPortState, LIMITS)


def port_shape(port: Port) -> Shape:
    """The shape of what port.save() gives."""
    return NAT if isinstance(port, Nat) else SWITCH_PORT
