"""A client of the GDB remote protocol, as bare as it can be: what both servers are measured with, and tested with."""

from __future__ import annotations

import socket
import time


class Client:
    """One connection. Packets go out whole and answers are waited for; nothing is retransmitted."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 30) -> None:
        end = time.monotonic() + timeout
        while True:
            try:
                self.socket = socket.create_connection((host, port), timeout)
                break
            except ConnectionRefusedError:  # the server is still starting
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._have = b""
        self._acks = True

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Vanish."""
        self.socket.close()

    def start(self) -> bytes:
        """What gdb says first. Why the machine is stopped."""
        self.ask(b"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;QStartNoAckMode+")
        if self.ask(b"QStartNoAckMode") == b"OK":
            self._acks = False
        return self.ask(b"?")

    def ask(self, body: bytes) -> bytes:
        """Send one packet; the next one that comes back."""
        self.send(body)
        return self.answer()

    def send(self, body: bytes) -> None:
        """Send one packet."""
        self.socket.sendall(framed(body))

    def answer(self) -> bytes:
        """The next packet, without its frame; acknowledged if that is still wanted. ConnectionError: no more come."""
        while True:
            start = self._have.find(b"$")
            end = self._have.find(b"#", start)
            if start >= 0 and 0 <= end <= len(self._have) - 3:
                body, self._have = self._have[start + 1 : end], self._have[end + 3 :]
                if self._acks:
                    self.socket.sendall(b"+")
                return body
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server has closed the connection")
            self._have += data

    def stopped(self, body: bytes) -> tuple[bytes, bytes]:
        """Send a packet that makes the guest move; (the stop reply, the console text before it)."""
        said, reply = b"", self.ask(body)
        while reply[:1] == b"O" and reply != b"OK":
            said += bytes.fromhex(reply[1:].decode())
            reply = self.answer()
        return reply, said

    def monitor(self, line: str) -> str:
        """The text of a monitor command."""
        text, reply = b"", self.ask(b"qRcmd," + line.encode().hex().encode())
        while reply[:1] == b"O" and reply != b"OK":
            text += bytes.fromhex(reply[1:].decode())
            reply = self.answer()
        return text.decode() if reply == b"OK" else reply.decode()


def framed(body: bytes) -> bytes:
    """A packet: $body#checksum."""
    return b"$%s#%02x" % (body, sum(body) & 0xFF)
