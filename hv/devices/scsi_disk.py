"""A SCSI disk: blocks of 512 bytes that are read and written.

Source: SBC-2 (T10/1417-D), chapter 5; SPC-3 (T10/1416-D) for INQUIRY, REPORT LUNS and mode pages.
"""

from __future__ import annotations

import struct

from hv.devices.ata_identify import FIRMWARE
from hv.devices.scsi import INQUIRY, INVALID_FIELD, NO_SAVING, SECTOR, Refused, Reply, ScsiUnit, inquiry_data, number

DIRECT_ACCESS, SPC_3, STANDARD_FORM = 0x00, 0x05, 0x02
SUPPORTED_PAGES, SERIAL_PAGE = 0x00, 0x80
"""Pages of vital product data."""
CACHING_PAGE, ALL_PAGES = 0x08, 0x3F
_CACHING = bytes([CACHING_PAGE, 18]) + bytes(18)
"""No write cache: what was written is kept."""
READ_ONLY = 0x80
_MANY = 0x100
"""What a count of 0 means in READ(6) and WRITE(6)."""
READ_CAPACITY_16 = 0x10
"""Service action."""


class ScsiDisk(ScsiUnit):
    """A fixed disk. `serial`: at most 20 characters, ASCII."""

    BLOCK = SECTOR
    PRODUCT = "HARDDISK"
    serial: str

    def inquiry(self, packet: bytes) -> Reply:
        """INQUIRY: the standard data, or a page of vital product data."""
        room = number(packet, 3, 2)
        if not packet[1] & 1:
            if packet[2]:
                raise Refused(INVALID_FIELD)
            return Reply(inquiry_data(DIRECT_ACCESS, 0, self.PRODUCT, FIRMWARE, SPC_3, STANDARD_FORM)[:room])
        pages = {SUPPORTED_PAGES: bytes([SUPPORTED_PAGES, SERIAL_PAGE]), SERIAL_PAGE: self.serial.encode()}
        if packet[2] not in pages:
            raise Refused(INVALID_FIELD)
        body = pages[packet[2]]
        return Reply((bytes([DIRECT_ACCESS, packet[2], 0, len(body)]) + body)[:room])

    def nothing(self, packet: bytes) -> Reply:
        """START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL: it always turns, and cannot be taken out."""
        return Reply()

    def flush(self, packet: bytes) -> Reply:
        """SYNCHRONIZE CACHE."""
        self.medium().flush()
        return Reply()

    def verify(self, packet: bytes) -> Reply:
        """VERIFY(10): that the blocks are there; it does not compare."""
        if packet[1] & 0x06:
            raise Refused(INVALID_FIELD)
        self.access(number(packet, 2, 4), number(packet, 7, 2))
        return Reply()

    def read_6(self, packet: bytes) -> Reply:
        """READ(6)."""
        return self.access(number(packet, 1, 3) & 0x1FFFFF, packet[4] or _MANY)

    def read_16(self, packet: bytes) -> Reply:
        """READ(16)."""
        return self.access(number(packet, 2, 8), number(packet, 10, 4))

    def write_6(self, packet: bytes) -> Reply:
        """WRITE(6)."""
        return self.access(number(packet, 1, 3) & 0x1FFFFF, packet[4] or _MANY, writes=True)

    def write_10(self, packet: bytes) -> Reply:
        """WRITE(10), WRITE AND VERIFY(10)."""
        return self.access(number(packet, 2, 4), number(packet, 7, 2), writes=True)

    def write_12(self, packet: bytes) -> Reply:
        """WRITE(12)."""
        return self.access(number(packet, 2, 4), number(packet, 6, 4), writes=True)

    def write_16(self, packet: bytes) -> Reply:
        """WRITE(16)."""
        return self.access(number(packet, 2, 8), number(packet, 10, 4), writes=True)

    def read_capacity_16(self, packet: bytes) -> Reply:
        """READ CAPACITY(16), the only service action of its operation code."""
        if packet[1] & 0x1F != READ_CAPACITY_16:
            raise Refused(INVALID_FIELD)
        answer = struct.pack(">QI", max(self.blocks() - 1, 0), self.BLOCK).ljust(32, b"\0")
        return Reply(answer[: number(packet, 10, 4)])

    def format_capacities(self, packet: bytes) -> Reply:
        """READ FORMAT CAPACITIES: formatted as it is."""
        answer = struct.pack(">IIBBH", 8, min(self.blocks(), 0xFFFFFFFF), 2, 0, self.BLOCK)
        return Reply(answer[: number(packet, 7, 2)])

    def report_luns(self, packet: bytes) -> Reply:
        """REPORT LUNS: there is number 0."""
        return Reply((struct.pack(">II", 8, 0) + bytes(8))[: number(packet, 6, 4)])

    def mode_sense_6(self, packet: bytes) -> Reply:
        """MODE SENSE(6)."""
        body = self._mode_pages(packet)
        return Reply((bytes([3 + len(body), 0, self._protection(), 0]) + body)[: packet[4]])

    def mode_sense_10(self, packet: bytes) -> Reply:
        """MODE SENSE(10)."""
        body = self._mode_pages(packet)
        return Reply((struct.pack(">HBBI", 6 + len(body), 0, self._protection(), 0) + body)[: number(packet, 7, 2)])

    def _mode_pages(self, packet: bytes) -> bytes:
        """Current, changeable (none) and default values are the same; none are saved."""
        if packet[2] >> 6 == 3:
            raise Refused(NO_SAVING)
        if packet[2] & 0x3F not in (CACHING_PAGE, ALL_PAGES):
            raise Refused(INVALID_FIELD)
        return _CACHING

    def _protection(self) -> int:
        return READ_ONLY if self.medium().read_only else 0


ScsiDisk.COMMANDS = {
    **ScsiUnit.COMMANDS,
    INQUIRY: ScsiDisk.inquiry,
    0x08: ScsiDisk.read_6,
    0x0A: ScsiDisk.write_6,
    0x1A: ScsiDisk.mode_sense_6,
    0x1B: ScsiDisk.nothing,
    0x1E: ScsiDisk.nothing,
    0x23: ScsiDisk.format_capacities,
    0x2A: ScsiDisk.write_10,
    0x2E: ScsiDisk.write_10,
    0x2F: ScsiDisk.verify,
    0x35: ScsiDisk.flush,
    0x5A: ScsiDisk.mode_sense_10,
    0x88: ScsiDisk.read_16,
    0x8A: ScsiDisk.write_16,
    0x91: ScsiDisk.flush,
    0x9E: ScsiDisk.read_capacity_16,
    0xA0: ScsiDisk.report_luns,
    0xAA: ScsiDisk.write_12,
}
