"""The memory map of a domain: every address has one meaning, whoever is told."""

from itertools import pairwise

import pytest

from hv import abi
from hv.arch.x86.builder.e820 import ACPI_TABLES, Range, cmos_registers, memory_map, pack_e820, pack_memmap

MIB, GIB, OTHER_HOLE = 1 << 20, 1 << 30, 0xE0000000
RAM, RESERVED, ACPI = 1, 2, 3


def ram(ranges: tuple[Range, ...]) -> list[tuple[int, int]]:
    return [(one.start, one.end) for one in ranges if one.type == RAM]


def test_a_small_pc() -> None:
    assert memory_map(64 * MIB) == (
        Range(0, 0xA0000, RAM), Range(0xA0000, 0x60000, RESERVED), Range(MIB, 63 * MIB, RAM),
        Range(0xFEC00000, 0x1000, RESERVED), Range(0xFED00000, 0x400, RESERVED), Range(0xFEE00000, 0x1000, RESERVED),
        Range(0xFEFF8000, 0x8000, RESERVED),
    )  # fmt: skip


def test_a_pvh_domain_has_memory_in_the_first_mebibyte_and_no_devices() -> None:
    assert memory_map(64 * MIB, pc=False, acpi=5000) == (
        Range(0, 64 * MIB, RAM), Range(ACPI_TABLES, 0x2000, ACPI), Range(0xFEE00000, 0x1000, RESERVED),
        Range(0xFEFF8000, 0x8000, RESERVED),
    )  # fmt: skip


@pytest.mark.parametrize("memory", [2 * MIB, 3840 * MIB, 3841 * MIB, 6 * GIB])
@pytest.mark.parametrize("hole", [0xF0000000, OTHER_HOLE])
@pytest.mark.parametrize("pc", [True, False])
def test_memory_is_complete_and_nothing_overlaps(memory: int, hole: int, pc: bool) -> None:
    ranges = memory_map(memory, hole=hole, pc=pc, acpi=MIB, firmware=256 << 10)
    assert all(one.end <= other.start for one, other in pairwise(ranges))
    hidden = 0x60000 if pc else 0
    assert sum(end - start for start, end in ram(ranges)) == memory - hidden
    assert all(end <= hole or start >= 4 * GIB for start, end in ram(ranges))
    assert ranges[-2 if memory > hole else -1] == Range((1 << 32) - (256 << 10), 256 << 10, RESERVED)


@pytest.mark.parametrize(("memory", "hole"), [(MIB // 2, 0xF0000000), (5000, 0xF0000000), (GIB, 0xF0001000), (GIB, 0)])
def test_what_cannot_be_mapped(memory: int, hole: int) -> None:
    with pytest.raises(ValueError, match="no memory map"):
        memory_map(memory, hole=hole)


def test_packed_as_each_reader_wants_it() -> None:
    ranges = memory_map(16 * MIB)
    packed, memmap = pack_e820(ranges), pack_memmap(ranges)
    assert (len(packed), len(memmap)) == (20 * len(ranges), 24 * len(ranges))
    assert abi.layout("e820entry").unpack(packed, 40) == {"addr": MIB, "size": 15 * MIB, "type": RAM}
    assert abi.layout("hvm_memmap_table_entry").unpack(memmap, 48)["size"] == 15 * MIB


def _word(registers: dict[int, int], first: int, size: int = 2) -> int:
    return sum(registers[first + i] << 8 * i for i in range(size))


def test_cmos_sizes() -> None:
    small = cmos_registers(8 * MIB, 1)
    assert [_word(small, at) for at in (0x15, 0x17, 0x30, 0x34)] == [640, 7168, 7168, 0]
    big = cmos_registers(6 * GIB, 4, OTHER_HOLE)
    assert [_word(big, at) for at in (0x17, 0x34)] == [0xFFFF, (OTHER_HOLE - 16 * MIB) >> 16]
    assert (_word(big, 0x5B, 3) << 16, big[0x5F]) == (6 * GIB - OTHER_HOLE, 3)
