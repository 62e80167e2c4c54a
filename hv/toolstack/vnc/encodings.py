"""Rectangles of a picture as a client wants them: raw, zlib, tight.

All three cost little a pixel. Hextile and ZRLE are left out: they look at tiles of a few pixels each, which Python is
slow at; every client of today knows one of these (raw is what all must know).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable

from hv.devices.picture import Picture
from hv.devices.screen_changes import Rectangle
from hv.toolstack.vnc.pixels import PixelFormat

RAW, ZLIB, TIGHT = 0, 6, 7
DESKTOP_SIZE = -223
_LEVEL = 3
_TIGHT_FILL, _TIGHT_BASIC = 0x80, 0x00
_TIGHT_WIDTH = 2048
_TIGHT_UNCOMPRESSED = 12
"""Below so many bytes tight compresses nothing."""
_RECTANGLE = struct.Struct(">HHHHi")


class Encoder:
    """Encodes for one client, whose zlib streams go on from update to update."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(_LEVEL)
        self._tight = zlib.compressobj(_LEVEL)

    def update(
        self, picture: Picture, rectangles: Iterable[Rectangle], pixels: PixelFormat, wanted: Iterable[int]
    ) -> bytes:
        """A FramebufferUpdate message; `wanted`: the client's encodings, the best first."""
        able: dict[int, Callable[[bytes, Rectangle, PixelFormat], bytes]] = {RAW: self._raw, ZLIB: self._zlibbed}
        if pixels.is_tight:
            able[TIGHT] = self._tightened
        kind = next((encoding for encoding in wanted if encoding in able), RAW)
        parts = [part for whole in rectangles for part in (_narrow(whole) if kind == TIGHT else (whole,))]
        out = [struct.pack(">BxH", 0, len(parts))]
        for part in parts:
            out.append(_RECTANGLE.pack(*part, kind))
            out.append(able[kind](picture.cut(*part), part, pixels))
        return b"".join(out)

    @staticmethod
    def _raw(rgb: bytes, part: Rectangle, pixels: PixelFormat) -> bytes:
        return pixels.pack(rgb)

    def _zlibbed(self, rgb: bytes, part: Rectangle, pixels: PixelFormat) -> bytes:
        data = self._zlib.compress(pixels.pack(rgb)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        return struct.pack(">I", len(data)) + data

    def _tightened(self, rgb: bytes, part: Rectangle, pixels: PixelFormat) -> bytes:
        if rgb == rgb[:3] * (part.width * part.height):
            return bytes((_TIGHT_FILL,)) + rgb[:3]
        if len(rgb) < _TIGHT_UNCOMPRESSED:
            return bytes((_TIGHT_BASIC,)) + rgb
        data = self._tight.compress(rgb) + self._tight.flush(zlib.Z_SYNC_FLUSH)
        return bytes((_TIGHT_BASIC,)) + _compact(len(data)) + data


def new_size(width: int, height: int) -> bytes:
    """A FramebufferUpdate message that says that the picture has another size now."""
    return struct.pack(">BxH", 0, 1) + _RECTANGLE.pack(0, 0, width, height, DESKTOP_SIZE)


def _narrow(whole: Rectangle) -> list[Rectangle]:
    """Tight has no wider rectangles, and 22 bits for the length of its data."""
    rows = max(1, (1 << 20) // _TIGHT_WIDTH // 3)
    return [
        Rectangle(x, y, min(_TIGHT_WIDTH, whole.x + whole.width - x), min(rows, whole.y + whole.height - y))
        for y in range(whole.y, whole.y + whole.height, rows)
        for x in range(whole.x, whole.x + whole.width, _TIGHT_WIDTH)
    ]


def _compact(length: int) -> bytes:
    """A length in one to three bytes of 7, 7 and 8 bits."""
    if length < 1 << 7:
        return bytes((length,))
    if length < 1 << 14:
        return bytes((length & 0x7F | 0x80, length >> 7))
    return bytes((length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
