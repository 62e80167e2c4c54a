"""Write a domain as an ELF core file that gdb opens: `gdb KERNEL CORE`.

Every frame that the first vcpu's page tables map is in the file once; the program headers lead virtual addresses to it,
so memory that is mapped twice costs nothing twice. One thread a vcpu. What is in its notes is the architecture's: its
module `core` has

    machine(vcpu)           which processor's file it is (Machine), if that vcpu comes first
    notes(vcpu, machine, signal)    the notes of its thread, made by Status.note() and note()
    runs(vcpu)              what its kernel's page tables map (Run)

Layouts: System V ABI, and what Linux writes as gdb expects it (include/uapi/linux/elfcore.h).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from hv.arch import architecture

if TYPE_CHECKING:
    from pathlib import Path

    from hv.domain import Domain

_ET_CORE, _PT_LOAD, _PT_NOTE = 4, 1, 4
NT_PRSTATUS, NT_FPREGSET = 1, 2
SIGSEGV = 11
_MAX_SEGMENTS = 65000  # e_phnum has 16 bits, and 0xffff means something else
_MAX_RUNS = 1 << 20  # before those that follow each other are merged
_PAGE = 4096

ReadFrame = Callable[[int], bytes | memoryview]
"""The 4096 bytes of a frame by number; raises LookupError when there is no such frame."""


class Machine(NamedTuple):
    """The processor of a core file: `number`, EM_*; `bits` of its addresses, 32 or 64."""

    number: int
    bits: int


class Status(NamedTuple):
    """elf_prstatus: its size, and where the thread's number, the registers and the mark of floating point are. `word`:
    of a register, as struct names it."""

    size: int
    thread: int
    registers: int
    floating: int
    word: str

    def note(self, number: int, signal: int, values: Sequence[int]) -> bytes:
        """Of the thread of vcpu `number`, with its registers in their order."""
        content = bytearray(self.size)
        struct.pack_into("<iiih", content, 0, signal, 0, 0, signal)
        struct.pack_into("<i", content, self.thread, number + 1)  # gdb wants thread ids from 1 up
        mask = (1 << 8 * struct.calcsize(self.word)) - 1
        struct.pack_into(f"<{len(values)}{self.word}", content, self.registers, *(value & mask for value in values))
        struct.pack_into("<i", content, self.floating, 1)
        return note(NT_PRSTATUS, bytes(content))


class Run(NamedTuple):
    """Pages that follow each other in virtual addresses and in frames alike."""

    va: int
    frame: int
    pages: int
    writable: bool
    executable: bool


class _Format(NamedTuple):
    """The ELF headers of one width."""

    header: struct.Struct
    program: struct.Struct
    ident: bytes

    def segment(self, kind: int, rights: int, offset: int, va: int, in_file: int, size: int, align: int) -> bytes:
        """A program header. Those of 32 bits have the rights further back."""
        if self.program.size == 32:
            return self.program.pack(kind, offset, va, 0, in_file, size, rights, align)
        return self.program.pack(kind, rights, offset, va, 0, in_file, size, align)


_FORMATS = {
    64: _Format(struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), b"\x7fELF\x02\x01\x01"),
    32: _Format(struct.Struct("<16sHHIIIIIHHHHHH"), struct.Struct("<IIIIIIII"), b"\x7fELF\x01\x01\x01"),
}


def note(kind: int, content: bytes, owner: bytes = b"CORE") -> bytes:
    """One note."""
    name = owner + b"\0"
    padded = name + bytes(-len(name) % 4)
    return struct.pack("<III", len(name), len(content), kind) + padded + content + bytes(-len(content) % 4)


def core_file(machine: Machine, notes: bytes, mapped: Sequence[Run], read: ReadFrame) -> bytes:
    """The content of a core file with these threads (the first is the one that gdb shows) and this memory."""
    form = _FORMATS[machine.bits]
    mapped = merged(mapped)[:_MAX_SEGMENTS]
    frames = _readable(mapped, read)
    notes_at = form.header.size + form.program.size * (1 + len(mapped))
    memory_at = (notes_at + len(notes) + _PAGE - 1) & -_PAGE
    place = {frame: memory_at + number * _PAGE for number, frame in enumerate(frames)}
    programs = [form.segment(_PT_NOTE, 4, notes_at, 0, len(notes), 0, 4)]
    for run in mapped:
        size = run.pages * _PAGE
        rights = 4 | (2 if run.writable else 0) | (1 if run.executable else 0)
        at = place.get(run.frame, 0)
        programs.append(form.segment(_PT_LOAD, rights, at, run.va, size if at else 0, size, _PAGE))
    header = form.header.pack(
        form.ident, _ET_CORE, machine.number, 1, 0, form.header.size, 0, 0,
        form.header.size, form.program.size, len(programs), 0, 0, 0,
    )  # fmt: skip
    out = bytearray(header + b"".join(programs) + notes)
    out += bytes(memory_at - len(out))
    for frame in frames:
        out += read(frame)
    return bytes(out)


def merged(mapped: Iterable[Run]) -> list[Run]:
    """Runs that differ in nothing but their rights, in one: gdb does not look at rights."""
    out: list[Run] = []
    for run in mapped:
        last = out[-1] if out else None
        if last and run.va == last.va + last.pages * _PAGE and run.frame == last.frame + last.pages:
            out[-1] = Run(
                last.va, last.frame, last.pages + run.pages,
                last.writable or run.writable, last.executable or run.executable,
            )  # fmt: skip
        else:
            out.append(run)
    return out


def _readable(mapped: Sequence[Run], read: ReadFrame) -> list[int]:
    """The frames of all runs, ascending, so that a run lies in one piece.

    Runs of frames that are no memory stay out.
    """
    blocks = {(run.frame, run.pages) for run in mapped}
    wanted = sorted({frame for start, pages in blocks for frame in range(start, start + pages)})
    found = []
    for frame in wanted:
        try:
            read(frame)
        except LookupError:
            continue
        found.append(frame)
    return found


def with_memory(domain: Domain, mapped: Iterable[Run]) -> Iterator[Run]:
    """Of runs of guest frames, the parts that have RAM behind them: a block may map more than there is."""
    known: dict[tuple[int, int], list[tuple[int, int]]] = {}  # tables may map the same block any number of times
    for run in mapped:
        block = run.frame, run.pages
        if block not in known:
            known[block] = list(_there(domain, *block))
        for frame, pages in known[block]:
            yield run._replace(va=run.va + (frame - run.frame) * _PAGE, frame=frame, pages=pages)


def _there(domain: Domain, start: int, pages: int) -> Iterator[tuple[int, int]]:
    """Of guest frames, those with RAM: the first of each row of them, and how many."""
    first: int | None = None
    for frame in range(start, min(start + pages, domain.frames_end()) + 1):
        there = frame < start + pages and domain.frame_of(frame) is not None
        if there and first is None:
            first = frame
        elif not there and first is not None:
            yield first, frame - first
            first = None


def guest_frames(domain: Domain) -> ReadFrame:
    """What reads a domain's frames by the numbers that its page tables have."""
    if not domain.translated:
        return domain.frame

    def read(gfn: int) -> memoryview:
        mfn = domain.frame_of(gfn)
        if mfn is None:
            raise LookupError(f"guest frame {gfn:#x} is no memory")
        return domain.frame(mfn)

    return read


def write_core(path: str | Path, domain: Domain, crashed: int = 0) -> None:
    """Write `domain` to `path`; vcpu number `crashed` comes first.

    OSError when the file cannot be written.
    """
    own = architecture(domain.kind.abi, "core")
    vcpus = sorted((v for v in domain.vcpus if v.c.initialised), key=lambda v: (v.id != crashed, v.id))
    first = domain.vcpus[crashed]
    machine = own.machine(first)
    notes = b"".join(own.notes(vcpu, machine, SIGSEGV if vcpu.id == crashed else 0) for vcpu in vcpus)
    content = core_file(machine, notes, list(islice(own.runs(first), _MAX_RUNS)), guest_frames(domain))
    with open(path, "wb") as file:
        file.write(content)
