"""Pixels as a client wants them: any RFB pixel format, made of red, green and blue bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from hv.devices.picture import either, woven

_FORMAT = struct.Struct(">BBBBHHHBBB3x")
FORMAT_BYTES = _FORMAT.size


class FormatError(ValueError):
    """A pixel format that makes no sense."""


@dataclass(frozen=True)
class PixelFormat:
    """RFB 7.4: bits a pixel, byte order, and for each colour the largest value and where it is."""

    bits: int
    depth: int
    big_endian: bool
    maxima: tuple[int, int, int]
    shifts: tuple[int, int, int]
    true_color: bool = True

    def packed(self) -> bytes:
        """As in a message."""
        return _FORMAT.pack(self.bits, self.depth, self.big_endian, self.true_color, *self.maxima, *self.shifts)

    @cached_property
    def _tables(self) -> list[list[tuple[int, bytes]]]:
        """For each byte of a pixel: the colours (0 to 2) that have a part in it, and what their values put there."""
        places = range(0, self.bits, 8)
        by_byte: list[list[tuple[int, bytes]]] = []
        for place in reversed(places) if self.big_endian else places:
            parts = []
            for color, (most, shift) in enumerate(zip(self.maxima, self.shifts, strict=True)):
                table = bytes(((value * most + 127) // 255 << shift) >> place & 0xFF for value in range(256))
                if any(table):
                    parts.append((color, table))
            by_byte.append(parts)
        return by_byte

    def pack(self, rgb: bytes) -> bytes:
        """Pixels of this format."""
        colors = [rgb[color::3] for color in range(3)]
        nothing = bytes(len(colors[0]))
        made = []
        for parts in self._tables:
            found = [colors[color].translate(table) for color, table in parts]
            made.append(either(*found) if len(found) > 1 else found[0] if found else nothing)
        return woven(made)

    @property
    def is_tight(self) -> bool:
        """Whether the tight encoding sends its pixels as red, green and blue."""
        return self.bits == 32 and self.depth == 24 and self.maxima == (255, 255, 255)


SERVER_FORMAT = PixelFormat(32, 24, False, (255, 255, 255), (16, 8, 0))
"""What the server offers."""
MAPPED_FORMAT = PixelFormat(8, 8, False, (7, 7, 3), (0, 3, 6))
"""What a client gets that wants a colour map: numbers in the map of color_map()."""


def read_format(data: bytes) -> PixelFormat:
    """The format of a SetPixelFormat message. FormatError: nobody has such pixels."""
    bits, depth, big, true_color, *rest = _FORMAT.unpack(data)
    if not true_color:
        if bits != 8:
            raise FormatError(f"a colour map with {bits} bits a pixel")
        return MAPPED_FORMAT
    maxima, shifts = (rest[0], rest[1], rest[2]), (rest[3], rest[4], rest[5])
    if bits not in (8, 16, 32):
        raise FormatError(f"{bits} bits a pixel")
    if any(shift >= bits or most << shift >= 1 << bits for most, shift in zip(maxima, shifts, strict=True)):
        raise FormatError(f"colours outside of a pixel of {bits} bits")
    return PixelFormat(bits, depth, bool(big), maxima, shifts)


def is_mapped(data: bytes) -> bool:
    """Whether a SetPixelFormat message asks for a colour map."""
    return not _FORMAT.unpack(data)[3]


def color_map() -> bytes:
    """A SetColourMapEntries message with the colours of MAPPED_FORMAT."""
    entries = b"".join(
        struct.pack(">HHH", (n & 7) * 65535 // 7, (n >> 3 & 7) * 65535 // 7, (n >> 6) * 65535 // 3) for n in range(256)
    )
    return struct.pack(">BxHH", 1, 0, 256) + entries
