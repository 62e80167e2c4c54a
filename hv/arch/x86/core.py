"""Write a domain as an ELF core file that gdb opens: `gdb KERNEL CORE`.

Every frame that vcpu 0's page table maps is in the file once; the program headers lead linear addresses to
it, so memory that is mapped twice costs nothing twice. One thread a vcpu. Layouts: System V ABI, and Linux's
elf_prstatus, user_regs_struct and FXSAVE image as gdb expects them (include/uapi/linux/elfcore.h,
arch/x86/include/asm/user_64.h).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.arch.x86.paging.walk import ReadFrame, Run, runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hv.domain import Domain
    from hv.vcpu import Vcpu

_HEADER, _PROGRAM = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
_ET_CORE, _EM_X86_64, _PT_LOAD, _PT_NOTE = 4, 62, 1, 4
_NT_PRSTATUS, _NT_FPREGSET = 1, 2
_MAX_SEGMENTS = 65000  # e_phnum has 16 bits, and 0xffff means something else
_PAGE = 4096
# user_regs_struct; orig_rax says that no system call was under way
_REGISTERS = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
    "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
)  # fmt: skip
_MASK = (1 << 64) - 1


class Thread(NamedTuple):
    """One vcpu in a core file: its number, registers by user_regs_struct's names, and its FXSAVE image."""

    number: int
    registers: dict[str, int]
    fxsave: bytes = bytes(512)
    signal: int = 0


def core_file(threads: Sequence[Thread], mapped: Sequence[Run], read: ReadFrame) -> bytes:
    """The content of a core file with these threads (the first is the one that gdb shows) and this memory."""
    mapped = _merged(mapped)[:_MAX_SEGMENTS]
    frames = _readable(mapped, read)
    notes = b"".join(_thread_notes(thread) for thread in threads)
    notes_at = _HEADER.size + _PROGRAM.size * (1 + len(mapped))
    memory_at = (notes_at + len(notes) + _PAGE - 1) & -_PAGE
    place = {frame: memory_at + number * _PAGE for number, frame in enumerate(frames)}
    programs = [_PROGRAM.pack(_PT_NOTE, 4, notes_at, 0, 0, len(notes), 0, 4)]
    for run in mapped:
        present = run.frame in place
        size = run.pages * _PAGE
        rights = 4 | (2 if run.writable else 0) | (1 if run.executable else 0)
        programs.append(
            _PROGRAM.pack(
                _PT_LOAD, rights, place.get(run.frame, 0), run.va, 0, size if present else 0, size, _PAGE
            )
        )
    header = _HEADER.pack(
        b"\x7fELF\x02\x01\x01", _ET_CORE, _EM_X86_64, 1, 0, _HEADER.size, 0, 0,
        _HEADER.size, _PROGRAM.size, len(programs), 0, 0, 0,
    )  # fmt: skip
    out = bytearray(header + b"".join(programs) + notes)
    out += bytes(memory_at - len(out))
    for frame in frames:
        out += read(frame)
    return bytes(out)


def _merged(mapped: Sequence[Run]) -> list[Run]:
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
    wanted = sorted({frame for run in mapped for frame in range(run.frame, run.frame + run.pages)})
    found = []
    for frame in wanted:
        try:
            read(frame)
        except LookupError:
            continue
        found.append(frame)
    return found


def _note(kind: int, content: bytes) -> bytes:
    return struct.pack("<III", 5, len(content), kind) + b"CORE\0\0\0\0" + content + bytes(-len(content) % 4)


def _thread_notes(thread: Thread) -> bytes:
    values = [thread.registers.get(name, 0) & _MASK for name in _REGISTERS]
    status = bytearray(336)
    struct.pack_into("<iiih", status, 0, thread.signal, 0, 0, thread.signal)
    struct.pack_into("<i", status, 32, thread.number + 1)  # gdb wants thread ids from 1 up
    struct.pack_into(f"<{len(values)}Q", status, 112, *values)
    struct.pack_into("<i", status, 328, 1)
    return _note(_NT_PRSTATUS, bytes(status)) + _note(_NT_FPREGSET, thread.fxsave)


def thread_of(vcpu: Vcpu, signal: int = 0) -> Thread:
    """The thread that stands for a vcpu."""
    state = vcpu.state()
    registers = dict(vcpu.registers)
    segments = {
        name: state.segments[index] for index, name in enumerate(("es", "cs", "ss", "ds", "fs", "gs"))
    }
    registers |= {name: int(segment.selector) for name, segment in segments.items()}
    registers["eflags"] = int(state.rflags)
    registers["fs_base"], registers["gs_base"] = int(segments["fs"].base), int(segments["gs"].base)
    registers["orig_rax"] = _MASK
    return Thread(vcpu.id, registers, _fxsave(state), signal)


def _fxsave(state: Any) -> bytes:
    """Intel SDM volume 1, section 10.5.1: the 64-bit FXSAVE image."""
    head = struct.pack(
        "<HHBBHQQII", state.fcw, state.fsw, state.ftw, 0, state.fop, state.fip, state.fdp, state.mxcsr, 0xFFFF
    )
    return (head + bytes(state.x87) + bytes(state.xmm)).ljust(512, b"\0")


def write_core(path: str | Path, domain: Domain, crashed: int = 0) -> None:
    """Write `domain` to `path`; vcpu number `crashed` comes first.

    OSError when the file cannot be written.
    """
    vcpus = sorted((v for v in domain.vcpus if v.c.initialised), key=lambda v: (v.id != crashed, v.id))
    threads = [thread_of(vcpu, 11 if vcpu.id == crashed else 0) for vcpu in vcpus]
    root = int(domain.vcpus[crashed].c.cr3_kernel) >> 12
    content = core_file(threads, list(runs(domain.frame, root)), domain.frame)
    with open(path, "wb") as file:
        file.write(content)
