"""Graphics modes: planes, CGA's pairs of bits, 256 colours, and the VBE modes with their true colours.

All rows are made at once, not one pixel after the other: see hv.devices.picture.
"""

from __future__ import annotations

from functools import cache

from hv.devices.picture import Picture, either, field_table, from_palette, woven
from hv.devices.screen_seen import ScanLine, Seen, scan_lines
from hv.devices.vga_registers import GR_MODE, SR1_HALF_CLOCK, SR_CLOCKING
from hv.devices.vga_vbe import VbeMode, stride

_CR17_REAL_A13, _CR17_REAL_A14, _CR17_BYTES = 0x01, 0x02, 0x40
_DOTS = 8
_CGA_PIXELS = 1
"""GR5 bits 6..5: pairs of bits. 0 is planes, 2 and 3 are 256 colours."""


def planar(data: bytes) -> bytes:
    """4-bit pixels of cells (four planes' bytes): eight a cell, highest bit first."""
    planes = [data[plane::4] for plane in range(4)]
    return woven([
        either(*(plane.translate(field_table(7 - dot, 1, number)) for number, plane in enumerate(planes)))
        for dot in range(_DOTS)
    ])  # fmt: skip


def cga(data: bytes) -> bytes:
    """4-bit pixels of cells: pairs of bits of planes 0 and 1, with those of planes 2 and 3 above them."""
    planes = [data[plane::4] for plane in range(4)]
    return woven([
        either(planes[dot // 4].translate(field_table(6 - 2 * (dot % 4), 2, 0)),
               planes[dot // 4 + 2].translate(field_table(6 - 2 * (dot % 4), 2, 2)))
        for dot in range(_DOTS)
    ])  # fmt: skip


def _address(line: ScanLine, mode: int) -> int:
    """Where a line begins: as on a CGA, the lines of a row may be far from each other. The bit that is replaced is of
    the address as the guest's window has it; in word mode that is twice the offset."""
    shift = 13 if mode & _CR17_BYTES else 12
    address = line.offset
    if not mode & _CR17_REAL_A13:
        address = address & ~(1 << shift) | (line.row_scan & 1) << shift
    if not mode & _CR17_REAL_A14:
        address = address & ~(2 << shift) | (line.row_scan & 2) << shift
    return address


def vga_picture(seen: Seen) -> tuple[int, int, bytes]:
    """Width, height, and a colour number each pixel."""
    c = seen.timing
    shift = seen.graphics[GR_MODE] >> 5 & 3
    halved = shift >= 2 or bool(seen.sequencer[SR_CLOCKING] & SR1_HALF_CLOCK)
    lines = [(_address(line, c.mode), line.panning) for line in scan_lines(seen)]
    rows = list(dict.fromkeys(address for address, _ in lines))
    cells = c.columns + 2  # what panning brings into view
    data = b"".join([seen.cells(row, cells) for row in rows])
    if shift >= 2:
        pixels, a_cell, a_dot = data, 4, 2
    else:
        pixels, a_cell, a_dot = (cga if shift == _CGA_PIXELS else planar)(data).translate(seen.sixteen), _DOTS, 1
    row_bytes, width = cells * a_cell, c.columns * a_cell
    at = {row: number * row_bytes for number, row in enumerate(rows)}
    shown = [at[address] + (panning & 7) // a_dot for address, panning in lines]
    out = b"".join([pixels[start : start + width] for start in shown])
    return (2 * width, c.lines, woven([out, out])) if halved else (width, c.lines, out)


# ---- VBE ----


@cache
def _expanded(shift: int, bits: int, place: int, total: int) -> bytes:
    """For translate(): `bits` bits from bit `shift` on are those from `place` on of a colour of `total` bits; that part
    of the colour, with 8 bits."""
    table = field_table(shift, bits, place)
    return bytes((value << 8 - total | value >> 2 * total - 8) & 0xFF for value in table)


def _high_color(data: bytes, green_bits: int) -> bytes:
    low, high = data[0::2], data[1::2]
    above = green_bits - 3  # bits of green in the high byte
    red = high.translate(_expanded(above, 5, 0, 5))
    green = either(high.translate(_expanded(0, above, 3, green_bits)), low.translate(_expanded(5, 3, 0, green_bits)))
    return woven([red, green, low.translate(_expanded(0, 5, 0, 5))])


def _true_color(data: bytes, size: int) -> bytes:
    return woven([data[2::size], data[1::size], data[0::size]])


def vbe_picture(seen: Seen, mode: VbeMode) -> Picture:
    """The picture of a VBE mode."""
    width, height = mode.width, mode.height
    row = stride(width, mode.depth)
    data = seen.memory.ljust(mode.stride * height, b"\0")
    if row != mode.stride:
        data = b"".join([data[at : at + row] for at in range(0, mode.stride * height, mode.stride)])
    if mode.depth == 4:
        return from_palette(width, height, planar(data).translate(seen.sixteen), seen.colors)
    if mode.depth == 8:
        return from_palette(width, height, data, seen.colors)
    if mode.depth <= 16:
        return Picture(width, height, _high_color(data, mode.depth - 10))
    return Picture(width, height, _true_color(data, mode.depth // 8))
