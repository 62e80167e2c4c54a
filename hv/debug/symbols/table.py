"""A table of symbols: name to address, address to place. Where the symbols come from is others' affair."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENCLOSING = 8
"""Symbols looked at before an address, at most, for one that is large enough to hold it."""


class Place(NamedTuple):
    """A symbol and the bytes from its start: `start_kernel+0x12`."""

    name: str
    offset: int

    def __str__(self) -> str:
        return f"{self.name}+{self.offset:#x}" if self.offset else self.name


class Region(NamedTuple):
    """A part of the image, [start, end): a section, or a segment where there are none. `code`: it is executable."""

    start: int
    end: int
    code: bool


class Entry(NamedTuple):
    """A symbol as its source has it. `size` 0: it reaches to the next one. `rank`: of several at one address, or of
    one name, the highest counts. `absolute`: a number (or an offset in a per-cpu area), never where an address is."""

    start: int
    size: int
    name: str
    rank: int
    absolute: bool = False


class Symbol(NamedTuple):
    """A symbol with the addresses that belong to it, [start, end)."""

    name: str
    start: int
    end: int
    code: bool


class Table:
    """The symbols of one image, in order of their addresses."""

    def __init__(self, entries: Iterable[Entry] = (), regions: Iterable[Region] = ()) -> None:
        best = sorted(entries, key=lambda entry: -entry.rank)  # stable: the first of equals stays first
        self._by_name: dict[str, int] = {}
        for entry in best:
            self._by_name.setdefault(entry.name, entry.start)
        at: dict[int, Entry] = {}
        for entry in best:
            if not entry.absolute:
                at.setdefault(entry.start, entry)
        self._starts = sorted(at)
        self._entries = [at[start] for start in self._starts]
        self._regions = sorted(regions)
        self._region_starts = [region.start for region in self._regions]

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Symbol]:
        """The symbols that stand for addresses, ascending, one an address."""
        for index in range(len(self._entries)):
            symbol = self._symbol(index)
            if symbol is not None:
                yield symbol

    @property
    def names(self) -> Iterable[str]:
        """Every name, in no promised order."""
        return self._by_name.keys()

    def find(self, name: str) -> int | None:
        """The address of `name`; of several the global one, else the first."""
        return self._by_name.get(name)

    def at(self, address: int) -> Symbol | None:
        """The symbol that holds `address`: the nearest before it that is large enough."""
        nearest = bisect_right(self._starts, address) - 1
        for index in range(nearest, max(nearest - _ENCLOSING, -1), -1):
            symbol = self._symbol(index)
            if symbol is not None and address < symbol.end:
                return symbol
        return None

    def _symbol(self, index: int) -> Symbol | None:
        """An entry with its end; None when it lies in no region."""
        entry = self._entries[index]
        where = bisect_right(self._region_starts, entry.start) - 1
        if where < 0 or entry.start >= self._regions[where].end:
            return None
        region = self._regions[where]
        end = region.end
        if entry.size:
            end = min(end, entry.start + entry.size)
        elif index + 1 < len(self._starts):
            end = min(end, self._starts[index + 1])
        return Symbol(entry.name, entry.start, end, region.code)


def printable(name: bytes) -> str:
    """A name out of a file, safe to print on a terminal."""
    text = name.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
