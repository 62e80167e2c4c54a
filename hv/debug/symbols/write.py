"""Symbols as an ELF file that other tools read: gdb takes those of a Linux kernel from here, which has no ELF symbols
of its own but kallsyms. System V ABI, chapter 4 (ELF-64)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hv.debug.symbols.table import Symbol, Table

_HEADER, _SECTION, _SYMBOL = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ")
_ET_EXEC, _EM_X86_64 = 2, 62
_SHT_SYMTAB, _SHT_STRTAB, _SHT_NOBITS = 2, 3, 8
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_STT_OBJECT, _STT_FUNC, _STB_GLOBAL = 1, 2, 1
_MAX_SECTIONS = 4096


class _Part(NamedTuple):
    start: int
    end: int
    code: bool


def elf_of(table: Table) -> bytes:
    """An ELF file with these symbols and no contents: its sections say where code and data lie."""
    symbols = sorted([*table, *_other_names(table)], key=lambda symbol: symbol.start)
    parts = _parts(symbols)
    names, records, at = bytearray(b"\0"), bytearray(_SYMBOL.size), 0
    for symbol in symbols:
        while at + 1 < len(parts) and symbol.start >= parts[at].end:
            at += 1
        kind = _STB_GLOBAL << 4 | (_STT_FUNC if symbol.code else _STT_OBJECT)
        records += _SYMBOL.pack(len(names), kind, 0, at + 1, symbol.start, max(symbol.end - symbol.start, 0))
        names += symbol.name.encode() + b"\0"
    labels = b"\0.text\0.data\0.symtab\0.strtab\0"
    place = {label: labels.index(label.encode() + b"\0") for label in (".text", ".data", ".symtab", ".strtab")}
    records_at = _HEADER.size
    names_at = records_at + len(records)
    labels_at = names_at + len(names)
    sections = [bytes(_SECTION.size)]
    for part in parts:
        flags = _SHF_ALLOC | (_SHF_EXECINSTR if part.code else _SHF_WRITE)
        label = place[".text" if part.code else ".data"]
        sections.append(
            _SECTION.pack(label, _SHT_NOBITS, flags, part.start, records_at, part.end - part.start, 0, 0, 1, 0)
        )
    strings = len(sections) + 1
    sections += [
        _SECTION.pack(place[".symtab"], _SHT_SYMTAB, 0, 0, records_at, len(records), strings, 1, 8, _SYMBOL.size),
        _SECTION.pack(place[".strtab"], _SHT_STRTAB, 0, 0, names_at, len(names), 0, 0, 1, 0),
        _SECTION.pack(place[".strtab"], _SHT_STRTAB, 0, 0, labels_at, len(labels), 0, 0, 1, 0),
    ]
    header = _HEADER.pack(
        b"\x7fELF\x02\x01\x01", _ET_EXEC, _EM_X86_64, 1, 0, 0, labels_at + len(labels), 0,
        _HEADER.size, 0, 0, _SECTION.size, len(sections), len(sections) - 1,
    )  # fmt: skip
    return b"".join((header, records, names, labels, *sections))


def _other_names(table: Table) -> Iterator[Symbol]:
    """Names of addresses that the table knows by another: jiffies_64, for one."""
    for name in table.names:
        start = table.find(name)
        there = None if start is None else table.at(start)
        if there is not None and there.start == start and there.name != name:
            yield there._replace(name=name)


def _parts(symbols: list[Symbol]) -> list[_Part]:
    """Stretches of code and of data, as the symbols lie."""
    out: list[_Part] = []
    for symbol in symbols:
        last = out[-1] if out else None
        if last is not None and (last.code == symbol.code or len(out) == _MAX_SECTIONS):
            out[-1] = last._replace(end=max(last.end, symbol.end))
        else:
            out.append(_Part(symbol.start, max(symbol.end, symbol.start + 1), symbol.code))
    return out
