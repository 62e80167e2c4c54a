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
        self._symbols = list(_bounded([at[start] for start in self._starts], sorted(regions)))
        self._starts = [symbol.start for symbol in self._symbols]

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Symbol]:
        """The symbols that stand for addresses, ascending, one an address."""
        return iter(self._symbols)

    @property
    def names(self) -> Iterable[str]:
        """Every name, in no promised order."""
        return self._by_name.keys()

    def find(self, name: str) -> int | None:
        """The address of `name`; of several the global one, else the first."""
        return self._by_name.get(name)

    def at(self, address: int) -> Symbol | None:
        """The symbol that holds `address`: the nearest before it that is large enough."""
        index = bisect_right(self._starts, address) - 1
        for symbol in self._symbols[max(index - _ENCLOSING, -1) + 1 : index + 1][::-1]:
            if address < symbol.end:
                return symbol
        return None


def _bounded(entries: list[Entry], regions: list[Region]) -> Iterator[Symbol]:
    """Entries in order of address become symbols; what lies in no region is left out."""
    starts = [region.start for region in regions]
    for index, entry in enumerate(entries):
        where = bisect_right(starts, entry.start) - 1
        if where < 0 or entry.start >= regions[where].end:
            continue
        end = regions[where].end
        if entry.size:
            end = min(end, entry.start + entry.size)
        elif index + 1 < len(entries):
            end = min(end, entries[index + 1].start)
        yield Symbol(entry.name, entry.start, end, regions[where].code)


def printable(name: bytes) -> str:
    """A name out of a file, safe to print on a terminal."""
    text = name.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
