"""Addresses that a server of ours listens at: for gdb, for VNC clients, for a serial line's other end."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"
"""Where a server listens unless told otherwise."""


def address(text: str) -> tuple[str, int]:
    """[HOST:]PORT; without HOST the loopback. ValueError."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 <= number < 1 << 16:
        raise ValueError(f"{port} is no port")
    return host.strip("[]") or LOOPBACK, number


def listen(host: str, port: int, backlog: int = 4) -> socket.socket:
    """A socket that waits for clients. Port 0: a free one. OSError, UnicodeError: the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)
