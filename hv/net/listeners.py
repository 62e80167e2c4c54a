"""Ports of the host's that lead to a guest."""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import NamedTuple, Protocol

from hv.net.messages import FORWARD, Event
from hv.net.sockets import BURST, READ, Address, new_socket
from hv.net.streams import Stream
from hv.net.udp import FLOWS

FIRST_PEER_PORT, PEER_PORTS = 49152, 16000


class Owner(Protocol):
    """Who has the sockets (hv.net.host)."""

    def event(self, kind: Event, flow: int, rest: bytes = b"") -> None:
        """Something has happened."""

    def new_flow(self) -> int:
        """A number for a flow from outside."""

    def add_stream(self, flow: int, stream: Stream) -> None:
        """A connection has come from outside."""


class Forward(NamedTuple):
    """A port of the host's that leads to one of the guest's. `guest`: zeros for the first lease."""

    protocol: int
    host: str
    host_port: int
    guest: bytes
    guest_port: int


class _Listener:
    """What both kinds of forwarded port have in common."""

    KIND: socket.SocketKind

    def __init__(self, forward: Forward, selector: selectors.BaseSelector, owner: Owner) -> None:
        self.forward, self._selector, self._owner = forward, selector, owner
        self._peers = 0
        self.socket = new_socket((forward.host, 0), self.KIND)
        try:
            if self.KIND == socket.SOCK_STREAM:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((forward.host, forward.host_port))
            if self.KIND == socket.SOCK_STREAM:
                self.socket.listen(BURST)
        except OSError:
            self.socket.close()
            raise
        selector.register(self.socket, READ, lambda mask: self.ready())

    def ready(self) -> None:
        """Somebody is there."""
        raise NotImplementedError

    def forget(self) -> None:
        """Whoever was there is not known any more."""

    def close(self) -> None:
        """Listen no more."""
        self._selector.unregister(self.socket)
        self.socket.close()

    def begin(self) -> int:
        """Tell the machine of a new flow; its number."""
        forward, flow = self.forward, self._owner.new_flow()
        port = FIRST_PEER_PORT + self._peers % PEER_PORTS
        self._peers += 1
        rest = FORWARD.pack(forward.protocol, forward.guest, forward.guest_port, port)
        self._owner.event(Event.FORWARDED, flow, rest)
        return flow


class TcpListener(_Listener):
    """A forwarded TCP port."""

    KIND = socket.SOCK_STREAM

    def ready(self) -> None:
        """Take the connections that wait."""
        for _ in range(BURST):
            try:
                made, _ = self.socket.accept()
            except OSError:  # nobody is left, or has gone again
                return
            flow = self.begin()
            self._owner.add_stream(flow, Stream(flow, self._selector, self._owner.event, made))


class UdpListener(_Listener):
    """A forwarded UDP port: each address that it hears from is a flow."""

    KIND = socket.SOCK_DGRAM

    def __init__(self, forward: Forward, selector: selectors.BaseSelector, owner: Owner) -> None:
        self._flows: dict[object, int] = {}
        self._addresses: dict[int, Address] = {}
        super().__init__(forward, selector, owner)

    def ready(self) -> None:
        """Take the datagrams that wait."""
        for _ in range(BURST):
            try:
                data, peer = self.socket.recvfrom(65535)
            except OSError:  # none is left
                return
            if peer not in self._flows:
                if len(self._flows) >= FLOWS:
                    self._addresses.pop(self._flows.pop(next(iter(self._flows))))
                flow = self.begin()
                self._flows[peer], self._addresses[flow] = flow, peer
            self._owner.event(Event.DATA, self._flows[peer], data)

    def has(self, flow: int) -> bool:
        """Whether the flow is one of these."""
        return flow in self._addresses

    def send(self, flow: int, data: bytes) -> None:
        """Send a datagram back. What the host will not take is lost, as datagrams are."""
        with contextlib.suppress(OSError):
            self.socket.sendto(data, self._addresses[flow])

    def forget(self) -> None:
        """All addresses are new again."""
        self._flows.clear()
        self._addresses.clear()
