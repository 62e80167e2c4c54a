"""Symbols written as an ELF file, and read back by a library."""

from __future__ import annotations

import io

from elftools.elf.elffile import ELFFile

from hv.debug.symbols.table import Entry, Region, Table
from hv.debug.symbols.write import elf_of

ENTRIES = [
    Entry(0x1000, 0x10, "start", 1), Entry(0x1010, 0, "main", 2), Entry(0x1010, 0, "alias", 1),
    Entry(0x3000, 8, "counter", 1), Entry(0x4000, 0, "late_code", 1), Entry(5, 0, "number", 1, absolute=True),
]  # fmt: skip
REGIONS = [Region(0x1000, 0x2000, True), Region(0x3000, 0x3100, False), Region(0x4000, 0x4100, True)]


def test_names_addresses_and_kinds() -> None:
    elf = ELFFile(io.BytesIO(elf_of(Table(ENTRIES, REGIONS))))
    assert elf.header["e_machine"] == "EM_X86_64"
    sections = [section for section in elf.iter_sections() if section["sh_type"] == "SHT_NOBITS"]
    assert [(s.name, s["sh_addr"], s["sh_addr"] + s["sh_size"]) for s in sections] == [
        (".text", 0x1000, 0x2000), (".data", 0x3000, 0x3008), (".text", 0x4000, 0x4100),
    ]  # fmt: skip
    found = {
        symbol.name: (symbol["st_value"], symbol["st_size"], symbol["st_info"]["type"], symbol["st_shndx"])
        for symbol in elf.get_section_by_name(".symtab").iter_symbols() if symbol.name
    }  # fmt: skip
    assert found == {
        "start": (0x1000, 0x10, "STT_FUNC", 1), "main": (0x1010, 0xFF0, "STT_FUNC", 1),
        "alias": (0x1010, 0xFF0, "STT_FUNC", 1), "counter": (0x3000, 8, "STT_OBJECT", 2),
        "late_code": (0x4000, 0x100, "STT_FUNC", 3),
    }  # fmt: skip


def test_no_symbols_at_all() -> None:
    elf = ELFFile(io.BytesIO(elf_of(Table())))
    assert elf.get_section_by_name(".symtab").num_symbols() == 1
