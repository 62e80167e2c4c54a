"""Disks for tests: contents that say of themselves where they are."""

from __future__ import annotations

from hv.disk.image import SECTOR


class NumberedImage:
    """A disk image (hv.disk.image.Image) of so many sectors; each begins with its own number, 8 bytes little-endian,
    and goes on with zeros."""

    format = "raw"
    probed = False

    def __init__(self, sectors: int) -> None:
        self.name = "numbered"
        self.size = sectors * SECTOR

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of it, whole sectors or parts."""
        first, last = offset // SECTOR, -(-(offset + length) // SECTOR)
        data = b"".join(number.to_bytes(8, "little").ljust(SECTOR, b"\0") for number in range(first, last))
        return data[offset - first * SECTOR :][:length]

    def close(self) -> None:
        """There is no file."""
