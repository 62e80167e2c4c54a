"""The host's sockets behind a guest's flows: what they connect to, and those for UDP. None ever blocks."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from pathlib import Path

from hv.net.messages import Event, Refusal
from hv.net.nat import DNS, GATEWAY

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
LOOPBACK = "127.0.0.1"
BURST = 16
"""Connections or datagrams that are taken from one socket at a time."""
Address = tuple[str, int]
Report = Callable[[Event, int, bytes], None]


class Targets:
    """What the guest's addresses are on the host: the gateway is the loopback, the name server is the host's own."""

    def __init__(self) -> None:
        self._resolver: str | None = None

    def find(self, address: bytes, port: int) -> Address | None:
        """Where to connect to."""
        if address == GATEWAY:
            return LOOPBACK, port
        if address == DNS:
            if self._resolver is None:
                self._resolver = resolver()
            return (self._resolver, port) if self._resolver else None
        return socket.inet_ntoa(address), port


def resolver(path: Path = Path("/etc/resolv.conf")) -> str:
    """The host's name server; empty: it has none."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.split()[1] for line in lines if line.startswith("nameserver ") and len(line.split()) > 1), "")


def new_socket(target: Address, kind: socket.SocketKind) -> socket.socket:
    """A socket for the target's family that never blocks."""
    made = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, kind)
    made.setblocking(False)
    return made


def refusal(error: OSError) -> bytes:
    """What an Event.REFUSED says of an error."""
    return bytes((Refusal.REFUSED if isinstance(error, ConnectionRefusedError) else Refusal.UNREACHABLE,))


class UdpFlows:
    """The UDP sockets of a guest's flows, one each."""

    def __init__(self, selector: selectors.BaseSelector, report: Report) -> None:
        self._selector, self._report = selector, report
        self._sockets: dict[int, socket.socket] = {}
        self._watched: set[int] = set()

    def open(self, flow: int, target: Address) -> None:
        """A socket for a flow."""
        try:
            made = new_socket(target, socket.SOCK_DGRAM)
            self._sockets[flow] = made
            made.connect(target)
        except OSError as error:
            self.end(flow)
            self._report(Event.REFUSED, flow, refusal(error))
            return
        self._selector.register(made, READ, lambda mask: self._read(flow, made))
        self._watched.add(flow)

    def has(self, flow: int) -> bool:
        """Whether the flow is one of these."""
        return flow in self._sockets

    def send(self, flow: int, data: bytes) -> None:
        """Send a datagram."""
        try:
            self._sockets[flow].send(data)
        except BlockingIOError:
            pass  # lost, as datagrams are
        except OSError as error:
            self._report(Event.REFUSED, flow, refusal(error))

    def _read(self, flow: int, made: socket.socket) -> None:
        for _ in range(BURST):
            if self._sockets.get(flow) is not made:
                return
            try:
                data = made.recv(65535)
            except BlockingIOError:
                return
            except OSError as error:
                self._report(Event.REFUSED, flow, refusal(error))
                return
            self._report(Event.DATA, flow, data)

    def end(self, flow: int) -> None:
        """The flow is over."""
        made = self._sockets.pop(flow, None)
        if made is not None:
            if flow in self._watched:
                self._watched.remove(flow)
                self._selector.unregister(made)
            made.close()

    def close(self) -> None:
        """All of them."""
        for flow in list(self._sockets):
            self.end(flow)
