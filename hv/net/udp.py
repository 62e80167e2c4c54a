"""UDP as a NAT carries it: each pair of ends that a guest uses is a flow, with a socket of the host's own."""

from __future__ import annotations

from typing import Any, NamedTuple

from hv.net import headers
from hv.net.headers import Ipv4, Udp
from hv.net.messages import Close, Event, Open, Refusal, Send
from hv.net.part import Net, Part

FLOWS = 128
"""At most at one time; the longest unused one makes room for another. No timer ends them."""


class UdpFlow(NamedTuple):
    """One pair of ends."""

    flow: int
    guest: bytes
    guest_port: int
    peer: bytes
    peer_port: int

    @property
    def key(self) -> tuple[bytes, int, bytes, int]:
        """Which datagrams belong to it."""
        return self[1:]


class UdpTable(Part):
    """All UDP flows of one NAT: the last used is the last."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.by_key: dict[tuple[bytes, int, bytes, int], UdpFlow] = {}

    def flows(self) -> list[int]:
        """By last use."""
        return [flow.flow for flow in self.by_key.values()]

    def save(self) -> tuple[Any, ...]:
        """The flows."""
        return tuple(self.by_key.values())

    def load(self, saved: tuple[Any, ...]) -> None:
        """The flows of another time."""
        self.by_key = {flow.key: flow for flow in (UdpFlow(*values) for values in saved)}

    def datagram(self, packet: Ipv4, datagram: Udp, outside: bool) -> None:
        """The guest has sent a datagram to somewhere outside."""
        key = (packet.source, datagram.source_port, packet.target, datagram.target_port)
        flow = self.by_key.get(key)
        if flow is None:
            if not outside:
                self.net.unreachable(packet, headers.PROHIBITED)
                return
            flow = UdpFlow(self.net.new_flow(), *key)
            self.net.request(Open(flow.flow, headers.UDP, flow.peer, flow.peer_port))
        self._use(flow)
        self.net.request(Send(flow.flow, datagram.payload))

    def _use(self, flow: UdpFlow) -> None:
        self.by_key.pop(flow.key, None)
        self.by_key[flow.key] = flow
        if len(self.by_key) > FLOWS:
            oldest = next(iter(self.by_key.values()))
            del self.by_key[oldest.key]
            self.net.request(Close(oldest.flow))

    def forwarded(self, flow: int, guest: bytes, guest_port: int, peer: bytes, peer_port: int) -> None:
        """Somebody outside speaks to the guest."""
        key = (guest, guest_port, peer, peer_port)
        if key not in self.by_key and flow not in self.flows():
            self._use(UdpFlow(flow, *key))

    def event(self, kind: Event, flow: int, rest: bytes) -> None:
        """Something has come in for a flow."""
        found = next(f for f in self.by_key.values() if f.flow == flow)
        if kind is Event.DATA and len(rest) <= 65535 - 28:
            self.net.datagram(found.peer, found.guest, Udp(found.peer_port, found.guest_port, rest))
        elif kind is Event.REFUSED:
            lost = headers.write_udp(found.guest, found.peer, Udp(found.guest_port, found.peer_port, b""))
            prohibited = rest[:1] == bytes((Refusal.PROHIBITED,))
            code = headers.PROHIBITED if prohibited else headers.PORT_UNREACHABLE
            self.net.unreachable(Ipv4(headers.UDP, found.guest, found.peer, lost), code)
        elif kind is Event.RESET:
            del self.by_key[found.key]

    def close_all(self) -> None:
        """The guest is gone."""
        for flow in self.by_key.values():
            self.net.request(Close(flow.flow))
        self.by_key = {}
