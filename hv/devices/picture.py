"""A picture: red, green and blue, a byte each, row by row from the top; and as a PNG.

The PNG writer is our own: a picture of this kind is three chunks around what zlib makes of its rows, less code than the
glue to a library, and Pillow would be a native dependency of every user's for nothing else.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BITS = bytes((8, 2, 0, 0, 0))
_NO_FILTER = b"\0"


@dataclass(frozen=True)
class Picture:
    """`rgb` has 3 * width * height bytes."""

    width: int
    height: int
    rgb: bytes

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green, blue. IndexError: outside."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise IndexError(f"({x}, {y}) is outside of {self.width}x{self.height}")
        at = 3 * (y * self.width + x)
        return self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]

    def cut(self, x: int, y: int, width: int, height: int) -> bytes:
        """The colours of a rectangle inside, as a picture of its own would have them."""
        if x == 0 and width == self.width:
            return self.rgb[3 * width * y : 3 * width * (y + height)]
        starts = range(3 * (y * self.width + x), 3 * ((y + height) * self.width), 3 * self.width)
        return b"".join([self.rgb[start : start + 3 * width] for start in starts][:height])

    def png(self) -> bytes:
        """As the contents of a PNG file (ISO/IEC 15948); the same picture makes the same bytes with the same zlib."""
        row = 3 * self.width
        rows = b"".join(_NO_FILTER + self.rgb[at : at + row] for at in range(0, row * self.height, row))
        header = struct.pack(">II", self.width, self.height) + _RGB_8_BITS
        return b"".join((
            _SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, 6)), _chunk(b"IEND", b"")
        ))  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# ---- whole pictures at once ----
#
# Python is slow a pixel, and fast a megabyte: bytes.translate() looks every byte up in a table, a slice with a step
# takes or places every nth byte, and two long integers are combined bit by bit.


def either(first: bytes, *others: bytes) -> bytes:
    """Bytes of the same length, combined by `or`."""
    combined = int.from_bytes(first, "little")
    for other in others:
        combined |= int.from_bytes(other, "little")
    return combined.to_bytes(len(first), "little")


def woven(parts: list[bytes]) -> bytes:
    """The first byte of each part, the second of each, and so on."""
    out = bytearray(len(parts) * len(parts[0]))
    for at, part in enumerate(parts):
        out[at :: len(parts)] = part
    return bytes(out)


@cache
def field_table(shift: int, bits: int, place: int) -> bytes:
    """For translate(): `bits` bits of a byte, from bit `shift` on, moved to bit `place`."""
    return bytes((value >> shift & (1 << bits) - 1) << place for value in range(256))


def from_palette(width: int, height: int, pixels: bytes, palette: bytes) -> Picture:
    """A picture of colour numbers; `palette` has 256 colours of 3 bytes."""
    return Picture(width, height, woven([pixels.translate(palette[color::3]) for color in range(3)]))
