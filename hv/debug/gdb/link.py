"""One connection: packets in, packets out, over a socket that may end or lie at any time."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterable
from functools import lru_cache

from hv.debug.gdb.packets import Event, Framer, Kind, framed

CHUNK = 1 << 16
SEND_SECONDS = 20
"""A client that takes none of our bytes for so long has vanished."""


class Link:
    """A client's socket. `closed`: it has gone, and nothing more will come or go."""

    def __init__(self, client: socket.socket) -> None:
        self.closed = False
        self.interrupted = False
        """Ctrl-C has come, and nobody has taken notice yet."""
        self._socket = client
        self._framer = Framer()
        self._last = b""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(True)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_SECONDS, 0))

    def fileno(self) -> int:
        """For select()."""
        return self._socket.fileno()

    def close(self) -> None:
        """The connection ends."""
        self.closed = True
        self._socket.close()

    # ---- out ----

    def send(self, body: bytes) -> None:
        """Send a packet."""
        self._last = framed(body)
        self._write(self._last)

    def no_acks(self) -> None:
        """QStartNoAckMode was answered."""
        self._framer.acks = False

    def _write(self, data: bytes) -> None:
        if self.closed:
            return
        try:
            self._socket.sendall(data)
        except OSError:  # gone; a timeout is one too
            self.close()

    # ---- in ----

    def read(self) -> None:
        """Take in what has come (or wait for it)."""
        self._take(0)

    def look(self) -> bool:
        """Take in what has come, without waiting, while the guest runs. Whether the guest is to stop: Ctrl-C, or the
        client is gone. Packets wait."""
        if not self.closed:
            self._take(socket.MSG_DONTWAIT)
        events = self._framer.events
        if any(event.kind is Kind.INTERRUPT for event in events):
            self.interrupted = True
            self._keep(event for event in list(events) if event.kind is not Kind.INTERRUPT)
        return self.closed or self.interrupted

    def _keep(self, events: Iterable[Event]) -> None:
        kept = list(events)
        self._framer.events.clear()
        self._framer.events.extend(kept)

    def _take(self, flags: int) -> None:
        try:
            data = self._socket.recv(CHUNK, flags)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        framer = self._framer
        framer.feed(data)
        if framer.due:
            due, framer.due = framer.due, b""
            self._write(due)

    def next(self) -> Event | None:
        """The next thing that has come; None: nothing so far. Answers repeated requests itself."""
        events = self._framer.events
        while events:
            event = events.popleft()
            if event.kind is not Kind.NAK:
                return event
            self._write(self._last)
        return None


def wait(sources: tuple[int, ...], seconds: float | None = None) -> set[int]:
    """Which of these have something to read; waits for the first, `seconds` at most."""
    return {fd for fd, _ in _poller(sources).poll(None if seconds is None else int(seconds * 1000))}


@lru_cache(maxsize=4)
def _poller(sources: tuple[int, ...]) -> select.poll:
    """poll() goes by the numbers of files, whatever is behind them now."""
    poller = select.poll()
    for source in sources:
        poller.register(source, select.POLLIN | select.POLLHUP | select.POLLERR)
    return poller
