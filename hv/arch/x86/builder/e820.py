"""The memory map of an HVM or PVH domain: one list of ranges, whoever asks for it.

    BIOS                  etc/e820 of fw_cfg (pack_e820), and the sizes in CMOS registers (cmos_registers)
    PVH                   the memory map of hvm_start_info (pack_memmap)
    XENMEM_memory_map     the ranges themselves

Memory begins at 0 and goes up to the hole below 4 GiB; what does not fit follows at 4 GiB. Facts: Xen 4.17,
tools/libs/light/libxl_x86.c (e820 of PVH), tools/firmware/hvmloader/e820.c; hv/devices/layout.py has the addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hv import abi
from hv.devices.layout import FIRMWARE_END, HPET, IOAPIC, LAPIC, LOW_RAM_END, MMIO_HOLE, PAGE, SHADOW

HIGH_RAM = 1 << 32
ACPI_TABLES = 0xFC000000
"""Where the ACPI tables of a domain without firmware are, as in Xen (ACPI_INFO_PHYSICAL_ADDRESS): RAM added there."""
IOAPIC_SIZE, LAPIC_SIZE, HPET_SIZE = PAGE, PAGE, 1 << 10


class Range(NamedTuple):
    """A range of guest-physical addresses; `type` is abi.E820_*."""

    start: int
    size: int
    type: int

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.size


def low_end(memory: int, hole: int = MMIO_HOLE.start) -> int:
    """Where memory below 4 GiB ends, for a domain of `memory` bytes whose hole begins at `hole`."""
    return min(memory, hole)


def memory_map(
    memory: int, *, hole: int = MMIO_HOLE.start, pc: bool = True, acpi: int = 0, firmware: int = 0
) -> tuple[Range, ...]:
    """The ranges of a domain of `memory` bytes, by address; none overlap.

    hole: where memory below 4 GiB ends at most. pc: video memory and ROMs are between 640 KiB and 1 MiB, and IOAPIC and
    HPET are there; a PVH domain has memory there instead. acpi: bytes of ACPI tables at ACPI_TABLES; firmware: bytes of
    a BIOS image that ends at 4 GiB. ValueError: memory or hole is not made of whole pages, or ends in the first MiB."""
    low = low_end(memory, hole)
    if memory % PAGE or hole % PAGE or low < SHADOW.stop or hole > MMIO_HOLE.start:
        raise ValueError(f"no memory map for {memory:#x} bytes with a hole from {hole:#x}")
    ranges = [
        Range(abi.HVM_SPECIAL_FIRST_GFN * PAGE, abi.HVM_SPECIAL_GFNS * PAGE, abi.E820_RESERVED),
        Range(LAPIC, LAPIC_SIZE, abi.E820_RESERVED),
    ]
    if pc:
        ranges += [
            Range(0, LOW_RAM_END, abi.E820_RAM),
            Range(LOW_RAM_END, SHADOW.stop - LOW_RAM_END, abi.E820_RESERVED),
            Range(SHADOW.stop, low - SHADOW.stop, abi.E820_RAM),
            Range(IOAPIC, IOAPIC_SIZE, abi.E820_RESERVED),
            Range(HPET, HPET_SIZE, abi.E820_RESERVED),
        ]
    else:
        ranges.append(Range(0, low, abi.E820_RAM))
    if memory > low:
        ranges.append(Range(HIGH_RAM, memory - low, abi.E820_RAM))
    if acpi:
        ranges.append(Range(ACPI_TABLES, -(-acpi // PAGE) * PAGE, abi.E820_ACPI))
    if firmware:
        ranges.append(Range(FIRMWARE_END - firmware, firmware, abi.E820_RESERVED))
    return tuple(sorted(one for one in ranges if one.size))


def pack_e820(ranges: Iterable[Range]) -> bytes:
    """As struct e820entry: the fw_cfg file etc/e820."""
    pack = abi.layout("e820entry").pack
    return b"".join(pack({"addr": one.start, "size": one.size, "type": one.type}) for one in ranges)


def pack_memmap(ranges: Iterable[Range]) -> bytes:
    """As struct hvm_memmap_table_entry."""
    pack = abi.layout("hvm_memmap_table_entry").pack
    return b"".join(pack({"addr": one.start, "size": one.size, "type": one.type}) for one in ranges)


def cmos_registers(memory: int, vcpus: int, hole: int = MMIO_HOLE.start) -> dict[int, int]:
    """The CMOS registers that tell a BIOS what there is, by number: memory below 640 KiB (0x15) and from 1 MiB (0x17,
    copied at 0x30) in KiB, from 16 MiB (0x34) and from 4 GiB (0x5b) in units of 64 KiB; processors but the first one
    (0x5f). SeaBIOS takes the end of low memory from here, not from etc/e820, and waits for as many processors."""
    low = low_end(memory, hole)
    extended = min((low - SHADOW.stop) >> 10, 0xFFFF)
    numbers = (
        (0x15, 2, LOW_RAM_END >> 10), (0x17, 2, extended), (0x30, 2, extended),
        (0x34, 2, max(low - (16 << 20), 0) >> 16), (0x5B, 3, (memory - low) >> 16), (0x5F, 1, vcpus - 1),
    )  # fmt: skip
    return {first + i: value >> 8 * i & 0xFF for first, size, value in numbers for i in range(size)}
