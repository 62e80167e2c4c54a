"""What is in a core file of an x86 domain (hv.arch.core).

Layouts: Linux's elf_prstatus, user_regs_struct and FXSAVE image as gdb expects them (arch/x86/include/asm/user_64.h).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.arch.core import NT_FPREGSET, Machine, Run, Status, note, with_memory
from hv.arch.x86.mode import mode_of
from hv.arch.x86.paging.walk import canonical
from hv.arch.x86.paging.walk import runs as walk_runs
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

X86_64, I386 = Machine(62, 64), Machine(3, 32)
_PAGE = 4096
_SPACE = {4: 1 << 48, 3: 1 << 32, 2: 1 << 32}
"""Bytes of virtual addresses, by levels of the tables."""
_MOST = 1 << 20
"""Entries of page tables that are looked at: tables that map themselves would have many more."""
# user_regs_struct; orig_rax says that no system call was under way
_REGISTERS = {
    X86_64: (
        "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
        "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
    ),
    I386: (
        "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rax", "ds", "es", "fs", "gs", "orig_rax", "rip",
        "cs", "eflags", "rsp", "ss",
    ),
}  # fmt: skip
_STATUS = {X86_64: Status(336, 32, 112, 328, "Q"), I386: Status(144, 24, 72, 140, "I")}
_NT_PRXFPREG = 0x46E6_2B7F
_MASK = (1 << 64) - 1


class Thread(NamedTuple):
    """One vcpu in a core file: its number, registers by user_regs_struct's names, and its FXSAVE image."""

    number: int
    registers: dict[str, int]
    fxsave: bytes = bytes(512)
    signal: int = 0


def machine(vcpu: Vcpu) -> Machine:
    """By the code that it executes."""
    return X86_64 if mode_of(vcpu).bits == 64 else I386


def notes(vcpu: Vcpu, machine: Machine, signal: int) -> bytes:
    """Of the thread that stands for a vcpu."""
    return thread_notes(thread_of(vcpu, signal), machine)


def runs(vcpu: Vcpu) -> Iterator[Run]:
    """What the vcpu's page tables map; of a PV domain its kernel's."""
    if vcpu.domain.translated:
        return with_memory(vcpu.domain, _mapped(vcpu))
    return walk_runs(vcpu.domain.frame, int(vcpu.c.cr3_kernel) >> 12)


def _mapped(vcpu: Vcpu) -> Iterator[Run]:
    """The same of tables that translate to guest frames, of any format."""
    c = ffi.new("struct hv_guest_walk *")
    va = 0
    for _ in range(_MOST):
        lib.hv_guest_walk(vcpu.domain.hv.native, vcpu.c, canonical(va), c)
        levels = int(c.levels)
        if levels == 0:
            yield Run(0, 0, vcpu.domain.frames_end(), True, True)
            return
        pages = 1 << (int(c.last) - 1) * (10 if levels == 2 else 9)
        if c.mapped:
            yield Run(canonical(va), int(c.gfn), pages, True, True)
        va += pages * _PAGE
        if va >= _SPACE[levels]:
            return


def thread_notes(thread: Thread, machine: Machine = X86_64) -> bytes:
    """elf_prstatus, and the floating point registers."""
    values = [thread.registers.get(name, 0) for name in _REGISTERS[machine]]
    status = _STATUS[machine].note(thread.number, thread.signal, values)
    if machine == I386:
        return status + note(_NT_PRXFPREG, thread.fxsave, b"LINUX")
    return status + note(NT_FPREGSET, thread.fxsave)


def thread_of(vcpu: Vcpu, signal: int = 0) -> Thread:
    """The thread that stands for a vcpu; its code and stack are at linear addresses."""
    mode, state = mode_of(vcpu), vcpu.state()
    registers = dict(vcpu.registers)
    segments = {
        name: state.segments[index] for index, name in enumerate(("es", "cs", "ss", "ds", "fs", "gs"))
    }
    registers |= {name: int(segment.selector) for name, segment in segments.items()}
    registers |= {"rip": mode.pc, "rsp": mode.sp}
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
