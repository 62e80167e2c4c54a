"""A disk as a device has it: an image with what the guest has written before it.

    disk = Disk(open_image("root.img"))
    disk.write(63, sector)              # into the overlay: the file is never touched
    saved = disk.save()                 # a reference; costs nothing
"""

from __future__ import annotations

import struct

from hv.disk.image import SECTOR, Image, MediumError
from hv.disk.overlay import BLOCK, Overlay

_PER_BLOCK = BLOCK // SECTOR
DEFAULT_LIMIT = 4 << 30
"""Bytes that a guest may write to one disk, unless it is told otherwise: they are kept in memory."""


class Disk:
    """`sectors` of 512 bytes. All that a run can change of it is `overlay`."""

    def __init__(self, image: Image, read_only: bool = False, limit: int = DEFAULT_LIMIT) -> None:
        """`read_only`: the guest may not write. `limit`: bytes of blocks that it may have written."""
        self.image = image
        self.read_only = read_only
        self.sectors = image.size // SECTOR
        self.limit = limit
        self.overlay = Overlay(-(-image.size // BLOCK))

    def read(self, sector: int, count: int) -> bytes:
        """The contents of `count` sectors, which must be on the disk. MediumError: the image is damaged there."""
        self._check(sector, count)
        if self.overlay.count == 0:
            return self.image.read(sector * SECTOR, count * SECTOR)
        return self._read_blocks(sector * SECTOR, count * SECTOR)

    def _check(self, sector: int, count: int) -> None:
        if not 0 <= sector <= sector + count <= self.sectors:
            raise MediumError(f"{self.image.name}: sectors {sector} to {sector + count} of {self.sectors}")

    def _read_blocks(self, start: int, length: int) -> bytes:
        parts: list[bytes] = []
        end = start + length
        behind = start  # where a run of bytes begins that the image has to give
        while start < end:
            inside = start % BLOCK
            step = min(BLOCK - inside, end - start)
            block = self.overlay.get(start // BLOCK)
            if block is not None:
                if behind < start:
                    parts.append(self.image.read(behind, start - behind))
                parts.append(block[inside : inside + step])
                behind = start + step
            start += step
        if behind < end:
            parts.append(self.image.read(behind, end - behind))
        return b"".join(parts)

    def write(self, sector: int, data: bytes) -> None:
        """Change whole sectors. MediumError: the disk cannot be written, or not there, and nothing has changed."""
        count = len(data) // SECTOR
        if self.read_only:
            raise MediumError(f"{self.image.name}: it is read-only")
        self._check(sector, count)
        if count == 0:
            return
        first, last = sector // _PER_BLOCK, (sector + count - 1) // _PER_BLOCK
        head = self._block(first)[: sector % _PER_BLOCK * SECTOR] if sector % _PER_BLOCK else b""
        after = (sector + count) % _PER_BLOCK
        tail = self._block(last)[after * SECTOR :] if after else b""
        whole = head + data + tail
        overlay = self.overlay.put(first, [whole[at : at + BLOCK] for at in range(0, len(whole), BLOCK)])
        if overlay.count * BLOCK > self.limit and overlay.count > self.overlay.count:
            raise MediumError(f"{self.image.name}: more than {self.limit} bytes were written")
        self.overlay = overlay

    def _block(self, number: int) -> bytes:
        """A whole block; zeros behind the disk's end."""
        block = self.overlay.get(number)
        if block is not None:
            return block
        start = number * BLOCK
        return self.image.read(start, min(BLOCK, self.image.size - start)).ljust(BLOCK, b"\0")

    def flush(self) -> None:
        """What was written is kept: as far as a guest can tell it always is (docs/adr/0006)."""

    # ---- state ----

    def save(self) -> Overlay:
        """All that a run can change, as an immutable value."""
        return self.overlay

    def load(self, saved: Overlay) -> None:
        """Become what save() gave, on this disk or on another of the same size. ValueError: another size."""
        if saved.capacity != self.overlay.capacity:
            raise ValueError(f"{self.image.name}: what was saved belongs to a disk of another size")
        self.overlay = saved

    def canonical(self) -> bytes:
        """For the state hash: how large the disk is and what was written."""
        return struct.pack("<QQ", self.sectors, self.overlay.count) + self.overlay.digest()
