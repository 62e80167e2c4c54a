"""Registers described as data: a table of what each address means, instead of a chain of ifs.

    TABLE = {
        0x0: Register("data", read=Serial.read_data, write=Serial.write_data),
        0x1: Register("interrupt enable", "enable", writable=0x0F, write=Serial.changed),
        0x7: Register("scratch", "scratch", writable=0xFF),
    }
    region = register_region(self, "serial0", 8, TABLE)

A register with a `field` of the device's state reads as that field, and writing it changes the bits of `writable`; its
`write` is called afterwards, with the value that the guest wrote. One without a field is all in its two functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hv.devices.bus import Region
from hv.devices.device import Device


@dataclass(frozen=True)
class Register:
    """One register. read: the device's method that gives the value; without it, `field`, or `floating` if there is
    none. write: the method that is told what was written. writable: bits of `field` that a write changes. clears: bits
    of `field` that writing ones clears."""

    name: str
    field: str = ""
    writable: int = 0
    clears: int = 0
    read: Callable[[Any], int] | None = None
    write: Callable[[Any, int], None] | None = None
    floating: int = 0

    def get(self, device: Device) -> int:
        """The guest reads it."""
        if self.read is not None:
            return self.read(device)
        return int(getattr(device.state, self.field)) if self.field else self.floating

    def put(self, device: Device, value: int) -> None:
        """The guest writes it."""
        if self.field and (self.writable or self.clears):
            old = int(getattr(device.state, self.field))
            new = (old & ~self.writable) | (value & self.writable)
            setattr(device.state, self.field, new & ~(value & self.clears))
        if self.write is not None:
            self.write(device, value)


def register_region(
    device: Device, name: str, size: int, table: Mapping[int, Register], width: int = 1, floating: int | None = None
) -> Region:
    """A region of registers that are `width` bytes wide, by offset. Offsets that the table leaves out read as
    `floating` (None: as ones) and write into nothing."""
    absent = (1 << 8 * width) - 1 if floating is None else floating

    def read(offset: int, size: int) -> int:
        register = table.get(offset)
        return absent if register is None else register.get(device)

    def write(offset: int, size: int, value: int) -> None:
        register = table.get(offset)
        if register is not None:
            register.put(device, value)

    return Region(name, size, read, write, (width,))


def mixed_region(device: Device, name: str, size: int, table: Mapping[int, tuple[int, Register]]) -> Region:
    """A region of registers of different widths: offset -> (width in bytes, register). An access may take in part of a
    register or several of them. In a part that is not written, a register that ones clear is given zeros, another what
    it holds. Offsets that the table leaves out read as zeros."""
    owner = {start + i: start for start, (width, _) in table.items() for i in range(width)}

    def read(offset: int, count: int) -> int:
        value, at = 0, offset
        while at < offset + count:
            start = owner.get(at)
            if start is None:
                at += 1
                continue
            width, register = table[start]
            value |= register.get(device) >> 8 * (at - start) << 8 * (at - offset)
            at = start + width
        return value & (1 << 8 * count) - 1

    def write(offset: int, count: int, value: int) -> None:
        at, end = offset, offset + count
        while at < end:
            start = owner.get(at)
            if start is None:
                at += 1
                continue
            width, register = table[start]
            until = min(start + width, end)
            piece = value >> 8 * (at - offset) & (1 << 8 * (until - at)) - 1
            if until - at < width:
                mask = (1 << 8 * (until - at)) - 1 << 8 * (at - start)
                rest = 0 if register.clears else register.get(device)
                piece = piece << 8 * (at - start) | rest & ~mask
            register.put(device, piece)
            at = until

    return Region(name, size, read, write, (1, 2, 4))


def sized_region(device: Device, name: str, size: int, table: Mapping[tuple[int, int], Register]) -> Region:
    """A region whose addresses mean something else at each width of access: (offset, width in bytes) -> register. What
    the table leaves out reads as ones and writes into nothing."""

    def read(offset: int, width: int) -> int:
        register = table.get((offset, width))
        return (1 << 8 * width) - 1 if register is None else register.get(device)

    def write(offset: int, width: int, value: int) -> None:
        register = table.get((offset, width))
        if register is not None:
            register.put(device, value)

    return Region(name, size, read, write, (1, 2, 4))
