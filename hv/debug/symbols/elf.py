"""Symbols and sections of an ELF file, through pyelftools, which is imported when the first is asked for."""

from __future__ import annotations

import io
import re
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.debug.symbols.table import Entry, Region, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHF_ALLOC, _SHF_EXECINSTR = 2, 4
_SHN_UNDEF, _SHN_ABS, _SHN_LORESERVE = 0, 0xFFF1, 0xFF00
#: st_info's type -> rank among symbols of one address; what is not here (sections, files, TLS) is no symbol for us
_RANKS = {2: 8, 10: 8, 1: 6, 0: 2}  # FUNC, GNU_IFUNC, OBJECT, NOTYPE
_GLOBAL = 1
#: What says of ARM's code where A32, T32, A64 or data begins ($a, $t, $x, $d; $d.7), and names nothing. Source: ELF for
#: the Arm Architecture (AAELF32, AAELF64), "Mapping symbols".
_MAPPING, _LOCAL_NOTYPE = re.compile(rb"\$[adtx](\.|\Z)"), 0
_SYMBOLS = {64: struct.Struct("<IBBHQQ"), 32: struct.Struct("<IIIBBH")}
_MAX_NAME = 1024
MAX_ENTRIES = 1 << 22
"""Entries of a table at most: a kernel has some 100,000 symbols."""
MAX_SECTION = 1 << 29
"""Bytes of a section at most: a compressed one can claim anything."""


class Section(NamedTuple):
    """A section with a name: its address (0: not loaded), flags and content (empty: NOBITS)."""

    name: str
    address: int
    size: int
    flags: int
    data: bytes


class ElfFile:
    """The ELF file `data`. Every method may raise anything when the file is damaged: call them through guard()."""

    def __init__(self, data: memoryview) -> None:
        from elftools.elf.elffile import ELFFile

        self._file: Any = ELFFile(io.BytesIO(data))
        self.bits = int(self._file.elfclass)

    def section(self, name: str) -> Section | None:
        """A section by name; None: there is no such section."""
        found = self._file.get_section_by_name(name)
        return None if found is None else _section(found)

    def regions(self) -> list[Region]:
        """The sections that are loaded."""
        return [
            Region(section["sh_addr"], section["sh_addr"] + section["sh_size"],
                   bool(section["sh_flags"] & _SHF_EXECINSTR))
            for section in self._file.iter_sections()
            if section["sh_flags"] & _SHF_ALLOC and section["sh_size"]
        ]  # fmt: skip

    def symbols(self) -> Iterator[Entry]:
        """What .symtab names; without one, what .dynsym does."""
        for name in (".symtab", ".dynsym"):
            table = self._file.get_section_by_name(name)
            if table is not None and table["sh_type"] in ("SHT_SYMTAB", "SHT_DYNSYM"):
                strings = _section(self._file.get_section(table["sh_link"])).data
                yield from self._entries(_section(table).data, strings)
                return

    def _entries(self, records: bytes, strings: bytes) -> Iterator[Entry]:
        # Not through pyelftools: 20 us a symbol would be seconds for a kernel's table.
        layout = _SYMBOLS[self.bits]
        records = records[: min(len(records) // layout.size, MAX_ENTRIES) * layout.size]
        for record in layout.iter_unpack(records):
            if self.bits == 64:
                name, info, _other, index, value, size = record
            else:
                name, value, size, info, _other, index = record
            rank = _RANKS.get(info & 15)
            if rank is None or index == _SHN_UNDEF or _SHN_LORESERVE <= index != _SHN_ABS:
                continue
            text = strings[name : name + _MAX_NAME].split(b"\0", 1)[0]
            if text and not (info == _LOCAL_NOTYPE and _MAPPING.match(text)):
                rank += (4 if size else 0) + (1 if info >> 4 == _GLOBAL else 0)
                yield Entry(value, size, printable(text), rank, index == _SHN_ABS)

    def dwarf(self) -> Any:
        """pyelftools' DWARFInfo, None without debug sections. Its streams have a budget: see Bounded."""
        if not any(self._file.get_section_by_name(name) for name in (".debug_line", ".debug_frame", ".eh_frame")):
            return None
        for section in self._file.iter_sections():
            if section.name.startswith((".debug", ".zdebug", ".eh_frame")):
                _check_size(section)
        # Links lead to other files, which nobody has asked for.
        info = self._file.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
        for name, part in vars(info).items():
            if hasattr(part, "stream") and hasattr(part, "_replace"):
                setattr(info, name, part._replace(stream=Bounded(part.stream.getvalue())))
        return info


class Bounded(io.BytesIO):
    """A section that can be read so often and no more: entries of a damaged one may lead to each other for ever."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = 100_000 + 8 * len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """As io.BytesIO; ValueError when the budget is spent."""
        data = super().read(size)
        self._left -= 1 + len(data) // 4
        if self._left < 0:
            raise ValueError("its entries lead to each other without end")
        return data


def _check_size(section: Any) -> None:
    if section.data_size > MAX_SECTION:
        raise ValueError(f"section {printable(section.name.encode())} claims {section.data_size} bytes")


def _section(section: Any) -> Section:
    _check_size(section)
    data = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
    return Section(section.name, section["sh_addr"], section["sh_size"], section["sh_flags"], data)
