"""Ports to which firmware and test guests write what somebody should read, and the power-on self-test code.

Each console of CONSOLES is one port: a byte that is written is printed. What a read gives says that the port is there:
0xe9 of those of Bochs and QEMU. Port 0x12 is the log port of the Xen platform device (PV drivers and XTF write to it);
it reads as ones here, because the number that belongs there is that device's.

Port 0x80 keeps the last code that was written to it; Linux writes there as well, to let a microsecond pass.

Source: QEMU, hw/char/debugcon.c and hw/i386/xen/xen_platform.c; SeaBIOS, src/output.c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from hv.devices.bus import Region
from hv.devices.device import Device, Machine


class Console(NamedTuple):
    """A console port, and what it reads as."""

    port: int
    reads: int


CONSOLES = {
    "seabios": Console(0x402, 0xE9),
    "bochs": Console(0xE9, 0xE9),
    "xen": Console(0x12, 0xFF),
}
POST_PORT = 0x80


@dataclass
class NoState:
    """It remembers nothing."""


class DebugConsole(Device):
    """A console port of CONSOLES. `sink` is given what is written; None: the machine's console is."""

    State = NoState

    def __init__(
        self, machine: Machine, kind: str, sink: Callable[[bytes], None] | None = None, name: str = ""
    ) -> None:
        super().__init__(machine, name or f"debug-{kind}")
        self._sink = sink or machine.print
        self._console = CONSOLES[kind]
        machine.ports.map(Region(self.name, 1, self._read, self._write), self._console.port)

    def _read(self, offset: int, size: int) -> int:
        return self._console.reads

    def _write(self, offset: int, size: int, value: int) -> None:
        self._sink(bytes([value]))


@dataclass
class PostState:
    """The last code."""

    code: int = 0


class PostCode(Device):
    """Port 0x80; `state.code` is the last code that was written."""

    State = PostState
    state: PostState

    def __init__(self, machine: Machine, name: str = "post") -> None:
        super().__init__(machine, name)
        machine.ports.map(Region(name, 1, self._read, self._write), POST_PORT)

    def _read(self, offset: int, size: int) -> int:
        return self.state.code

    def _write(self, offset: int, size: int, value: int) -> None:
        self.state.code = value
