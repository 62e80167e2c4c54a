"""A bus: whose registers a guest's access to a port, or to memory that is no RAM, means.

Accesses that nobody claims read as ones and write into nothing, as on a PC. An access wider than a device understands
is split into neighbouring ones, lowest address first; so is one that runs over a region's end.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass, field

Read = Callable[[int, int], int]
"""(offset in the region, size in bytes) -> value"""
Write = Callable[[int, int, int], None]
"""(offset in the region, size in bytes, value)"""


@dataclass(eq=False)
class Region:
    """A range of addresses of one device. `widths`: the sizes of access that the device takes, in bytes, ascending and
    without gaps from the first; wider ones are split into the widest that fits, narrower ones read as part of the
    narrowest (a write to such a part is dropped)."""

    name: str
    size: int
    read: Read
    write: Write
    widths: tuple[int, ...] = (1,)
    base: int | None = field(default=None, init=False)
    """Where it is mapped; None: nowhere."""


class Bus:
    """Regions by address. Where two overlap, the one that was mapped last is met, as far as it reaches."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._regions: list[Region] = []  # the last mapped first
        self._starts: list[int] = []      # where a piece begins, ascending ...
        self._pieces: list[Region | None] = []  # ... and who has it; None: nobody

    def map(self, region: Region, base: int) -> None:
        """Have `region` answer at `base`, and nowhere else. ValueError: it does not fit there."""
        if not 0 <= base <= base + region.size <= self.size:
            raise ValueError(f"{region.name}: {region.size:#x} bytes do not fit at {base:#x}")
        self._forget(region)
        region.base = base
        self._regions.insert(0, region)
        self._cut()

    def unmap(self, region: Region) -> None:
        """The region no longer answers; nothing happens if it does not."""
        if region.base is not None:
            self._forget(region)
            self._cut()

    def _forget(self, region: Region) -> None:
        self._regions = [other for other in self._regions if other is not region]
        region.base = None

    def _cut(self) -> None:
        edges = sorted({0, *(edge for r in self._regions if r.base is not None for edge in (r.base, r.base + r.size))})
        self._starts = edges
        self._pieces = [self._topmost(edge) for edge in edges]

    def _topmost(self, address: int) -> Region | None:
        for region in self._regions:
            if region.base is not None and region.base <= address < region.base + region.size:
                return region
        return None

    def find(self, address: int) -> Region | None:
        """Who answers at an address."""
        at = bisect.bisect_right(self._starts, address) - 1
        return self._pieces[at] if at >= 0 else None

    def regions(self) -> list[Region]:
        """What is mapped, by address."""
        return sorted(self._regions, key=lambda region: (region.base or 0, region.name))

    # ---- accesses ----

    def read(self, address: int, size: int) -> int:
        """A guest reads `size` bytes (1, 2, 4, 8)."""
        value, done = 0, 0
        while done < size:
            part, width = self._read_part(address + done, size - done)
            value |= part << 8 * done
            done += width
        return value

    def _read_part(self, address: int, size: int) -> tuple[int, int]:
        """Value and size of the first piece."""
        region = self.find(address)
        if region is None or region.base is None:
            return 0xFF, 1
        offset = address - region.base
        narrowest = region.widths[0]
        if size < narrowest or offset % narrowest:
            whole = region.read(offset - offset % narrowest, narrowest)
            return whole >> 8 * (offset % narrowest) & 0xFF, 1
        width = self._fitting(region, offset, size)
        return region.read(offset, width) & (1 << 8 * width) - 1, width

    def write(self, address: int, size: int, value: int) -> None:
        """A guest writes `size` bytes (1, 2, 4, 8)."""
        done = 0
        while done < size:
            region = self.find(address + done)
            width = 1
            if region is not None and region.base is not None:
                offset = address + done - region.base
                narrowest = region.widths[0]
                if size - done >= narrowest and offset % narrowest == 0:
                    width = self._fitting(region, offset, size - done)
                    region.write(offset, width, value >> 8 * done & (1 << 8 * width) - 1)
            done += width

    @staticmethod
    def _fitting(region: Region, offset: int, size: int) -> int:
        room = min(size, region.size - offset)
        if room in region.widths:
            return room
        return max((width for width in region.widths if width <= room), default=region.widths[0])
