"""A NAT with a host's part, joined by a gate that records, and a server on the loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hv.inputs import History, Input, Moment
from hv.net.host import NatHost, Served
from hv.net.listeners import Forward
from hv.net.nat import GATEWAY, Nat, NatConfig
from hv.net.policy import parse_policy
from hv.net.standing import Thread
from tests.devices.machine import TestMachine
from tests.net.guest import Guest, Stream

PATIENCE = 10.0
"""Seconds for something to happen on the loopback."""


class Gate:
    """What of an InputGate a NatHost sees; every input is one step of a history."""

    def __init__(self, machine: TestMachine, nat: Nat) -> None:
        self.machine, self.nat = machine, nat
        self.history: History | None = None
        self.pending: list[History] = []
        self.log: list[tuple[int, bytes]] = []

    def enter(self, data: bytes) -> None:
        self.log.append((self.machine.now, data))
        self.history = History(self.history, Input(self.machine.now, 0, Moment.COUNT, 1, "net0", data))
        self.nat.accept(data)


class Counters:
    """Where the machine stands in time: a nanosecond an instruction."""

    def __init__(self, machine: TestMachine) -> None:
        self.machine = machine
        self.idle_ns = 0

    @property
    def retired(self) -> int:
        return self.machine.now


class World:
    """The machine, its guest, and the host's part of its NAT."""

    def __init__(
        self, *allow: str, forwards: tuple[Forward, ...] = (), folder: Path | None = None, bootfile: str = ""
    ) -> None:
        self.machine = TestMachine()
        self.nat = Nat(self.machine, "net0", NatConfig(True, folder is not None, bootfile))
        self.guest = Guest(self.machine, self.nat)
        self.gate = Gate(self.machine, self.nat)
        self.thread = Thread(self.gate, Counters(self.machine))
        self.host = NatHost(self.nat, Served(parse_policy(allow), forwards, folder), self.thread, self.gate.enter)
        self.host.poll()
        self.guest.arp()
        self.guest.take()

    def until(self, done: Callable[[], bool], turn: Callable[[], None]) -> None:
        """Poll and let time pass until `done`."""
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "nothing happens"
            self.host.wait(0.01)
            self.host.poll()
            turn()


def server(kind: socket.SocketKind = socket.SOCK_STREAM) -> tuple[socket.socket, int]:
    """A socket on the loopback, and its port."""
    made = socket.socket(socket.AF_INET, kind)
    made.bind(("127.0.0.1", 0))
    made.settimeout(PATIENCE)
    if kind == socket.SOCK_STREAM:
        made.listen(16)
    return made, made.getsockname()[1]


@contextmanager
def connected(world: World, **more: int) -> Iterator[tuple[Stream, socket.socket]]:
    """The guest's end of a connection with a server on the loopback, and the server's end."""
    listener, port = server()
    with listener:
        stream = Stream(world.guest, GATEWAY, port, **more)
        world.until(lambda: stream.open, stream.run)
        with listener.accept()[0] as peer:
            yield stream, peer
