"""What decides the picture on a VGA's screen, and what of it all modes share: colours, and the way of the beam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from hv.devices.vga_registers import (
    AR10_P54,
    AR10_PAN_TOP_ONLY,
    AR_COLOR_SELECT,
    AR_MODE,
    AR_PANNING,
    AR_PLANES,
    Crtc,
    crtc,
)  # fmt: skip
from hv.devices.vga_vbe import VbeMode

PLANE_BYTES = 1 << 16
_SIX_TO_EIGHT = bytes((value & 63) << 2 | (value & 63) >> 4 for value in range(256))


@dataclass(frozen=True)
class Seen:
    """Registers as in VgaState, and the video memory that they show: 256 KiB of a VGA mode, of a VBE mode as many bytes
    from its start on as its rows have (fewer at the end of memory). lit: the screen is on."""

    lit: bool
    sequencer: bytes
    crtc: bytes
    graphics: bytes
    attribute: bytes
    palette: bytes
    dac_bits: int
    pel_mask: int
    mode: VbeMode | None
    memory: bytes

    @cached_property
    def timing(self) -> Crtc:
        """The CRTC's registers."""
        return crtc(self.crtc)

    @cached_property
    def colors(self) -> bytes:
        """256 colours of 3 bytes, as the DAC makes them of 8-bit numbers."""
        full = self.palette if self.dac_bits == 8 else self.palette.translate(_SIX_TO_EIGHT)
        if self.pel_mask == 0xFF:
            return full
        return b"".join(full[3 * (n & self.pel_mask) : 3 * (n & self.pel_mask) + 3] for n in range(256))

    @cached_property
    def sixteen(self) -> bytes:
        """For translate(): what the attribute controller makes of 4-bit numbers."""
        attribute = self.attribute
        select, planes = attribute[AR_COLOR_SELECT], attribute[AR_PLANES]

        def number(pixel: int) -> int:
            color = attribute[pixel & planes & 15]
            if attribute[AR_MODE] & AR10_P54:
                return (select & 15) << 4 | color & 15
            return (select & 12) << 4 | color

        return bytes(number(pixel & 15) for pixel in range(256))

    def cells(self, first: int, count: int) -> bytes:
        """The four planes' bytes at `count` offsets, which run round at the planes' end."""
        start = first % PLANE_BYTES * 4
        data = self.memory[start : start + 4 * count]
        return data if len(data) == 4 * count else data + self.memory[: 4 * count - len(data)]


@dataclass(frozen=True)
class ScanLine:
    """One line of the picture: the offset where its row begins, which line of the row it is, and by how many dots it is
    shifted to the left."""

    offset: int
    row_scan: int
    panning: int


def scan_lines(seen: Seen) -> Iterator[ScanLine]:
    """The way of the beam: the CRTC's row scan counter and line compare."""
    c, panning = seen.timing, seen.attribute[AR_PANNING]
    offset, row_scan, again = (c.start + c.byte_panning) % PLANE_BYTES, c.preset_row_scan, False
    for line in range(c.lines):
        yield ScanLine(offset, row_scan, panning)
        if line == c.line_compare:
            offset, row_scan, again = 0, 0, False
            if seen.attribute[AR_MODE] & AR10_PAN_TOP_ONLY:
                panning = 0
            continue
        if c.double_scan and not again:
            again = True
            continue
        again = False
        row_scan += 1
        if row_scan in (c.row_scan, 32):
            offset, row_scan = (offset + c.offset) % PLANE_BYTES, 0
