"""The 256 words by which a drive tells what it is and can do.

Source: ATA/ATAPI-6 (T13/1410D), 8.15 and 8.16, and for words that this edition dropped ATA/ATAPI-4. Words that are left
out are 0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

MODEL_DISK, MODEL_CD, FIRMWARE = "XENLAB HARDDISK", "XENLAB CD-ROM", "1.0"
MAX_MULTIPLE = 16
"""Sectors of a block of READ MULTIPLE at most."""
_LBA28_SECTORS = 0x0FFFFFFF

_COMMON = {
    21: 512,  # of buffer, in sectors
    48: 0x0001,  # 32-bit accesses to the data port
    49: 0x0B00,  # LBA, DMA, IORDY
    53: 0x0007,  # words 54-58, 64-70 and 88 are valid
    64: 0x0003,  # PIO 3 and 4
    65: 120, 66: 120, 67: 120, 68: 120,  # ns of a DMA or PIO cycle
    80: 0x00F0,  # ATA/ATAPI-4 to 7
    84: 0x4000, 87: 0x4000,
    93: 0x6001,  # 80-conductor cable; device 0 has passed its diagnosis
}  # fmt: skip


def _modes(mode: int) -> dict[int, int]:
    """Words 63 and 88: multiword DMA 0-2 and Ultra DMA 0-5, and which of them is chosen."""
    words = {63: 0x0007, 88: 0x003F}
    if mode >= 0x40:
        words[88] |= 0x100 << (mode & 7)
    else:
        words[63] |= 0x100 << (mode & 7)
    return words


def _text(first: int, words: int, text: str) -> dict[int, int]:
    """A string in words: the first character of each is the high byte."""
    data = text.encode("ascii").ljust(2 * words)[: 2 * words]
    return {first + i: data[2 * i] << 8 | data[2 * i + 1] for i in range(words)}


def _names(serial: str, model: str) -> dict[int, int]:
    return _text(10, 10, serial) | _text(23, 4, FIRMWARE) | _text(27, 20, model)


def _number(first: int, words: int, value: int) -> dict[int, int]:
    """A number in words, the lowest first."""
    return {first + i: value >> 16 * i & 0xFFFF for i in range(words)}


def _pack(words: Mapping[int, int]) -> bytes:
    data = struct.pack("<255H", *(words.get(i, 0) for i in range(255))) + b"\xa5"
    return data + bytes([-sum(data) & 0xFF])  # so that all bytes sum up to 0


def default_geometry(sectors: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors a track of a disk, as it has them after power-on."""
    return min(max(sectors // (16 * 63), 1), 16383), 16, 63


def identify_disk(
    *, serial: str, sectors: int, heads: int, track: int, multiple: int, mode: int, write_cache: bool, look_ahead: bool
) -> bytes:
    """IDENTIFY DEVICE of a hard disk. `heads` and `track` (sectors a track) are the translation that is set now."""
    cylinders, all_heads, all_track = default_geometry(sectors)
    now = min(max(sectors // (heads * track), 1), 65535)
    enabled = write_cache << 5 | look_ahead << 6
    return _pack(
        _COMMON
        | _modes(mode)
        | _names(serial, MODEL_DISK)
        | {
            0: 0x0040,  # a fixed disk
            1: cylinders, 3: all_heads, 6: all_track,
            47: 0x8000 | MAX_MULTIPLE,
            54: now, 55: heads, 56: track,
            59: 0x100 | multiple if multiple else 0,
            82: 0x4068, 83: 0x7400,  # NOP, look-ahead, write cache, power; FLUSH CACHE (EXT), 48-bit addresses
            85: 0x4008 | enabled, 86: 0x3400,
        }
        | _number(57, 2, min(now * heads * track, sectors))
        | _number(60, 2, min(sectors, _LBA28_SECTORS))
        | _number(100, 4, sectors)
    )  # fmt: skip


def identify_cd(*, serial: str, mode: int) -> bytes:
    """IDENTIFY PACKET DEVICE of a CD-ROM drive."""
    return _pack(
        _COMMON
        | _modes(mode)
        | _names(serial, MODEL_CD)
        | {
            0: 0x85C0,  # ATAPI, CD-ROM, removable, DRQ within 50 us, packets of 12 bytes
            82: 0x4218, 83: 0x4000, 85: 0x4218,  # NOP, DEVICE RESET, PACKET, power
        }
    )  # fmt: skip
