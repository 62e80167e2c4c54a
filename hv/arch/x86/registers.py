"""The registers of an x86 vcpu: their names, and the values of those that a debugger names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hv.arch.mode import FrameRecord
from hv.native import lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

GENERAL = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
)  # fmt: skip
PC, STACK = "rip", "rsp"
"""Those of GENERAL that say where the next instruction and the top of the stack are, as the guest sees them."""
FLAGS = "rflags"
HYPERCALL_BYTES = 0
"""The instruction is in a page of Xen's, of which there is nothing to tell; what is behind it is of the same stub."""
RECORD = None
"""Callers of 64-bit code are found by what describes it (hv.debug.symbols)."""
RECORD_32 = FrameRecord(
    "rbp", "", STACK, 4, numbers=("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "rip")
)
"""Those of 32-bit code. Numbers: System V ABI, Intel386 Architecture Processor Supplement, table 2.14."""
STATE = "struct x86_state"
"""The whole architectural state (native/engine/engine.h)."""
_SEGMENTS = {name: number for number, name in enumerate(("es", "cs", "ss", "ds", "fs", "gs"))}


def general(cpu: Any) -> dict[str, int]:
    """The values of GENERAL."""
    return _named(lib.cpu_gprs(cpu))


def of_evidence(evidence: Any) -> dict[str, int]:
    """The same of a `struct evidence`."""
    return _named(evidence.registers)


def _named(gprs: Any) -> dict[str, int]:
    return {name: int(getattr(gprs, name)) for name in GENERAL}


def cr2(vcpu: Vcpu) -> int:
    """The address of the last page fault, as the guest reads it."""
    if vcpu.domain.translated:
        return int(lib.hv_hvm_vcpu(vcpu.domain.hv.native, vcpu.c).cr2)
    return int(vcpu.c.ctrlreg[2])


def cr3(vcpu: Vcpu) -> int:
    """The page table that the vcpu uses now: a machine address, of a whole processor a guest-physical one."""
    if vcpu.domain.translated:
        return int(vcpu.state().cr3)
    return int(vcpu.c.cr3_kernel if vcpu.c.kernel_mode else vcpu.c.cr3_user)


def _flags(vcpu: Vcpu) -> int:
    return int(vcpu.state().rflags)


def _segment(field: str, number: int) -> Callable[[Vcpu], int]:
    return lambda vcpu: int(getattr(vcpu.state().segments[number], field))


OTHERS: dict[str, Callable[[Vcpu], int]] = {
    FLAGS: _flags, "eflags": _flags, "cr2": cr2, "cr3": cr3,
    **{name: _segment("selector", number) for name, number in _SEGMENTS.items()},
    **{f"{name}_base": _segment("base", _SEGMENTS[name]) for name in ("fs", "gs")},
}  # fmt: skip
"""Further registers that have a name, and their values."""
