"""The VGA's indexed registers: which of their bits can be written, and what the CRTC's mean together.

Source: IBM PS/2 Hardware Interface Technical Reference, Video Subsystem; of what clones differ in, QEMU's choice.
"""

from __future__ import annotations

from dataclasses import dataclass

from hv.devices.vga_window import Beam

SR_CLOCKING, SR_CHARACTER_MAP = 1, 3
SR1_8_DOTS, SR1_HALF_CLOCK, SR1_SCREEN_OFF = 0x01, 0x08, 0x20
GR_MODE, GR_MISC = 5, 6
GR6_GRAPHICS = 0x01
AR_MODE, AR_PLANES, AR_PANNING, AR_COLOR_SELECT = 0x10, 0x12, 0x13, 0x14
AR10_MONO, AR10_LINE_GRAPHICS, AR10_BLINK, AR10_PAN_TOP_ONLY, AR10_P54 = 0x02, 0x04, 0x08, 0x20, 0x80
AR_INDEX_SCREEN_ON = 0x20
MISC_COLOR, MISC_RAM = 0x01, 0x02
CR11_PROTECT = 0x80
CR7_LINE_COMPARE = 0x10

SEQUENCER_MASKS = (0x03, 0x3D, 0x0F, 0x3F, 0x0E)
GRAPHICS_MASKS = (0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF)
ATTRIBUTE_MASKS = (0x3F,) * 16 + (0xEF, 0xFF, 0x3F, 0x0F, 0x0F)
CRTC_MASKS = (0xFF,) * 25

_CLOCKS = (25_175_000, 28_322_000)
"""Dots a second, by bit 2 of the miscellaneous output register (bit 3 is for external clocks)."""


@dataclass(frozen=True)
class Crtc:
    """The CRTC's registers as numbers: characters, scan lines, and offsets in a plane."""

    columns: int
    total_columns: int
    lines: int
    total_lines: int
    retrace_start: int
    retrace_lines: int
    start: int
    offset: int
    """From the beginning of one row to that of the next."""
    line_compare: int
    """The last scan line before the display begins again at offset 0."""
    row_scan: int
    """Scan lines of a row, as the row scan counter counts them."""
    preset_row_scan: int
    byte_panning: int
    double_scan: bool
    """The row scan counter counts every other line."""
    mode: int
    """Register 0x17."""
    cursor_start: int
    cursor_end: int
    cursor_off: bool
    cursor: int
    underline: int


def crtc(cr: bytes) -> Crtc:
    """Read 25 CRTC registers."""
    high = cr[0x07]

    def line(low: int, bit8: int, bit9: int) -> int:
        return cr[low] | (high >> bit8 & 1) << 8 | (high >> bit9 & 1) << 9

    retrace_start = line(0x10, 2, 7)
    return Crtc(
        columns=cr[0x01] + 1,
        total_columns=cr[0x00] + 5,
        lines=line(0x12, 1, 6) + 1,
        total_lines=line(0x06, 0, 5) + 2,
        retrace_start=retrace_start,
        retrace_lines=((cr[0x11] - retrace_start) & 0x0F) or 16,
        start=cr[0x0C] << 8 | cr[0x0D],
        offset=cr[0x13] * 2,
        line_compare=cr[0x18] | (high >> 4 & 1) << 8 | (cr[0x09] >> 6 & 1) << 9,
        row_scan=(cr[0x09] & 0x1F) + 1,
        preset_row_scan=cr[0x08] & 0x1F,
        byte_panning=cr[0x08] >> 5 & 3,
        double_scan=bool(cr[0x09] & 0x80),
        mode=cr[0x17],
        cursor_start=cr[0x0A] & 0x1F,
        cursor_end=cr[0x0B] & 0x1F,
        cursor_off=bool(cr[0x0A] & 0x20),
        cursor=cr[0x0E] << 8 | cr[0x0F],
        underline=cr[0x14] & 0x1F,
    )


def beam(c: Crtc, misc: int, clocking: int) -> Beam:
    """How the beam goes, from the CRTC, the miscellaneous output register and SR1."""
    dots = (8 if clocking & SR1_8_DOTS else 9) << (1 if clocking & SR1_HALF_CLOCK else 0)
    clock = _CLOCKS[misc >> 2 & 1]
    line_ns = c.total_columns * dots * 1_000_000_000 // clock
    return Beam(
        line_ns, c.total_lines, c.columns * dots * 1_000_000_000 // clock, c.lines, c.retrace_start, c.retrace_lines
    )


def beam_60hz(lines: int) -> Beam:
    """For a VBE mode, whose timing is nobody's business: 60 frames a second, a twentieth of them hidden."""
    hidden = max(lines // 20, 4)
    line_ns = 1_000_000_000 // 60 // (lines + hidden)
    return Beam(line_ns, lines + hidden, line_ns * 4 // 5, lines, lines + 1, 2)
