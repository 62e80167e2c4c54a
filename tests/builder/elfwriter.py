"""A small ELF writer: kernels for the loader's tests, sound ones and ones that are wrong in one field."""

from __future__ import annotations

import struct
from typing import NamedTuple

EM_386, EM_X86_64 = 3, 62


class Load(NamedTuple):
    """One PT_LOAD segment. `filesz` and `memsz` default to the content's size; give others to lie."""

    paddr: int
    data: bytes
    vaddr: int | None = None
    memsz: int | None = None
    filesz: int | None = None
    offset: int | None = None


def note(kind: int, content: bytes | str | int, size: int = 8, owner: bytes = b"Xen\0") -> bytes:
    """One ELF note; text gets its NUL, a number `size` bytes."""
    if isinstance(content, str):
        content = content.encode() + b"\0"
    elif isinstance(content, int):
        content = content.to_bytes(size, "little")
    pad = -len(content) % 4
    return (
        struct.pack("<III", len(owner), len(content), kind)
        + owner
        + bytes(-len(owner) % 4)
        + content
        + bytes(pad)
    )


def elf(
    loads: list[Load],
    notes: bytes = b"",
    entry: int = 0,
    *,
    bits: int = 64,
    machine: int | None = None,
    kind: int = 2,
    sections: dict[str, tuple[int, bytes]] | None = None,
    note_size: int | None = None,
) -> bytes:
    """An ELF file of `loads`, a PT_NOTE of `notes`, and `sections` (name: (type, content))."""
    machine = (EM_X86_64 if bits == 64 else EM_386) if machine is None else machine
    ehsize, phsize, shsize = (64, 56, 64) if bits == 64 else (52, 32, 40)
    count = len(loads) + (1 if notes else 0)
    body = bytearray(ehsize + count * phsize)
    headers = []
    for load in loads:
        offset = len(body)
        body += load.data
        filesz = len(load.data) if load.filesz is None else load.filesz
        headers.append(
            (
                1,
                7,
                load.offset if load.offset is not None else offset,
                load.paddr if load.vaddr is None else load.vaddr,
                load.paddr,
                filesz,
                filesz if load.memsz is None else load.memsz,
            )
        )
    if notes:
        headers.append((4, 4, len(body), 0, 0, len(notes) if note_size is None else note_size, 0))
        body += notes
    shoff, shnum = _sections(body, sections or {}, bits, shsize)
    for index, (ptype, flags, offset, vaddr, paddr, filesz, memsz) in enumerate(headers):
        if bits == 64:
            packed = struct.pack("<IIQQQQQQ", ptype, flags, offset, vaddr, paddr, filesz, memsz, 4)
        else:
            packed = struct.pack("<IIIIIIII", ptype, offset, vaddr, paddr, filesz, memsz, flags, 4)
        body[ehsize + index * phsize : ehsize + (index + 1) * phsize] = packed
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    body[:ehsize] = ident + struct.pack(
        "<HHIQQQIHHHHHH" if bits == 64 else "<HHIIIIIHHHHHH",
        kind,
        machine,
        1,
        entry,
        ehsize if count else 0,
        shoff,
        0,
        ehsize,
        phsize,
        count,
        shsize,
        shnum,
        shnum - 1 if shnum else 0,
    )
    return bytes(body)


def _sections(
    body: bytearray, sections: dict[str, tuple[int, bytes]], bits: int, shsize: int
) -> tuple[int, int]:
    if not sections:
        return 0, 0
    names = b"\0"
    rows = [(0, 0, 0, 0)]
    for name, (kind, content) in sections.items():
        rows.append((len(names), kind, len(body), len(content)))
        names += name.encode() + b"\0"
        body += content
    rows.append((len(names), 3, len(body), len(names) + 10))
    body += names + b".shstrtab\0"
    shoff = len(body)
    for name_at, kind, offset, size in rows:
        fields = (name_at, kind, 0, 0, offset, size, 0, 0, 1, 0)
        body += struct.pack("<IIQQQQIIQQ" if bits == 64 else "<IIIIIIIIII", *fields)
    return shoff, len(rows)


def pv_notes(**changes: int | str | None) -> bytes:
    """The notes of a sound PV kernel linked at 0xffffffff80000000, with `changes` (None: leave out)."""
    from hv import abi

    values: dict[str, int | str | None] = {
        "guest_os": "test",
        "loader": "generic",
        "xen_version": "xen-3.0",
        "virt_base": BASE,
        "paddr_offset": 0,
        "entry": BASE + 0x100000,
        "hypercall_page": BASE + 0x101000,
    }
    values.update(changes)
    return b"".join(
        note(getattr(abi, f"XEN_ELFNOTE_{name.upper()}"), value)
        for name, value in values.items()
        if value is not None
    )


BASE = 0xFFFFFFFF80000000


def pv_kernel(code: bytes = b"\xf4", size: int = 0x3000, **changes: int | str | None) -> bytes:
    """A PV kernel of `size` bytes at physical 1 MiB:

    `code` at its entry, an empty hypercall page behind it.
    """
    return elf(
        [Load(0x100000, code.ljust(0x2000, b"\0"), BASE + 0x100000, memsz=size)],
        pv_notes(**changes),
        0x100000,
    )
