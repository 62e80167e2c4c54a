"""Where an unwinder stands: what every method of hv.debug.symbols.stack takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

WORD = 8
MASK = (1 << 64) - 1


class Cursor(NamedTuple):
    """One function call: its pc, and the registers as far as they are known there.

    `exact`: the pc is that of the next instruction (the vcpu's own, or interrupted by a trap); else it is a return
    address, and the instruction of interest is the call before it. `how`: the method that found it. `last`: there is
    no caller.
    """

    pc: int
    registers: dict[str, int]
    exact: bool
    how: str
    last: bool = False

    @property
    def look_up(self) -> int:
        """The address to look up: inside the instruction that is under way."""
        return self.pc if self.exact else (self.pc - 1) & MASK


class Memory:
    """Guest memory in words. `read(address, length)` gives None where nothing is mapped, as Vcpu.read()."""

    def __init__(self, read: Callable[[int, int], bytes | None]) -> None:
        self.read = read

    def word(self, address: int, size: int = WORD) -> int | None:
        """The word, of 8 bytes if nothing else is said, at an address."""
        data = self.read(address & MASK, size)
        return None if data is None else int.from_bytes(data, "little")

    def words(self, address: int, count: int, size: int = WORD) -> list[int]:
        """Up to `count` words (of 8 bytes, or 4) from an address on: as many as are mapped."""
        out: list[int] = []
        while count > 0 and address <= MASK + 1 - size:
            part = min(count, max((4096 - (address & 4095)) // size, 1))  # one may lie across two pages
            data = self.read(address, part * size)
            if data is None:
                break
            out += memoryview(data).cast("Q" if size == WORD else "I")
            address, count = address + part * size, count - part
        return out
