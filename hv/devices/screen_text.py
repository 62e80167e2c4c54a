"""Text modes: characters and attributes from planes 0 and 1, their shapes from plane 2."""

from __future__ import annotations

from functools import lru_cache

from hv.devices.picture import woven
from hv.devices.screen_seen import PLANE_BYTES, Seen, scan_lines
from hv.devices.vga_registers import (
    AR10_BLINK,
    AR10_LINE_GRAPHICS,
    AR10_MONO,
    AR_MODE,
    SR1_8_DOTS,
    SR1_HALF_CLOCK,
    SR_CHARACTER_MAP,
    SR_CLOCKING,
)  # fmt: skip

_SHAPE_BYTES, _FONT_BYTES = 32, 8192
_CONTROL = "\u0000☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
"""What code page 437 shows of the numbers below 32; of 0, nothing."""
CHARACTERS = " " + _CONTROL[1:] + bytes(range(32, 127)).decode("ascii") + "⌂" + bytes(range(128, 256)).decode("cp437")
"""A character for each of 256 numbers."""


def text_lines(seen: Seen) -> list[str]:
    """The lines, without blanks at their ends and empty ones below."""
    columns, lines, last = seen.timing.columns, [], -1
    for line in scan_lines(seen):
        if line.offset != last:
            last = line.offset
            numbers = seen.cells(line.offset, columns)[0::4]
            lines.append("".join([CHARACTERS[number] for number in numbers]).replace("\u00a0", " ").rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines


# ---- the picture ----


@lru_cache(1024)
def _dots(shape: int, width: int, joined: bool) -> bytes:
    """A line of a character as ones and zeros; joined: the ninth dot is like the eighth."""
    eight = bytes(shape >> bit & 1 for bit in range(7, -1, -1))
    return eight if width == 8 else eight + (eight[7:] if joined else b"\0")


class _Painter:
    """Makes rows of text of one Seen; what it has made it keeps, as most cells of a screen are alike."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.timing = seen.timing
        self.mode = seen.attribute[AR_MODE]
        self.width = 8 if seen.sequencer[SR_CLOCKING] & SR1_8_DOTS else 9
        self._cells: dict[tuple[int, int, bool], list[bytes]] = {}
        self._rows: dict[int, list[bytes]] = {}
        maps = seen.sequencer[SR_CHARACTER_MAP]
        plane = seen.memory[2::4]
        self.fonts = [
            plane[font * _FONT_BYTES : (font + 1) * _FONT_BYTES]
            for font in (((maps & 3) << 1 | maps >> 4 & 1), (maps >> 2 & 3) << 1 | maps >> 5 & 1)
        ]
        """By bit 3 of the attribute."""

    def row(self, offset: int) -> list[bytes]:
        """The scan lines of the row of text that begins at an offset, one cell wider than the screen."""
        rows = self._rows.get(offset)
        if rows is None:
            cells = self.seen.cells(offset, self.timing.columns + 1)
            at_cursor = -1 if self.timing.cursor_off else (self.timing.cursor - offset) % PLANE_BYTES
            shapes = [
                self._cell(number, attribute, column == at_cursor)
                for column, (number, attribute) in enumerate(zip(cells[0::4], cells[1::4], strict=True))
            ]
            rows = self._rows[offset] = [b"".join(line) for line in zip(*shapes, strict=True)]
        return rows

    def _cell(self, number: int, attribute: int, cursor: bool) -> list[bytes]:
        key = (number, attribute, cursor)
        made = self._cells.get(key)
        if made is None:
            made = self._cells[key] = self._make(*key)
        return made

    def _make(self, number: int, attribute: int, cursor: bool) -> list[bytes]:
        timing, font = self.timing, self.fonts[attribute >> 3 & 1]
        joined = bool(self.mode & AR10_LINE_GRAPHICS) and 0xC0 <= number <= 0xDF
        ink, paper = attribute & 15, attribute >> 4 & (7 if self.mode & AR10_BLINK else 15)
        colors = bytes((paper, ink)) + bytes(254)
        full = bytes((ink,)) * self.width
        shape = font[_SHAPE_BYTES * number : _SHAPE_BYTES * (number + 1)]
        lines = [_dots(bits, self.width, joined).translate(colors) for bits in shape]
        if self.mode & AR10_MONO and attribute & 7 == 1:
            lines[timing.underline] = full
        if cursor:
            for line in range(timing.cursor_start, timing.cursor_end + 1):
                lines[line] = full
        return lines


def text_picture(seen: Seen) -> tuple[int, int, bytes]:
    """Width, height, and a colour number each pixel."""
    painter, c = _Painter(seen), seen.timing
    width = c.columns * painter.width
    out = []
    for line in scan_lines(seen):
        # nine dots count from 8: no shift, then 0: one, as if the display had begun a dot early
        left = line.panning & 7 if painter.width == 8 else (line.panning + 1) % 9
        out.append(painter.row(line.offset)[line.row_scan & 31][left : left + width])
    pixels = b"".join(out).translate(seen.sixteen)
    if seen.sequencer[SR_CLOCKING] & SR1_HALF_CLOCK:
        return 2 * width, c.lines, woven([pixels, pixels])
    return width, c.lines, pixels
