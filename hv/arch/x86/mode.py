"""How an x86 vcpu executes: real or protected mode, code of how many bits, and where its code and stack segments begin.

Source: AMD64 APM volume 2, chapter 4.7 (CS and SS descriptors) and 1.2 (modes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hv.arch.mode import CallAt, FrameRecord, Mode
from hv.arch.x86.registers import RECORD_32
from hv.native import lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

CR0_PE, RFLAGS_VM, EFER_LMA = 1, 1 << 17, 1 << 10
LONG, BIG = 1 << 21, 1 << 22
"""Of a segment's attributes: CS.L, and CS.D or SS.B."""
_MASK_32 = (1 << 32) - 1
_SYSCALL, _VMCALLS = (b"\x0f\x05",), (b"\x0f\x01\xc1", b"\x0f\x01\xd9")
# The hypercall conventions: xen/include/public/arch-x86/xen-x86_64.h and xen-x86_32.h
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
_NARROW = ("rbx", "rcx", "rdx", "rsi", "rdi", "rbp")
_ALL = (1 << 64) - 1


def mode_of(vcpu: Vcpu) -> Mode:
    """As the vcpu stands."""
    return mode_in(vcpu.state(), whole=vcpu.domain.translated, kernel=bool(vcpu.c.kernel_mode))


def mode_in(state: Any, *, whole: bool, kernel: bool) -> Mode:
    """The same of a `struct x86_state`. `whole`: a processor of an HVM or PVH guest's, whose rings are its own;
    `kernel`: of others, that it is in guest kernel mode."""
    code, stack = state.segments[lib.SEG_CS], state.segments[lib.SEG_SS]
    selector, rip, rsp = int(code.selector), int(state.gprs.rip), int(state.gprs.rsp)
    if state.efer & EFER_LMA and code.attributes & LONG:
        return Mode("64-bit code", "x86_64", 64, selector & 3 == 3 if whole else not kernel, rip, rsp)
    bits, stack_bits = (32 if segment.attributes & BIG else 16 for segment in (code, stack))
    pc, sp = ((int(segment.base) + offset) & _MASK_32 for segment, offset in (
        (code, rip), (stack, rsp & (1 << stack_bits) - 1),
    ))  # fmt: skip
    virtual = bool(state.rflags & RFLAGS_VM)
    real = not state.cr0 & CR0_PE
    name = "real mode" if real else "virtual 8086 mode" if virtual else f"{bits}-bit code"
    user = (virtual or (not real and selector & 3 == 3)) if whole else not kernel
    return Mode(name, f"x86_{bits}", bits, user, pc, sp, f"{selector:04x}:{rip:04x}" if real or virtual else "")


def record_of(mode: Mode) -> FrameRecord | None:
    """How calls are found on the stack of such code; None: by what describes it."""
    return RECORD_32 if mode.bits == 32 else None


def call_at(vcpu: Vcpu, mode: Mode, read: Callable[[int, int], bytes]) -> CallAt | None:
    """The hypercall that the next instruction makes; None when it is something else. `read` is linear memory."""
    whole = vcpu.domain.translated
    if mode.user or read(mode.pc, 3 if whole else 2) not in (_VMCALLS if whole else _SYSCALL):
        return None
    wide, registers = mode.bits == 64, vcpu.registers
    values = [registers[name] & (_ALL if wide else _MASK_32) for name in ("rax", *(_ARGUMENTS if wide else _NARROW))]
    return CallAt(values[0], tuple(values[1:]), vcpu.domain.abi if wide else "x86_32")
