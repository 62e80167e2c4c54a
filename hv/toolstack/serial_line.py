"""What the first serial port of an HVM domain is connected with, if not with the console: a file, or a socket.

    line = open_line(parse_serial("unix:/tmp/com1"), domain)
    hypervisor.run(poll=lambda: line.poll() or False)

A socket serves one client at a time. What the guest sends while nobody is there is kept for who comes next, its last
KEPT bytes. A client that takes nothing loses what comes on top of that; the guest never waits. What a client sends
enters by the input gate, no faster than the guest takes it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from hv.builder.image import BuilderError, why_not
from hv.toolstack.address import address, listen
from hv.toolstack.attachments import Attachment

if TYPE_CHECKING:
    from hv.devices.uart import Uart
    from hv.domain import Domain

SERVICE = "serial0"
KINDS = ("stdio", "none", "file", "unix", "tcp")
ACCEPTED = "stdio, none, file:PATH, unix:PATH or tcp:[HOST:]PORT"
KEPT = 1 << 16
AT_ONCE = 4096
"""Bytes that wait in the port at most before a client's are left in its socket."""


class SerialOptions(NamedTuple):
    """Where a serial port leads: one of KINDS, and a path or [HOST:]PORT."""

    kind: str = "stdio"
    where: str = ""


def parse_serial(text: str) -> SerialOptions:
    """Read the text of a `--serial` option. ValueError: it is none; one line that says what to do."""
    kind, _, where = text.partition(":")
    if kind not in KINDS or bool(where) != (kind in ("file", "unix", "tcp")):
        raise ValueError(f"{text or 'nothing'}: no place for a serial port; remedy: {ACCEPTED}")
    if kind == "tcp":
        try:
            address(where)
        except ValueError:
            raise ValueError(f"{text}: no address; remedy: tcp:[HOST:]PORT") from None
    return SerialOptions(kind, where)


class FileLine(Attachment):
    """What the guest sends goes into a file; nothing comes back. BuilderError: the file cannot be written."""

    awaits = False
    """Whether something may come in."""

    def __init__(self, path: str) -> None:
        try:
            self._file: BinaryIO = open(path, "wb")  # noqa: SIM115 - closed by close()
        except (OSError, ValueError) as error:
            problem = f"{path} cannot be written: {why_not(error)}"
            raise BuilderError("--serial", problem, "give a path that can be written") from None
        self.address = path

    def write(self, data: bytes) -> None:
        """The guest has sent."""
        self._file.write(data)

    def poll(self) -> None:
        """Have readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """The file is complete."""
        self._file.close()


class SocketLine(Attachment):
    """A socket at which one client at a time is the other end of the line. BuilderError: it cannot be had."""

    awaits = True

    def __init__(self, options: SerialOptions, domain: Domain) -> None:
        self._path = options.where if options.kind == "unix" else ""
        try:
            self._listener = _listen(options)
        except (OSError, UnicodeError) as error:
            problem = f"{options.where} cannot be listened on: {why_not(error)}"
            raise BuilderError("--serial", problem, "remove the file there, or give another place") from None
        self._listener.setblocking(False)
        self._domain = domain
        self._client: socket.socket | None = None
        self._waiting = bytearray()

    @property
    def address(self) -> str:
        """Where it listens."""
        if self._path:
            return f"unix:{self._path}"
        host, port = self._listener.getsockname()[:2]
        return f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"

    def write(self, data: bytes) -> None:
        """The guest has sent."""
        self._waiting += data
        del self._waiting[: -KEPT]

    def files(self) -> list[int]:
        """A client comes, or sends."""
        client = self._client
        if client is None:
            return [self._listener.fileno()]
        return [client.fileno()] if self._room() else []

    def patience(self) -> float | None:
        """A client is given what is there, and what it sends is taken, before long."""
        return 0.01 if self._client is not None and (self._waiting or not self._room()) else None

    def poll(self) -> None:
        """Take in who has come, give what was sent, let enter what was typed."""
        if self._client is None:
            with contextlib.suppress(BlockingIOError):
                self._client = self._listener.accept()[0]
                self._client.setblocking(False)
        if self._client is not None and not self._exchange(self._client):
            self._client.close()
            self._client = None

    def _exchange(self, client: socket.socket) -> bool:
        """Whether the client is still there."""
        try:
            if self._waiting:
                del self._waiting[: client.send(self._waiting)]
        except BlockingIOError:
            pass
        except OSError:
            return False
        room = self._room()
        if not room:
            return True
        try:
            data = client.recv(room)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            self._domain.hv.inputs.enter(self._domain, SERVICE, data)
        return bool(data)

    def _room(self) -> int:
        """How many bytes the guest's port takes now."""
        return max(AT_ONCE - len(cast("Uart", self._domain.services[SERVICE]).state.backlog), 0)

    def close(self) -> None:
        """Give the client what it takes at once, and hang up."""
        if self._client is not None:
            self._exchange(self._client)
            self._client.close()
        self._listener.close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)


def _listen(options: SerialOptions) -> socket.socket:
    if options.kind == "unix":
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(options.where)
            listener.listen(1)
        except OSError:
            listener.close()
            raise
        return listener
    return listen(*address(options.where), backlog=1)


def open_line(options: SerialOptions, domain: Domain) -> FileLine | SocketLine | None:
    """The line that `options` ask for, at the domain's port; None: that leads to the console, or nowhere.

    BuilderError: what it leads to cannot be had."""
    if options.kind not in ("file", "unix", "tcp"):
        return None
    line = FileLine(options.where) if options.kind == "file" else SocketLine(options, domain)
    cast("Uart", domain.services[SERVICE]).sink = line.write
    return line
