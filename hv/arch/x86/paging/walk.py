"""Look into 4-level page tables without touching them: one address, or everything that is mapped.

The frames come through a function, so that it works on live domains and on anything else that has frames.
Entry format: Intel SDM volume 3A, section 4.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hv.arch.core import ReadFrame, Run

LEVELS = 4
PRESENT, WRITE, USER, ACCESSED, DIRTY, LARGE, NX = 1, 2, 4, 0x20, 0x40, 0x80, 1 << 63
FRAME_MASK = (1 << 52) - (1 << 12)

class Step(NamedTuple):
    """One entry met on the way down:

    its level (4: top), the table's frame, the slot in it (0..511), and the entry.
    """

    level: int
    table: int
    slot: int
    entry: int

    @property
    def present(self) -> bool:
        """Whether the walk goes on (or ends well) here."""
        return bool(self.entry & PRESENT)


def canonical(va: int) -> int:
    """Bits 63..48 filled with bit 47."""
    va &= (1 << 48) - 1
    return va | (0xFFFF << 48) if va >> 47 else va


def walk(read: ReadFrame, root: int, va: int) -> list[Step]:
    """The entries that translate `va` from the top-level table in frame `root`; ends where one is not
    present."""
    steps: list[Step] = []
    table = root
    for level in range(LEVELS, 0, -1):
        index = va >> (3 + 9 * level) & 511
        try:
            entry = int.from_bytes(read(table)[index * 8 : index * 8 + 8], "little")
        except LookupError:
            break
        steps.append(Step(level, table, index, entry))
        if not entry & PRESENT or (level > 1 and entry & LARGE):
            break
        table = (entry & FRAME_MASK) >> 12
    return steps


def flags(entry: int) -> str:
    """The bits of an entry as letters: Present, Write, User, Accessed, Dirty, Size, and NX for no-execute."""
    names = (
        (PRESENT, "P"),
        (WRITE, "W"),
        (USER, "U"),
        (ACCESSED, "A"),
        (DIRTY, "D"),
        (LARGE, "S"),
        (NX, " NX"),
    )
    return "".join(name for bit, name in names if entry & bit) or "not present"


def runs(read: ReadFrame, root: int) -> Iterator[Run]:
    """What is mapped by 4 KiB pages below `root`, in ascending order of (unsigned) linear address.

    Each table is looked at once at each level: what a second entry shows through the same table is left out. Linux has
    65,536 mappings of one page of that kind (espfix), and a table that maps itself would have 2**36.
    """
    current: Run | None = None
    for va, entry in _leaves(read, root, LEVELS, 0, 0, set()):
        frame = (entry & FRAME_MASK) >> 12
        writable, executable = bool(entry & WRITE), not entry & NX
        if (
            current is not None
            and va == current.va + (current.pages << 12)
            and frame == current.frame + current.pages
            and (writable, executable) == (current.writable, current.executable)
        ):
            current = current._replace(pages=current.pages + 1)
            continue
        if current is not None:
            yield current
        current = Run(va, frame, 1, writable, executable)
    if current is not None:
        yield current


def _leaves(
    read: ReadFrame, table: int, level: int, base: int, nx: int, seen: set[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    if (table, level) in seen:
        return
    seen.add((table, level))
    try:
        entries = memoryview(read(table)).cast("Q")
    except LookupError:
        return
    for index, entry in enumerate(entries):
        if not entry & PRESENT or (level > 1 and entry & LARGE):
            continue
        va = base | index << (3 + 9 * level)
        if level == 1:
            yield canonical(va), entry | nx
        else:
            yield from _leaves(read, (entry & FRAME_MASK) >> 12, level - 1, va, nx | entry & NX, seen)
