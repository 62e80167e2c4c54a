"""SMBIOS: walked as dmidecode walks it."""

import struct
from collections.abc import Iterator
from uuid import UUID

import pytest

from hv.arch.x86.builder.smbios import ANCHOR, TABLES, SmbiosMachine, firmware_files, smbios

ID = UUID("12345678-9abc-def0-1122-334455667788")
MACHINE = SmbiosMachine(vcpus=3, memory=20 << 30, uuid=ID)


def structures(table: bytes) -> Iterator[tuple[int, int, bytes, list[str]]]:
    """(type, handle, formatted area with its header, strings) of each structure; nothing may be left over."""
    at = 0
    while at < len(table):
        kind, length, handle = struct.unpack_from("<BBH", table, at)
        end = table.index(b"\0\0", at + length) + 2
        texts = table[at + length : end - 2].decode()
        yield kind, handle, table[at : at + length], texts.split("\0") if texts else []
        at = end


def test_entry_point() -> None:
    placed = smbios(MACHINE).place({ANCHOR: 0xF5000, TABLES: 0xF5100})
    entry, table = placed[ANCHOR], placed[TABLES]
    listed = list(structures(table))
    assert (entry[:4], entry[5], entry[6:8], entry[16:21]) == (b"_SM_", 31, bytes([2, 8]), b"_DMI_")
    assert (sum(entry) & 0xFF, sum(entry[16:]) & 0xFF) == (0, 0)
    assert struct.unpack_from("<HIHB", entry, 22) == (len(table), 0xF5100, len(listed), 0x28)
    last = len(table) - table.rindex(bytes([127, 4]))
    assert last == 6 and listed[-1][0] == 127


def test_the_structures_that_the_standard_demands() -> None:
    listed = list(structures(firmware_files(smbios(MACHINE))[TABLES]))
    assert [one[0] for one in listed] == [0, 1, 3, 4, 4, 4, 16, 17, 17, 32, 127]
    assert len({handle for _, handle, _, _ in listed}) == len(listed)
    lengths = {kind: len(area) for kind, _, area, _ in listed}
    assert lengths == {0: 24, 1: 27, 3: 21, 4: 42, 16: 23, 17: 34, 32: 11, 127: 4}


def test_the_system_is_a_xen_domain() -> None:
    system = next(one for one in structures(firmware_files(smbios(MACHINE))[TABLES]) if one[0] == 1)
    assert system[3] == ["Xen", "HVM domU", "4.17", str(ID)]
    assert UUID(bytes_le=system[2][8:24]) == ID


@pytest.mark.parametrize(("memory", "sizes"), [(64 << 20, [64]), (16 << 30, [16384]), (20 << 30, [16384, 4096])])
def test_memory_modules(memory: int, sizes: list[int]) -> None:
    listed = list(structures(firmware_files(smbios(SmbiosMachine(1, memory)))[TABLES]))
    assert [struct.unpack_from("<H", area, 12)[0] for kind, _, area, _ in listed if kind == 17] == sizes
    (array,) = (area for kind, _, area, _ in listed if kind == 16)
    assert struct.unpack_from("<I", array, 7)[0] == memory >> 10
    assert struct.unpack_from("<H", array, 13)[0] == len(sizes)
