"""Read an ELF kernel: header, program headers, and the sections that may hold notes.

A reader of our own over `struct`, because importing pyelftools takes 45 to 75 ms (as much as a whole hello
guest may) and because what matters here is that each malformed field is told apart. Layout: System V ABI,
chapters 4 and 5.
"""

from __future__ import annotations

import itertools
import struct
from typing import NamedTuple

from hv.builder import notes as xen_notes
from hv.builder.image import BuilderError, KernelImage, Segment

MAGIC = b"\x7fELF"
_PT_LOAD, _PT_NOTE = 1, 4
_SHT_NOTE, _SHT_NOBITS = 7, 8
_TYPES = {
    0: "without a type",
    1: "a relocatable object",
    2: "executable",
    3: "position independent",
    4: "a core dump",
}
_LOADABLE_TYPES = (2, 3)
# e_machine: our name, the ELF class it must come in
_MACHINES = {3: ("i386", 1), 40: ("arm", 1), 62: ("x86_64", 2), 183: ("aarch64", 2)}
_OTHER_MACHINES = {
    2: "SPARC",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC64",
    22: "S/390",
    50: "IA-64",
    243: "RISC-V",
    258: "LoongArch",
}
_AGAIN = "the file is truncated or damaged; fetch or build it again"


class _Class(NamedTuple):
    """Formats of one ELF class: the file header behind e_ident, a program header, a section header."""

    bits: int
    header: struct.Struct
    program: struct.Struct
    section: struct.Struct


_CLASSES = {
    1: _Class(32, struct.Struct("<HHIIIIIHHHHHH"), struct.Struct("<IIIIIIII"), struct.Struct("<IIIIIIIIII")),
    2: _Class(64, struct.Struct("<HHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<IIQQQQIIQQ")),
}


class _Program(NamedTuple):
    number: int
    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int


class _Section(NamedTuple):
    name: int
    type: int
    offset: int
    size: int


class _Header(NamedTuple):
    elf: _Class
    type: int
    machine: int
    entry: int
    phoff: int
    shoff: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


def read(
    name: str, data: memoryview, *, kind: str = "ELF", packing: tuple[str, ...] = (), version: str = ""
) -> KernelImage:
    """The kernel in the ELF file `data`.

    `name` is for messages; BuilderError for all that is wrong with it.
    """
    header = _header(name, data)
    programs = _programs(name, data, header)
    segments = _segments(name, data, programs)
    machine, _ = _MACHINES[header.machine]
    notes = _notes(name, data, header, programs)
    image = KernelImage(name, machine, header.elf.bits, header.entry, segments, notes, kind, packing, version, data)
    if notes is None or (notes.entry is None and notes.phys32_entry is None):
        _check_entry(image)
    return image


def _header(name: str, data: memoryview) -> _Header:
    if len(data) < 16 or bytes(data[:4]) != MAGIC:
        raise BuilderError(
            name,
            "it does not begin with an ELF header",
            "give an ELF file",
        )
    elf = _CLASSES.get(data[4])
    if elf is None or data[5] != 1:
        raise BuilderError(
            name,
            f"ELF class {data[4]} and byte order {data[5]} in its header are not those of a file for our machines",
            "give a 32-bit or 64-bit little-endian ELF file",
        )
    if len(data) < 16 + elf.header.size:
        raise BuilderError(
            name, f"its ELF header of {16 + elf.header.size} bytes is cut off at {len(data)}", _AGAIN
        )
    (
        kind,
        machine,
        _version,
        entry,
        phoff,
        shoff,
        _flags,
        _ehsize,
        phentsize,
        phnum,
        shentsize,
        shnum,
        shstrndx,
    ) = elf.header.unpack_from(data, 16)
    if machine not in _MACHINES:
        other = _OTHER_MACHINES.get(machine, "unknown")
        raise BuilderError(
            name,
            f"it is for another machine ({other}, e_machine {machine})",
            "give a kernel for x86-64 (62), i386 (3), AArch64 (183) or ARM (40)",
        )
    if _MACHINES[machine][1] != data[4]:
        raise BuilderError(
            name,
            f"ELF class {elf.bits}-bit does not go with machine {_MACHINES[machine][0]}",
            "give a 64-bit file for x86-64 or AArch64, or a 32-bit file for i386 or ARM",
        )
    if kind not in _LOADABLE_TYPES:
        raise BuilderError(
            name,
            f"it is not an executable but {_TYPES.get(kind, 'of a type we do not know')} (e_type {kind})",
            "give a linked kernel",
        )
    return _Header(elf, kind, machine, entry, phoff, shoff, phentsize, phnum, shentsize, shnum, shstrndx)


