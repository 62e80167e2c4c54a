"""The initial memory of a PV domain: which page holds what. Arithmetic only, no hypervisor.

The order is that of Xen's domain builder and of the comment above `struct start_info` in
xen/include/public/xen.h: kernel, ramdisk, p2m list, start_info, xenstore ring, console ring, page tables,
boot stack, padding up to a 4 MiB boundary (at least 512 KiB of it). All of that is mapped from VIRT_BASE on,
page 0 first. Behind it, unmapped, comes the ramdisk of a kernel with the note MOD_START_PFN, and the p2m of
one with INIT_P2M, which is mapped at that address by page tables that follow it.
"""

from __future__ import annotations

from typing import NamedTuple

from hv.arch.x86.builder.placement import Placement
from hv.builder.image import PAGE_SHIFT, PAGE_SIZE, BuilderError

LEVELS = 4
_INDEX_BITS = 9
_ADDRESS_MASK = (1 << 48) - 1
_PADDING_PAGES = (512 << 10) >> PAGE_SHIFT
_LARGEST = (16 << 30) >> PAGE_SHIFT     # pages of kernel and ramdisk that are worth a plan
_END_MASK = (4 << 20) - 1


class Part(NamedTuple):
    """A run of pages: first pfn, number of pages, and where it is mapped (None: it is not)."""

    pfn: int
    pages: int
    va: int | None


class Mapping(NamedTuple):
    """A range that the initial page tables map: `pages` pages from pfn on, at linear address va."""

    va: int
    pfn: int
    pages: int


class PvLayout(NamedTuple):
    """Where everything is.

    `tables[level - 1]` has the pfn of each page table, by the part of the address it serves.
    """

    pages: int
    kernel: Part
    ramdisk: Part | None
    p2m: Part
    start_info: Part
    xenstore: Part
    console: Part
    page_tables: Part  # of the mapping from VIRT_BASE; the top-level table comes first
    boot_stack: Part
    mappings: tuple[Mapping, ...]
    tables: tuple[dict[int, int], ...]
    p2m_frames: int  # pages of the p2m and of the tables that map it; 0: it is mapped with the rest
    used: int  # pages in use or mapped; the rest of the domain's memory is free

    def table_frames(self) -> frozenset[int]:
        """The pfn of every page table."""
        return frozenset(pfn for level in self.tables for pfn in level.values())


def pages_of(size: int) -> int:
    """Pages that `size` bytes fill."""
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT


def table_key(va: int, level: int) -> int:
    """Which table of `level` (1: lowest) serves the address."""
    return (va & _ADDRESS_MASK) >> (PAGE_SHIFT + _INDEX_BITS * level)


class _Tables:
    """Page tables given out so far: each mapping adds those that are not there yet, top level first."""

    def __init__(self) -> None:
        self.levels: tuple[dict[int, int], ...] = tuple({} for _ in range(LEVELS))

    def missing(self, va: int, pages: int) -> list[tuple[int, int]]:
        """(level, key) of each table that the range needs and that is not there."""
        last = va + (pages << PAGE_SHIFT) - 1
        return [
            (level, key)
            for level in range(LEVELS, 0, -1)
            for key in range(table_key(va, level), table_key(last, level) + 1)
            if key not in self.levels[level - 1]
        ]

    def add(self, missing: list[tuple[int, int]], pfn: int) -> None:
        """Give the tables of `missing` the pages from pfn on."""
        for number, (level, key) in enumerate(missing):
            self.levels[level - 1][key] = pfn + number


