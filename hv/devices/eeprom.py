"""The serial EEPROM of network cards (93C46: 64 words of 16 bits), by its four Microwire pins.

A command is a start bit, two bits of operation, six of address, and for writing sixteen of data, one with each rising
edge of the clock while the chip is selected. What is read comes out the same way, behind one zero.
Source: Microchip 93C46B data sheet.
"""

from __future__ import annotations

from typing import NamedTuple

from hv.devices.values import replaced

WORDS = 64
_EXTENDED, _WRITE, _READ, _ERASE = range(4)
_COMMAND = 9
"""Bits of a command, its start bit included."""
_ALL_WRITE, _ALL_ERASE, _ENABLE = 1, 2, 3
"""The upper two address bits of an _EXTENDED command; 0 disables writing."""


class Eeprom(NamedTuple):
    """The chip's state. `bits`: how many have come in of `value`, from the start bit on; `left`: bits of `shift` still
    to go out, -1 while nothing is read."""

    words: tuple[int, ...]
    select: bool = False
    clock: bool = False
    bits: int = 0
    value: int = 0
    left: int = -1
    shift: int = 0
    out: int = 1
    writable: bool = False

    def pins(self, select: bool, clock: bool, data: bool) -> Eeprom:
        """The chip after its pins were set; `out` is its data pin."""
        rising = clock and not self.clock
        chip = self._replace(select=select, clock=clock)
        if not select or not self.select:
            chip = chip._replace(bits=0, value=0, left=-1, out=1)
        return chip._edge(data) if select and rising else chip

    def _edge(self, data: bool) -> Eeprom:
        if self.left >= 0:
            if self.left == 0:  # the next word follows
                return self._reading((self.value & 63) + 1 & 63)._edge(data)
            return self._replace(left=self.left - 1, out=self.shift >> self.left - 1 & 1)
        if self.bits == 0 and not data:
            return self
        chip = self._replace(bits=self.bits + 1, value=(self.value << 1 | data) & 0x1FFFFFF)
        if chip.bits == _COMMAND:
            return chip._command(chip.value >> 6 & 3, chip.value & 63)
        return chip._data() if chip.bits == _COMMAND + 16 else chip

    def _reading(self, address: int) -> Eeprom:
        return self._replace(value=address, left=16, shift=self.words[address], out=0)

    def _command(self, operation: int, address: int) -> Eeprom:
        if operation == _READ:
            return self._reading(address)
        if operation == _ERASE and self.writable:
            return self._store(address, 0xFFFF)
        if operation == _EXTENDED and address >> 4 in (0, _ENABLE):
            return self._replace(writable=address >> 4 == _ENABLE)
        if operation == _EXTENDED and address >> 4 == _ALL_ERASE and self.writable:
            return self._replace(words=(0xFFFF,) * WORDS)
        return self

    def _data(self) -> Eeprom:
        """The data of a write is here."""
        command, word = self.value >> 16, self.value & 0xFFFF
        operation, address = command >> 6 & 3, command & 63
        if not self.writable:
            return self
        if operation == _WRITE:
            return self._store(address, word)
        if operation == _EXTENDED and address >> 4 == _ALL_WRITE:
            return self._replace(words=(word,) * WORDS)
        return self

    def _store(self, address: int, word: int) -> Eeprom:
        return self._replace(words=replaced(self.words, address, word))


def address_words(mac: bytes) -> tuple[int, int, int]:
    """An Ethernet address as three words of an EEPROM."""
    return tuple(int.from_bytes(mac[i : i + 2], "little") for i in (0, 2, 4))  # type: ignore[return-value]


def words_address(words: tuple[int, ...]) -> bytes:
    """The Ethernet address in three words."""
    return b"".join(word.to_bytes(2, "little") for word in words)
