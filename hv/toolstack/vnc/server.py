"""The sockets of the VNC server, and how much of the guest's time it may take.

    server = VncServer(screen, inputs, listen("127.0.0.1", 5900), password="secret")
    hypervisor.run(poll=server.poll, ...)     # between two slices of the guest
    select.select(server.files(), [], [], server.patience())       # while the guest waits

Nothing here ever waits for a client. A slow one gets fewer pictures, and none at all while it has not taken the last;
one that does not move at all, does not know the password, or sends what makes no sense is dropped.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from hv.devices.screen import Screen
from hv.devices.screen_changes import Watcher
from hv.toolstack import address
from hv.toolstack.address import LOOPBACK
from hv.toolstack.vnc.auth import password_key
from hv.toolstack.vnc.inputs import Inputs, NoInputs
from hv.toolstack.vnc.session import Session

LOOPBACK_HOSTS = (LOOPBACK, "localhost", "::1")
FIRST_PORT = 5900
"""Display :0 of VNC."""
CLIENTS_MOST = 8
READ_AT_ONCE, SEND_AT_ONCE = 1 << 16, 1 << 18
HANDSHAKE_SECONDS = 10
STALLED_SECONDS = 30
"""A client that takes none of our bytes for so long has vanished."""
FRAME_SECONDS = 1 / 30
SENDING_SECONDS = 0.002
SHARE = 4
"""Looking at the screen rests this many times as long as it has taken."""
WRONG_PASSWORDS, LOCKED_SECONDS = 5, 10
"""After so many wrong passwords in a row, nobody is let in for a while."""


def listen(host: str = LOOPBACK, port: int = FIRST_PORT) -> socket.socket:
    """A socket that waits for clients. OSError, OverflowError: the address cannot be had."""
    return address.listen(host, port, backlog=CLIENTS_MOST)


class _Client:
    """A connection: its socket, its session, and since when it has done nothing."""

    def __init__(self, connection: socket.socket, session: Session, now: float) -> None:
        self.socket, self.session = connection, session
        self.since = self.moved = now
        self.left = False
        """It sends nothing more; what it has sent still counts."""
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self) -> None:
        """Take in what has come."""
        session = self.session
        data = b""
        if session.room and not self.left:
            try:
                data = self.socket.recv(min(READ_AT_ONCE, session.room))
            except BlockingIOError:
                pass
            except OSError:
                session.end("the connection broke")
            else:
                self.left = not data
        if data or session.waiting:
            session.feed(data)
        elif self.left:
            session.end("the client has left")

    def send(self, now: float) -> None:
        """Send what the client takes."""
        session = self.session
        if not session.sending:
            self.moved = now
            return
        try:
            count = self.socket.send(session.take(SEND_AT_ONCE))
        except BlockingIOError:
            return
        except OSError:
            session.end("the connection broke")
            return
        session.sent(count)
        self.moved = now

    def is_late(self, now: float) -> bool:
        """Whether it has been waited for long enough."""
        stalled = self.session.sending and now - self.moved > STALLED_SECONDS
        return stalled or (not self.session.ready and now - self.since > HANDSHAKE_SECONDS)


class VncServer:
    """Shows a screen to whoever connects. password: None lets everybody in. inputs: None, for looking only. clock: in
    seconds. ValueError: the password is none that VNC could use."""

    def __init__(
        self, screen: Screen, inputs: Inputs | None, listener: socket.socket, *, password: str | None,
        name: str = "xenlab", clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._watcher = Watcher(screen)
        self._inputs: Inputs = inputs or NoInputs()
        self._key = None if password is None else password_key(password)
        self._listener, self._name, self._clock = listener, name, clock
        self._clients: list[_Client] = []
        self._look_at = 0.0
        self._wrong, self._locked_until = 0, 0.0
        listener.setblocking(False)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def files(self) -> list[int]:
        """What to wait for, with select(): somebody comes, or sends something."""
        return [self._listener.fileno(), *(client.socket.fileno() for client in self._clients)]

    def patience(self) -> float | None:
        """For how many seconds poll() need not be called if nothing comes; None: for ever."""
        sessions = [client.session for client in self._clients]
        if any(session.waiting for session in sessions):
            return 0
        if any(session.sending for session in sessions):
            return SENDING_SECONDS
        return FRAME_SECONDS if sessions else None

    def poll(self) -> bool:
        """Do what is to be done now, without waiting. False: the guest goes on, whatever clients do."""
        now = self._clock()
        self._accept(now)
        for client in self._clients:
            client.read()
        if now >= self._look_at and any(client.session.wants_update for client in self._clients):
            self._show(now)
        for client in self._clients:
            client.send(now)
            if client.is_late(now):
                client.session.end("the client does nothing")
        self._drop(now)
        return False

    def close(self) -> None:
        """Everybody has to go."""
        for client in self._clients:
            client.session.end("the server ends")
        self._drop(self._clock())
        self._listener.close()

    def _accept(self, now: float) -> None:
        for _ in range(CLIENTS_MOST):
            try:
                connection, _address = self._listener.accept()
            except OSError:  # nobody, or somebody who has gone again, or no file is left
                return
            if len(self._clients) >= CLIENTS_MOST or now < self._locked_until:
                connection.close()
                continue
            with contextlib.suppress(OSError):
                session = Session(self._key, self._inputs, self._name, self._watcher.look)
                self._clients.append(_Client(connection, session, now))

    def _show(self, now: float) -> None:
        picture = self._watcher.look()
        for client in self._clients:
            if client.session.wants_update:
                client.session.update(picture)
        taken = max(self._clock() - now, 0)
        self._look_at = now + max(FRAME_SECONDS, (SHARE + 1) * taken)

    def _drop(self, now: float) -> None:
        gone = [client for client in self._clients if client.session.closed]
        for client in gone:
            self._clients.remove(client)
            client.send(now)  # why
            client.socket.close()
            self._count_password(client.session, now)

    def _count_password(self, session: Session, now: float) -> None:
        if session.ready:
            self._wrong = 0
        elif session.refused:
            self._wrong += 1
            if self._wrong >= WRONG_PASSWORDS:
                self._wrong, self._locked_until = 0, now + LOCKED_SECONDS
