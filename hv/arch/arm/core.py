"""What is in a core file of an ARM domain (hv.arch.core).

Layouts: Linux's elf_prstatus, user_pt_regs and user_fpsimd_state (arch/arm64/include/uapi/asm/ptrace.h), struct pt_regs
and user_vfp (arch/arm/include/uapi/asm/ptrace.h, arch/arm/include/asm/user.h).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hv.arch.core import NT_FPREGSET, Machine, Run, Status, note, with_memory
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

_NT_ARM_VFP = 0x400
_PAGE = 4096
_MOST = 1 << 20
"""Walks of page tables, whether they find something or not: tables that lead to themselves have many more."""


ARM64, ARM32 = Machine(183, 64), Machine(40, 32)
_STATUS = {ARM64: Status(392, 32, 112, 384, "Q"), ARM32: Status(148, 24, 72, 144, "I")}


def machine(vcpu: Vcpu) -> Machine:
    """By the width of the domain's kernel."""
    return ARM32 if vcpu.domain.kind.number == lib.DOMAIN_ARM32 else ARM64


def notes(vcpu: Vcpu, machine: Machine, signal: int) -> bytes:
    """Of the thread that stands for a vcpu. AArch32: the general registers are those of the present mode."""
    state = vcpu.state()
    values = [int(lib.arm_reg(vcpu.cpu, number)) for number in range(15 if machine is ARM32 else 32)]
    values += [int(lib.cpu_pc(vcpu.cpu)), int(state.pstate)]
    if machine is ARM64:
        control = struct.pack("<IIII", state.fpsr, state.fpcr, 0, 0)
        status = _STATUS[machine].note(vcpu.id, signal, values)
        return status + note(NT_FPREGSET, bytes(ffi.buffer(state.v)) + control)
    status = _STATUS[machine].note(vcpu.id, signal, [*values, -1])  # no system call was under way
    scalars = bytes(ffi.buffer(state.v, 256)) + struct.pack("<I", state.fpcr | state.fpsr)
    return status + note(_NT_ARM_VFP, scalars, b"LINUX")


def runs(vcpu: Vcpu) -> Iterator[Run]:
    """What the vcpu's page tables let its kernel read, as far as RAM is there."""
    return with_memory(vcpu.domain, _mapped(vcpu))


def _mapped(vcpu: Vcpu) -> Iterator[Run]:
    va, ipa, size, prot = ffi.new("uint64_t *"), ffi.new("uint64_t *"), ffi.new("uint64_t *"), ffi.new("uint32_t *")
    walks = ffi.new("uint32_t *", _MOST)
    while lib.arm_next_mapped(vcpu.cpu, va, ipa, size, prot, walks):
        pages = max(int(size[0]) // _PAGE, 1)
        yield Run(
            int(va[0]), int(ipa[0]) // _PAGE, pages, bool(prot[0] & lib.MAP_WRITE), bool(prot[0] & lib.MAP_EXEC)
        )
        va[0] = (int(va[0]) + pages * _PAGE) & (1 << 64) - 1
        if va[0] == 0:
            return
