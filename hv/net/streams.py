"""A TCP connection of the host's behind a guest's flow."""

from __future__ import annotations

import errno
import selectors
import socket
import struct

from hv.net.messages import WINDOW, Event
from hv.net.sockets import READ, WRITE, Address, Report, new_socket, refusal


class Stream:
    """A TCP connection of the host's. It reads no more than the guest has granted."""

    def __init__(
        self, flow: int, selector: selectors.BaseSelector, report: Report, made: socket.socket | None = None
    ) -> None:
        self.flow = flow
        self._selector, self._report = selector, report
        self._socket = made
        self._connecting = False
        self._out = bytearray()
        self._credit = WINDOW
        self._ended = self._last = self._lingers = False
        self._interest = 0
        if made is not None:
            made.setblocking(False)
            self._watch()

    def connect(self, target: Address) -> None:
        """Begin to connect; CONNECTED or REFUSED is reported in due course."""
        try:
            self._socket = new_socket(target, socket.SOCK_STREAM)
            self._connecting = True
            self._socket.connect(target)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(error)
            return
        self._watch()

    @property
    def finished(self) -> bool:
        """Whether all that the guest has sent has gone."""
        return not self._out or self._socket is None

    def send(self, data: bytes) -> None:
        """Take what the guest has sent; SENT is reported as it goes."""
        self._out += data
        self._write()

    def grant(self, count: int) -> None:
        """The guest has taken bytes."""
        self._credit = min(self._credit + count, WINDOW)
        self._watch()

    def shut_down(self) -> None:
        """Nothing follows what is to be sent."""
        self._last = True
        self._write()

    def linger(self) -> None:
        """The flow is over; only what is to be sent is still sent."""
        self._lingers = True
        self._watch()

    def close(self, *, abort: bool) -> None:
        """Close the socket, at once."""
        made, self._socket = self._socket, None
        if made is None:
            return
        if self._interest:
            self._selector.unregister(made)
            self._interest = 0
        try:
            if abort:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            made.close()

    def _watch(self) -> None:
        """Have the selector look for what can be done now."""
        wanted = 0
        if self._connecting or self._out:
            wanted |= WRITE
        if not self._connecting and self._credit and not self._ended and not self._lingers:
            wanted |= READ
        if self._socket is None or wanted == self._interest:
            return
        if not wanted:
            self._selector.unregister(self._socket)
        elif not self._interest:
            self._selector.register(self._socket, wanted, self._ready)
        else:
            self._selector.modify(self._socket, wanted, self._ready)
        self._interest = wanted

    def _ready(self, mask: int) -> None:
        if mask & WRITE:
            self._write()
        if mask & READ:
            self._read()

    def _write(self) -> None:
        made = self._socket
        if made is None:
            return
        try:
            if self._connecting:
                error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, errno.errorcode.get(error, "connect"))
                self._connecting = False
                self._report(Event.CONNECTED, self.flow, b"")
            if self._out:
                count = made.send(self._out)
                del self._out[:count]
                if not self._lingers:
                    self._report(Event.SENT, self.flow, count.to_bytes(4, "big"))
            if self._last and not self._out:
                self._last = False
                made.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(error)
            return
        self._watch()

    def _read(self) -> None:
        if self._socket is None or not self._credit:
            return
        try:
            data = self._socket.recv(self._credit)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        self._credit -= len(data)
        self._ended = not data
        self._report(Event.DATA if data else Event.EOF, self.flow, data)
        self._watch()

    def _fail(self, error: OSError) -> None:
        connecting = self._connecting
        self._out.clear()
        self.close(abort=False)
        if not self._lingers:
            self._report(
                Event.REFUSED if connecting else Event.RESET, self.flow, refusal(error) if connecting else b""
            )