def plan(name: str, place: Placement, pages: int, ramdisk_size: int) -> PvLayout:
    """Lay out a domain of `pages` pages. BuilderError when they do not suffice; the line says how many do."""
    content = pages_of(place.end - place.virt_base) + pages_of(ramdisk_size)
    if content > _LARGEST:
        raise BuilderError(
            name,
            f"the kernel ends {place.end - place.virt_base:#x} bytes above its VIRT_BASE {place.virt_base:#x}, "
            f"and the domain has {pages >> 8} MiB",
            "link the kernel closer to its base",
        )
    layout = _plan(name, place, pages, ramdisk_size)
    if layout.used > pages:
        enough = layout.used
        while (needed := _plan(name, place, enough, ramdisk_size).used) > enough:
            enough = needed
        raise BuilderError(
            name,
            f"it does not fit into {pages >> 8} MiB of memory (kernel {layout.kernel.pages * 4} KiB, "
            f"ramdisk {pages_of(ramdisk_size) * 4} KiB)",
            f"give --memory {(enough + 255) >> 8} or more",
        )
    return layout


def _plan(name: str, place: Placement, pages: int, ramdisk_size: int) -> PvLayout:
    base = place.virt_base
    end = 0  # first pfn that is not given out

    def take(count: int, mapped: bool = True) -> Part:
        nonlocal end
        part = Part(end, count, base + (end << PAGE_SHIFT) if mapped else None)
        end += count
        return part

    end = (place.start - base) >> PAGE_SHIFT
    kernel = take(pages_of(place.end - base) - end)
    ramdisk = take(pages_of(ramdisk_size)) if ramdisk_size and not place.mod_start_pfn else None
    p2m_pages = pages_of(pages * 8)
    p2m = take(p2m_pages) if place.init_p2m is None else None
    start_info, xenstore, console = take(1), take(1), take(1)

    tables = _Tables()
    mapped = _mapped_pages(name, base, end, tables)
    missing = tables.missing(base, mapped)
    tables.add(missing, end)
    page_tables = take(len(missing))
    boot_stack = take(1)
    mappings = [Mapping(base, 0, mapped)]
    end = mapped
    if ramdisk_size and ramdisk is None:
        ramdisk = take(pages_of(ramdisk_size), mapped=False)
    p2m_frames = 0
    if place.init_p2m is not None:
        p2m = Part(end, p2m_pages, place.init_p2m)
        end += p2m_pages
        if place.init_p2m + (p2m_pages << PAGE_SHIFT) > base:
            raise BuilderError(
                name,
                f"the p2m of {p2m_pages} pages at INIT_P2M {place.init_p2m:#x} runs into VIRT_BASE {base:#x}",
                "give the domain less memory, or the kernel another INIT_P2M",
            )
        missing = tables.missing(place.init_p2m, p2m_pages)
        tables.add(missing, end)
        mappings.append(Mapping(place.init_p2m, p2m.pfn, p2m_pages))
        end += len(missing)
        p2m_frames = p2m_pages + len(missing)
    assert p2m is not None
    return PvLayout(
        pages,
        kernel,
        ramdisk,
        p2m,
        start_info,
        xenstore,
        console,
        page_tables,
        boot_stack,
        tuple(mappings),
        tables.levels,
        p2m_frames,
        end,
    )


def _mapped_pages(name: str, base: int, end: int, tables: _Tables) -> int:
    """How many pages to map from VIRT_BASE on:

    all in use, the tables for them, the boot stack and the padding.
    """
    extra = 1 + _PADDING_PAGES
    wanted = extra
    while True:
        # inclusive end, as Xen rounds: a range that ends at a 4 MiB boundary gets another 4 MiB
        last = (base + ((end + wanted) << PAGE_SHIFT)) | _END_MASK
        if last >= 1 << 64 or (base < 1 << 47 <= last):
            raise BuilderError(
                name,
                f"its initial mapping {base:#x}-{last:#x} leaves the address space that its VIRT_BASE "
                "lies in",
                "choose a lower VIRT_BASE or a smaller ramdisk",
            )
        mapped = (last + 1 - base) >> PAGE_SHIFT
        wanted = extra + len(tables.missing(base, mapped))
        if end + wanted <= mapped:
            return mapped
