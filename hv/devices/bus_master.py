"""The bus master of one IDE channel: it moves a drive's data to and from memory, as a table in memory says.

The table is a list of physical region descriptors: address, length (0: 64 KiB), and a mark at the last one. It belongs
to the guest and may be anywhere and anything. Each descriptor moves at least two bytes, and one call goes through a
bounded number of them, so a table without an end costs the guest's time and not ours.

Source: Programming Interface for Bus Master IDE Controller, revision 1.0; Intel 82371SB (PIIX3), section 2.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hv.devices.pci import PciDevice

COMMAND, STATUS, TABLE = 0, 2, 4
"""Offsets of the registers; TABLE has four bytes."""
REGISTERS = 8

START, TO_MEMORY = 0x01, 0x08
ACTIVE, ERROR, INTERRUPT = 0x01, 0x02, 0x04
_DRIVES_CAN = 0x60
"""Bits of the status register in which drivers note which drives can do DMA."""

_DESCRIPTORS = 1024
"""So many descriptors are gone through in one call."""
_WHOLE = 0x10000


@dataclass
class BusMasterState:
    """`at` is where the next descriptor is; `address`, `left` and `last` are what is left of the present one."""

    command: int = 0
    status: int = 0
    table: int = 0
    at: int = 0
    address: int = 0
    left: int = 0
    last: bool = False


class BusMaster:
    """One channel's engine. `started` is called when the guest has it begin."""

    def __init__(self, device: PciDevice, started: Callable[[], None]) -> None:
        self.state = BusMasterState()
        self._device = device
        self._started = started

    # ---- registers ----

    def read(self, offset: int) -> int:
        """The guest reads a byte."""
        state = self.state
        if offset >= TABLE:
            return state.table >> 8 * (offset - TABLE) & 0xFF
        return {COMMAND: state.command, STATUS: state.status}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """The guest writes a byte."""
        if offset == COMMAND:
            self._command(value)
        elif offset == STATUS:
            kept = self.state.status & ~(value & (ERROR | INTERRUPT)) & ~_DRIVES_CAN
            self.state.status = kept | value & _DRIVES_CAN
        elif offset >= TABLE:
            shift = 8 * (offset - TABLE)
            self.state.table = (self.state.table & ~(0xFF << shift) | value << shift) & 0xFFFFFFFC

    def _command(self, value: int) -> None:
        state = self.state
        before, state.command = state.command, value & (START | TO_MEMORY)
        if not value & START:
            state.status &= ~ACTIVE
        elif not before & START:
            state.status |= ACTIVE
            state.at, state.left, state.last = state.table, 0, False
            self._started()

    def interrupt(self) -> None:
        """The drive's interrupt line has gone up."""
        self.state.status |= INTERRUPT

    # ---- moving data ----

    @property
    def running(self) -> bool:
        """It was started, and there is more in the table."""
        return bool(self.state.status & ACTIVE)

    def to_memory(self, data: bytes) -> int:
        """Write the drive's data; returns how many bytes the table had room for. Fewer than there are: call again if
        it is still running, else it waits for another table."""
        return self._move(len(data), lambda at, address, n: self._device.dma_write(address, data[at : at + n]))

    def from_memory(self, count: int) -> bytes:
        """Read data for the drive: `count` bytes, or fewer, as to_memory()."""
        parts: list[bytes] = []
        self._move(count, lambda _, address, n: parts.append(self._device.dma_read(address, n)))
        return b"".join(parts)

    def _move(self, count: int, move: Callable[[int, int, int], None]) -> int:
        state, done = self.state, 0
        for _ in range(_DESCRIPTORS):
            if done == count or not self.running:
                break
            if state.left == 0:
                self._next()
            step = min(count - done, state.left)
            move(done, state.address, step)
            done += step
            state.address += step
            state.left -= step
            if state.left == 0 and state.last:
                state.status &= ~ACTIVE
        return done

    def _next(self) -> None:
        state = self.state
        entry = self._device.dma_read(state.at, 8)
        # The table lies within 64 KiB: the engine counts in its low 16 bits only.
        state.at = state.at & ~0xFFFF | (state.at + 8) & 0xFFFF
        state.address = int.from_bytes(entry[:4], "little") & ~1
        state.left = int.from_bytes(entry[4:6], "little") & ~1 or _WHOLE
        state.last = bool(entry[7] & 0x80)
