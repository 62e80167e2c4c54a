"""Where things go in the memory of an ARM domain. Guest-physical addresses and sizes in bytes.

Source: tools/libs/guest/xg_dom_arm.c (meminit), tools/libs/light/libxl_arm.c (finalize_hypervisor_node) of Xen 4.17.
"""

from __future__ import annotations

from typing import NamedTuple

from hv import abi
from hv.builder.image import PAGE_SIZE, BuilderError, KernelImage

BLOCK = 2 << 20
MODULES_OFFSET = 128 << 20
"""Where ramdisk and device tree go in a domain that has so much memory: a kernel unpacks itself below."""
LEAST_REGION = 64 << 20
PHYSICAL_BITS = 40
"""Guest-physical addresses of a domain."""

Range = tuple[int, int]
"""Address and size."""


class Layout(NamedTuple):
    """Where a domain's parts are. `regions`: addresses where nothing is, for mappings of the guest's own."""

    banks: tuple[Range, ...]
    regions: tuple[Range, ...]
    ramdisk: int
    device_tree: int


def banks(memory: int) -> tuple[Range, ...]:
    """RAM of so many bytes: below 4 GiB as much as goes there. BuilderError: more than there are addresses."""
    low = min(memory, abi.GUEST_RAM0_SIZE)
    high = memory - low
    if high > abi.GUEST_RAM1_SIZE:
        raise BuilderError("--memory", f"{memory >> 20} MiB is more than an ARM domain has addresses for", "give less")
    found = ((abi.GUEST_RAM0_BASE, low), (abi.GUEST_RAM1_BASE, high))
    return tuple(bank for bank in found if bank[1])


def regions(memory: int) -> tuple[Range, ...]:
    """What is free behind each bank, if it is of some size."""
    low = min(memory, abi.GUEST_RAM0_SIZE)
    found = []
    for base, room, used in (
        (abi.GUEST_RAM0_BASE, abi.GUEST_RAM0_SIZE, low), (abi.GUEST_RAM1_BASE, abi.GUEST_RAM1_SIZE, memory - low),
    ):  # fmt: skip
        start, end = base + _up(used, BLOCK), min(base + room, 1 << PHYSICAL_BITS)
        if end - start >= LEAST_REGION:
            found.append((start, end - start))
    return tuple(found)


def place(image: KernelImage, memory: int, ramdisk_size: int, tree_size: int) -> Layout:
    """The layout for a kernel that says where it goes itself. BuilderError: it does not fit."""
    all_banks = banks(memory)
    base, size = all_banks[0]
    start, end = image.paddr_start, _up(image.paddr_end, BLOCK)
    if start < base or image.paddr_end > base + size:
        raise BuilderError(
            image.name, f"it lies at {start:#x}-{image.paddr_end:#x}, and memory at {base:#x}-{base + size:#x}",
            "give the domain more memory, or link the kernel for these addresses",
        )  # fmt: skip
    ramdisk_size, tree_size = _up(ramdisk_size, PAGE_SIZE), _up(tree_size, PAGE_SIZE)
    modules = ramdisk_size + tree_size
    preferred = base + MODULES_OFFSET
    if base + size >= preferred + modules and end < preferred:
        at = preferred
    elif base + size - modules > end:
        at = base + size - modules
    elif start - base > modules:
        at = (start - modules) & -PAGE_SIZE
    else:
        raise BuilderError(
            image.name,
            f"ramdisk and device tree are {modules >> 10} KiB, for which there is no room beside the kernel at "
            f"{start:#x}-{end:#x} in memory that ends at {base + size:#x}",
            "give the domain more memory",
        )
    return Layout(all_banks, regions(memory), at, at + ramdisk_size)


def _up(value: int, to: int) -> int:
    return -(-value // to) * to
