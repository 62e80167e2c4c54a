"""The Bochs VBE extensions ("dispi"): registers of a VGA that can do more than VGA modes.

A guest sets resolution and depth, then enables; what does not fit is made to fit, and can be read back so. Source: the
interface as Bochs' vbe_display_api.txt describes it, version 0xb0c5, with QEMU's limits.
"""

from __future__ import annotations

from dataclasses import dataclass

ID, XRES, YRES, BPP, ENABLE, BANK, VIRTUAL_WIDTH, VIRTUAL_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY_64K = range(11)
COUNT = 10
"""Registers that are stored: all but MEMORY_64K, which cannot be written."""
ID_FIRST, ID_LAST = 0xB0C0, 0xB0C5
ENABLED, GET_CAPS, DAC_8_BITS, NO_CLEAR = 0x01, 0x02, 0x20, 0x80
_MAXIMA = {XRES: 16000, YRES: 12000, BPP: 32}
_DEPTHS = (4, 8, 15, 16, 24, 32)
BANK_BYTES = 1 << 16

FIRST = (ID_LAST,) + (0,) * (COUNT - 1)
"""The registers after a reset."""


@dataclass(frozen=True)
class VbeMode:
    """A mode that is set: sizes in pixels, `depth` in bits a pixel (4: four planes), `stride` and `start` in bytes of
    video memory."""

    width: int
    height: int
    depth: int
    stride: int
    start: int


def read(registers: tuple[int, ...], index: int, memory: int) -> int:
    """The guest reads a register, 16 bits; `memory` is the size of video memory."""
    if index == MEMORY_64K:
        return memory // BANK_BYTES & 0xFFFF
    if index >= COUNT:
        return 0
    if registers[ENABLE] & GET_CAPS and index in _MAXIMA:
        return _MAXIMA[index]
    return registers[index]


def write(registers: tuple[int, ...], index: int, value: int, memory: int) -> tuple[int, ...]:
    """The registers after the guest has written one. Enabling forgets what belonged to the mode before; to clear the
    screen is up to the caller."""
    new = list(registers)
    if index == ID:
        if ID_FIRST <= value <= ID_LAST:
            new[ID] = value
    elif index == BANK:
        new[BANK] = value % max(memory // BANK_BYTES, 1)
    elif index == ENABLE:
        if value & ENABLED and not new[ENABLE] & ENABLED:
            new[VIRTUAL_WIDTH] = new[X_OFFSET] = new[Y_OFFSET] = 0
            new[BANK] = 0
        if not value & ENABLED:
            new[BANK] = 0
        new[ENABLE] = value
    elif index < COUNT and index != VIRTUAL_HEIGHT:  # which follows from the others
        new[index] = value
    return _fitted(new, memory) if new[ENABLE] & ENABLED else tuple(new)


def _fitted(r: list[int], memory: int) -> tuple[int, ...]:
    """Registers that make a mode: what is too large is made smaller."""
    if r[BPP] not in _DEPTHS:
        r[BPP] = 8
    r[XRES] = max(8, min(r[XRES], _MAXIMA[XRES]) & ~7)
    r[VIRTUAL_WIDTH] = min(max(r[VIRTUAL_WIDTH], r[XRES]), _MAXIMA[XRES]) & ~7
    rows = memory // stride(r[VIRTUAL_WIDTH], r[BPP])
    r[VIRTUAL_HEIGHT] = min(rows, 0xFFFF)
    r[YRES] = max(1, min(r[YRES], _MAXIMA[YRES], rows))
    r[X_OFFSET] = min(r[X_OFFSET], r[VIRTUAL_WIDTH] - r[XRES])
    r[Y_OFFSET] = min(r[Y_OFFSET], max(rows - r[YRES], 0))
    return tuple(r)


def fits(registers: tuple[int, ...], memory: int) -> bool:
    """Whether these can be the registers: a mode that is set is one that write() makes."""
    return not registers[ENABLE] & ENABLED or _fitted(list(registers), memory) == registers


def stride(width: int, depth: int) -> int:
    """Bytes of video memory from one row to the next."""
    return width // 2 if depth == 4 else width * ((depth + 7) // 8)


def mode(registers: tuple[int, ...]) -> VbeMode | None:
    """The mode that is set; None: none, the VGA's registers count."""
    if not registers[ENABLE] & ENABLED:
        return None
    depth, row = registers[BPP], stride(registers[VIRTUAL_WIDTH], registers[BPP])
    left = registers[X_OFFSET] & ~7 if depth == 4 else registers[X_OFFSET]  # eight pixels are a byte of a plane
    start = registers[Y_OFFSET] * row + stride(left, depth)
    return VbeMode(registers[XRES], registers[YRES], depth, row, start)