def _programs(name: str, data: memoryview, header: _Header) -> list[_Program]:
    layout = header.elf.program
    if header.phnum == 0:
        raise BuilderError(name, "it has no program headers", "give a linked kernel, not an object file")
    if header.phentsize != layout.size:
        raise BuilderError(
            name, f"its program headers are {header.phentsize} bytes long instead of {layout.size}", _AGAIN
        )
    end = header.phoff + header.phnum * layout.size
    if end > len(data):
        raise BuilderError(
            name,
            f"its {header.phnum} program headers at {header.phoff:#x} reach to {end:#x}, past the "
            f"end of the file at {len(data):#x}",
            _AGAIN,
        )
    out = []
    for index in range(header.phnum):
        fields = layout.unpack_from(data, header.phoff + index * layout.size)
        if header.elf.bits == 64:
            kind, flags, offset, vaddr, paddr, filesz, memsz, _align = fields
        else:
            kind, offset, vaddr, paddr, filesz, memsz, flags, _align = fields
        out.append(_Program(index, kind, flags, offset, vaddr, paddr, filesz, memsz))
    return out


def _segments(name: str, data: memoryview, programs: list[_Program]) -> tuple[Segment, ...]:
    found: list[tuple[_Program, Segment]] = []
    for program in programs:
        # Xen's elf_phdr_is_loadable(): a segment nobody may touch is not loaded
        if program.type != _PT_LOAD or not program.flags & 7 or not program.memsz:
            continue
        where = f"segment {program.number}"
        if program.offset + program.filesz > len(data):
            raise BuilderError(
                name,
                f"{where} ({program.filesz} bytes at {program.offset:#x}) reaches past the end of "
                f"the file at {len(data):#x}",
                _AGAIN,
            )
        if program.memsz < program.filesz:
            raise BuilderError(
                name,
                f"{where} has p_memsz {program.memsz:#x} below p_filesz {program.filesz:#x}",
                "p_memsz must hold the file's bytes; link the kernel again",
            )
        if program.paddr + program.memsz > 1 << 52:
            raise BuilderError(
                name,
                f"{where} ends at physical address {program.paddr + program.memsz:#x}",
                "physical addresses have 52 bits; link the kernel again",
            )
        content = data[program.offset : program.offset + program.filesz]
        found.append((program, Segment(program.paddr, program.vaddr, content, program.memsz, program.flags)))
    if not found:
        raise BuilderError(
            name, "no program header is loadable (PT_LOAD with a size)", "give a linked kernel"
        )
    found.sort(key=lambda pair: pair[1].paddr)
    for (low, first), (high, second) in itertools.pairwise(found):
        if first.end > second.paddr:
            raise BuilderError(
                name,
                f"segments {low.number} and {high.number} overlap: {first.paddr:#x}-{first.end:#x} and "
                f"{second.paddr:#x}-{second.end:#x}",
                "link the kernel with separate load addresses",
            )
    return tuple(segment for _, segment in found)


def _check_entry(image: KernelImage) -> None:
    for segment in image.segments:
        for start in (segment.paddr, segment.vaddr):
            if start <= image.entry < start + segment.memsz:
                return
    raise BuilderError(
        image.name,
        f"its entry point {image.entry:#x} lies in none of its segments",
        "link the kernel with an entry symbol, or give it an ENTRY note",
    )


def _notes(
    name: str, data: memoryview, header: _Header, programs: list[_Program]
) -> xen_notes.XenNotes | None:
    """Where Xen looks, in its order:

    PT_NOTE segments, then SHT_NOTE sections, then the section `__xen_guest`.
    """
    found: list[xen_notes.RawNote] = []
    for program in programs:
        # offset 0: some binutils forget to fill it in
        if program.type == _PT_NOTE and program.offset:
            found += xen_notes.split(name, data, program.offset, program.offset + program.filesz)
    if found:
        return xen_notes.parse(name, found, header.elf.bits)
    sections = _sections(data, header)
    for section in sections:
        if section.type == _SHT_NOTE:
            found += xen_notes.split(name, data, section.offset, section.offset + section.size)
    if found:
        return xen_notes.parse(name, found, header.elf.bits)
    for section in sections:
        if section.type != _SHT_NOBITS and _section_name(data, header, sections, section) == b"__xen_guest":
            return xen_notes.parse_guest_section(
                name, bytes(data[section.offset : section.offset + section.size])
            )
    return None


def _sections(data: memoryview, header: _Header) -> list[_Section]:
    """Section headers, or none when the table is absent or outside the file: a kernel boots without them."""
    layout = header.elf.section
    if header.shentsize != layout.size or header.shoff + header.shnum * layout.size > len(data):
        return []
    out = []
    for index in range(header.shnum):
        fields = layout.unpack_from(data, header.shoff + index * layout.size)
        out.append(_Section(fields[0], fields[1], fields[4], fields[5]))
    return out


def _section_name(data: memoryview, header: _Header, sections: list[_Section], section: _Section) -> bytes:
    if header.shstrndx >= len(sections):
        return b""
    at = sections[header.shstrndx].offset + section.name
    return bytes(data[at : at + 64]).split(b"\0", 1)[0]
