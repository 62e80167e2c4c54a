"""Where a paravirtual kernel goes: its notes and its segments brought together, contradictions refused.

The rules are libelf's (elf_xen_note_check, elf_xen_addr_calc_check): a segment's linear address is its
*physical* one minus PADDR_OFFSET plus VIRT_BASE; its p_vaddr is not looked at.
"""

from __future__ import annotations

from typing import NamedTuple

from hv.builder.image import PAGE_SIZE, BuilderError, KernelImage
from hv.builder.notes import XenNotes

_CANONICAL = ((0, 1 << 47), ((1 << 64) - (1 << 47), 1 << 64))
# Xen's own part of a 64-bit guest's address space (xen/include/public/arch-x86/xen-x86_64.h)
_HOLE = (0xFFFF800000000000, 0xFFFF880000000000)
_SEE = "correct the notes (xen/include/public/elfnote.h)"


class Placement(NamedTuple):
    """Linear addresses of a PV kernel, in bytes."""

    virt_base: int  # of page 0 of the domain
    offset: int  # linear = physical + offset
    start: int  # first byte of the kernel
    end: int  # behind its last byte
    entry: int
    hypercall_page: int | None
    init_p2m: int | None  # where the p2m is to be mapped; None: behind the kernel
    mod_start_pfn: bool  # the ramdisk need not be mapped


def pv_placement(image: KernelImage) -> Placement:
    """Place `image` as a PV kernel.

    BuilderError when it is none, or when what it says does not fit together.
    """
    notes = _pv_notes(image)
    if notes.virt_base is None and notes.paddr_offset is not None:
        raise BuilderError(
            image.name,
            f"the note PADDR_OFFSET ({notes.paddr_offset:#x}) is there without VIRT_BASE",
            "give both or neither",
        )
    base = notes.virt_base or 0
    # the old section was written when loaders took p_paddr for a linear address
    default = base if notes.source == "__xen_guest" else 0
    offset = base - (default if notes.paddr_offset is None else notes.paddr_offset)
    start, end = image.paddr_start + offset, image.paddr_end + offset
    _check_range(image, base, start, end)
    entry = image.entry if notes.entry is None else notes.entry
    if not start <= entry < end:
        raise BuilderError(
            image.name,
            f"its entry {entry:#x} lies outside the kernel at {start:#x}-{end:#x}",
            f"{_SEE}: ENTRY is a linear address, the kernel's is VIRT_BASE + p_paddr - PADDR_OFFSET",
        )
    page = notes.hypercall_page
    if page is not None and (page % PAGE_SIZE or not start <= page <= end - PAGE_SIZE):
        raise BuilderError(
            image.name,
            f"its HYPERCALL_PAGE {page:#x} is not a page of the kernel at {start:#x}-{end:#x}",
            "give the address of an aligned page inside the kernel",
        )
    return Placement(
        base,
        offset,
        start,
        end,
        entry,
        page,
        _init_p2m(image, notes, base, start, end),
        bool(notes.mod_start_pfn),
    )


def _pv_notes(image: KernelImage) -> XenNotes:
    notes = image.notes
    if notes is None:
        raise BuilderError(
            image.name,
            "it is no Xen kernel: it has neither Xen notes nor a section __xen_guest",
            "build it with Xen PV support (Linux: CONFIG_XEN_PV) or a note PHYS32_ENTRY, "
            "or enter it in the place of a PC's firmware: --type hvm --firmware FILE",
        )
    if notes.xen_version is None and notes.phys32_entry is not None:
        raise BuilderError(
            image.name, "it has no PV entry, only PHYS32_ENTRY", "run it as PVH (--type pvh), or give a PV kernel"
        )
    if not (notes.xen_version or "").startswith("xen-3.0"):
        raise BuilderError(
            image.name,
            f"its note XEN_VERSION says {notes.xen_version or 'nothing'}",
            'the PV interface is that of "xen-3.0"',
        )
    if not (notes.loader or "").startswith("generic") and not (notes.guest_os or "").startswith("linux"):
        raise BuilderError(
            image.name,
            f"its notes ask for the loader {notes.loader or 'none'} and name the system "
            f"{notes.guest_os or 'nothing'}",
            'the LOADER must be "generic", or the GUEST_OS "linux"',
        )
    return notes


def _check_range(image: KernelImage, base: int, start: int, end: int) -> None:
    if base % PAGE_SIZE or (start - image.paddr_start) % PAGE_SIZE:
        raise BuilderError(image.name, f"VIRT_BASE {base:#x} or PADDR_OFFSET is not at a page boundary", _SEE)
    if start < base:
        raise BuilderError(
            image.name,
            f"the kernel begins at {start:#x}, below its VIRT_BASE {base:#x}",
            f"{_SEE}: PADDR_OFFSET must not be above the first load address {image.paddr_start:#x}",
        )
    if image.bits == 64 and not any(low <= start and end <= high for low, high in _CANONICAL):
        raise BuilderError(image.name, f"the kernel's range {start:#x}-{end:#x} is not a canonical one", _SEE)
    if image.bits == 64 and start < _HOLE[1] and end > _HOLE[0]:
        raise BuilderError(
            image.name,
            f"the kernel's range {start:#x}-{end:#x} lies in Xen's own part of the address "
            f"space, {_HOLE[0]:#x}-{_HOLE[1]:#x}",
            f"{_SEE}: choose another VIRT_BASE",
        )
    if image.bits == 32 and end > 0xF5800000:
        raise BuilderError(
            image.name,
            f"the kernel's range {start:#x}-{end:#x} reaches into Xen's own part of the "
            "address space, from 0xf5800000",
            f"{_SEE}: choose another VIRT_BASE",
        )


def _init_p2m(image: KernelImage, notes: XenNotes, base: int, start: int, end: int) -> int | None:
    where = notes.init_p2m
    if where is None:
        return None
    if start <= where < end:
        raise BuilderError(
            image.name,
            f"its INIT_P2M {where:#x} lies inside the kernel at {start:#x}-{end:#x}",
            "give an address below VIRT_BASE",
        )
    # as xc_dom_build_image(): an address that cannot be used is left aside, and the p2m goes behind the
    # kernel
    if image.bits != 64 or where >= base or where % PAGE_SIZE or _HOLE[0] <= where < _HOLE[1]:
        return None
    return where
