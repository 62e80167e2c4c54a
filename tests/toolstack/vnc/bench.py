"""A screen that is easily drawn on, a client of a few lines, and a server that runs beside the test."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from hv.devices.screen import Screen
from hv.toolstack.vnc.inputs import Pointer
from hv.toolstack.vnc.server import VncServer, listen
from tests.devices.vga import modes
from tests.devices.vga.bench import VgaBench

PASSWORD = "open sesame"[:8]


class Log:
    """Inputs that are remembered: ("a", True), Pointer."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def key(self, name: str, down: bool) -> None:
        self.events.append((name, down))

    def pointer(self, event: Pointer) -> None:
        self.events.append(event)

    @property
    def keys(self) -> str:
        """+a -a"""
        return " ".join(f"{'+' if event[1] else '-'}{event[0]}" for event in self.events if len(event) == 2)

    @property
    def pointers(self) -> list[Pointer]:
        return [event for event in self.events if isinstance(event, Pointer)]


def text_screen() -> VgaBench:
    bench = VgaBench()
    bench.set_mode(modes.TEXT_80X25)
    bench.load_font()
    bench.say(0, 0, "XENLAB", 0x1F)
    bench.say(12, 30, "A SCREEN TO LOOK AT", 0x4E)
    return bench


def key_event(keysym: int, down: bool) -> bytes:
    return struct.pack(">BBxxI", 4, down, keysym)


def pointer_event(x: int, y: int, mask: int = 0) -> bytes:
    return struct.pack(">BBHH", 5, mask, x, y)


def request(width: int, height: int, incremental: bool = False, x: int = 0, y: int = 0) -> bytes:
    return struct.pack(">BBHHHH", 3, incremental, x, y, width, height)


def encodings(*wanted: int) -> bytes:
    return struct.pack(f">BxH{len(wanted)}i", 2, len(wanted), *wanted)


@contextlib.contextmanager
def served(
    screen: Screen, log: Log, password: str | None = PASSWORD, each: Callable[[], None] = lambda: None
) -> Iterator[VncServer]:
    """A server that is polled by a thread until the block ends; an exception there is one here."""
    server, stop, broken = VncServer(screen, log, listen(port=0), password=password, name="test"), threading.Event(), []

    def run() -> None:
        try:
            while not stop.is_set():
                patience = server.patience()
                select.select(server.files(), [], [], 0.01 if patience is None else min(patience, 0.01))
                each()
                server.poll()
        except BaseException as error:
            broken.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join()
        server.close()
    if broken:
        raise broken[0]


def connect(server: VncServer) -> socket.socket:
    client = socket.create_connection(server.address, timeout=20)
    client.settimeout(20)
    return client


def read(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            raise EOFError(data)
        data += piece
    return data
