"""What the parts of a NAT have in common: what they may use of it, and that they can be saved."""

from __future__ import annotations

from typing import Any, Protocol

from hv.devices.device import NEVER
from hv.net.headers import Ipv4, Udp
from hv.net.messages import Event, Request


class Net(Protocol):
    """The NAT, for its parts."""

    @property
    def now_ns(self) -> int:
        """System time."""

    def packet(self, packet: Ipv4) -> None:
        """Send the guest a packet, in fragments where it is too long."""

    def unreachable(self, packet: Ipv4, code: int) -> None:
        """Tell the guest by ICMP that a packet of its own went nowhere."""

    def datagram(self, source: bytes, target: bytes, datagram: Udp) -> None:
        """Send the guest a UDP datagram."""

    def request(self, request: Request) -> None:
        """Ask the host."""

    def new_flow(self) -> int:
        """A number for a flow that the guest begins."""

    @property
    def first_guest(self) -> bytes:
        """The address that forwarded connections go to unless they name one."""


class Part:
    """One part of a NAT. Its flows are those of whose events it wants to be told."""

    def __init__(self, net: Net) -> None:
        self.net = net

    def flows(self) -> list[int]:
        """The flows that it has, oldest first."""
        return []

    def event(self, kind: Event, flow: int, rest: bytes) -> None:
        """Something has come in for one of the flows."""

    def next_deadline(self) -> int:
        """When due() is to be called."""
        return NEVER

    def due(self) -> None:
        """next_deadline() has come."""

    def save(self) -> tuple[Any, ...]:
        """All that it remembers, as immutable values."""
        raise NotImplementedError

    def load(self, saved: tuple[Any, ...]) -> None:
        """Become what save() gave; the empty tuple: as at the start."""
        raise NotImplementedError
