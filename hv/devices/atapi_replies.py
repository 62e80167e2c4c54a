"""What a CD-ROM drive answers: bytes from facts. Big-endian, as SCSI is.

Source: MMC-5 (T10/1675-D), chapter 6; SPC-3 (T10/1416-D) for INQUIRY and mode pages.
"""

from __future__ import annotations

import struct

from hv.devices.ata_identify import FIRMWARE
from hv.devices.scsi import REMOVABLE, inquiry_data

SECTOR = 2048
LEAD_OUT = 0xAA
_DATA_TRACK = 0x14
"""ADR 1, control 4: a data track."""
_FRAMES_BEFORE = 150
"""Two seconds: where block 0 is, as minute, second and frame."""
_DVD_SECTORS = 0x60000
"""More blocks than a CD can have: then it is a DVD."""
PROFILE_CD, PROFILE_DVD = 0x0008, 0x0010
MEDIA_EVENT_CLASS = 4


def inquiry() -> bytes:
    """INQUIRY: a removable CD-ROM device behind ATAPI."""
    return inquiry_data(0x05, REMOVABLE, "CD-ROM", FIRMWARE)


def _place(block: int, msf: bool) -> bytes:
    """A block's address as a table of contents has it."""
    if not msf:
        return block.to_bytes(4, "big")
    seconds, frame = divmod(block + _FRAMES_BEFORE, 75)
    return bytes([0, min(seconds // 60, 255), seconds % 60, frame])


def toc(sectors: int, msf: bool, first: int) -> bytes | None:
    """READ TOC, format 0: track 1 and the lead-out, from track `first` on; None: there is no such track."""
    if first > 1 and first != LEAD_OUT:
        return None
    tracks = [(1, 0)] if first <= 1 else []
    tracks.append((LEAD_OUT, sectors))
    body = b"".join(bytes([0, _DATA_TRACK, number, 0]) + _place(block, msf) for number, block in tracks)
    return struct.pack(">HBB", len(body) + 2, 1, 1) + body


def sessions(msf: bool) -> bytes:
    """READ TOC, format 1: there is one session, which begins with track 1."""
    return struct.pack(">HBB", 10, 1, 1) + bytes([0, _DATA_TRACK, 1, 0]) + _place(0, msf)


def full_toc(sectors: int) -> bytes:
    """READ TOC, format 2: the lead-in. Points A0 and A1 name the first and the last track, A2 the lead-out."""
    points = (
        (0xA0, b"\0\1\0\0"), (0xA1, b"\0\1\0\0"), (0xA2, _place(sectors, True)), (1, _place(0, True)),
    )  # fmt: skip
    body = b"".join(bytes([1, _DATA_TRACK, 0, point, 0, 0, 0]) + place for point, place in points)
    return struct.pack(">HBB", len(body) + 2, 1, 1) + body


_MODE_PAGES = {
    # Read error recovery: all defaults, no retries counted.
    0x01: bytes([0x01, 6, 0, 0, 0, 0, 0, 0]),
    # Capabilities: reads CD-R, CD-RW and DVDs; tray, lock and eject; 4x speed, 512 KiB of buffer.
    0x2A: bytes([0x2A, 18, 0x0B, 0, 0x70, 0, 0x29, 0]) + struct.pack(">HHHH", 706, 2, 512, 706) + bytes(4),
}
ALL_PAGES = 0x3F


def mode_sense(page: int, locked: bool) -> bytes | None:
    """MODE SENSE(10): the header and one page, or all; None: there is no such page."""
    if page == ALL_PAGES:
        body = b"".join(_MODE_PAGES.values())
    elif page in _MODE_PAGES:
        body = _MODE_PAGES[page]
    else:
        return None
    data = bytearray(struct.pack(">H6x", len(body) + 6) + body)
    at = data.find(_MODE_PAGES[0x2A])
    if locked and at >= 0:
        data[at + 6] |= 0x02
    return bytes(data)


def configuration(sectors: int, kind: int, first: int) -> bytes:
    """GET CONFIGURATION: features from number `first` on; kind 0: all, 1: those that are current, 2: `first` alone.
    `sectors` is 0 without a medium."""
    profile = 0 if sectors == 0 else PROFILE_DVD if sectors > _DVD_SECTORS else PROFILE_CD
    profiles = b"".join(
        struct.pack(">HBB", number, number == profile, 0) for number in (PROFILE_DVD, PROFILE_CD)
    )  # fmt: skip
    features = (
        (0x0000, 0x03, profiles),
        (0x0001, 0x0B, struct.pack(">IB3x", 2, 1)),  # core: behind ATAPI; DBE
        (0x0003, 0x03, b"\x29\0\0\0"),  # removable: a tray, which can be locked and opened
        (0x001E, 0x08 | (profile == PROFILE_CD), bytes(4)),  # CD read
        (0x001F, profile == PROFILE_DVD, bytes(4)),  # DVD read
    )
    body = b"".join(
        struct.pack(">HBB", number, flags, len(data)) + data
        for number, flags, data in features
        if (number == first if kind == 2 else number >= first and (kind == 0 or flags & 1))
    )
    return struct.pack(">I2xH", len(body) + 4, profile) + body


def event_status(wanted: int, event: int, present: bool, is_open: bool) -> bytes:
    """GET EVENT STATUS NOTIFICATION: of the classes in the mask `wanted` only media events are there."""
    if not wanted & 1 << MEDIA_EVENT_CLASS:
        return bytes([0, 2, 0x80, 1 << MEDIA_EVENT_CLASS])
    return bytes([0, 6, MEDIA_EVENT_CLASS, 1 << MEDIA_EVENT_CLASS, event, present << 1 | is_open, 0, 0])


def mechanism_status(is_open: bool) -> bytes:
    """MECHANISM STATUS: no changer."""
    return bytes([0, is_open << 4, 0, 0, 0, 0, 0, 0])


def disc_information() -> bytes:
    """READ DISC INFORMATION: complete, one session, one track, not erasable."""
    return bytes([0, 32, 0x0E, 1, 1, 1, 1, 0x20]).ljust(34, b"\0")
