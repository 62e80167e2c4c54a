"""How an ARM vcpu executes: AArch64, or AArch32 with A32 or T32 code.

Source: Arm Architecture Reference Manual (DDI 0487), C5.2 (PSTATE, SPSR_EL1) and G1.9 (CPSR);
xen/include/public/arch-arm.h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hv import abi
from hv.arch.arm.registers import RECORD as RECORD_64
from hv.arch.arm.registers32 import RECORD as RECORD_32
from hv.arch.mode import CallAt, FrameRecord, Mode

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

PSTATE_AARCH32, PSTATE_EL, CPSR_T, CPSR_MODE, MODE_USR = 1 << 4, 0xC, 1 << 5, 0x1F, 0x10
_HVC64 = (0xD4000002 | int(abi.XEN_HYPERCALL_TAG) << 5).to_bytes(4, "little")
_TAG = int(abi.XEN_HYPERCALL_TAG)
_HVC32 = (0xE1400070 | (_TAG & 0xFFF0) << 4 | _TAG & 0xF).to_bytes(4, "little")
_HVC_T32 = (0xF7E0 | _TAG >> 12).to_bytes(2, "little") + (0x8000 | _TAG & 0xFFF).to_bytes(2, "little")
_HVC = {"aarch64": _HVC64, "arm": _HVC32, "thumb": _HVC_T32}
"""HVC #XEN_HYPERCALL_TAG as it is encoded in each kind of code (A64: C6.2.105; A32, T32: F5.1.57)."""


def mode_of(vcpu: Vcpu) -> Mode:
    """As the vcpu stands."""
    registers, pstate = vcpu.registers, int(vcpu.state().pstate)
    pc, sp = registers["pc"], registers["sp"]
    if not pstate & PSTATE_AARCH32:
        return Mode("AArch64", "aarch64", 64, not pstate & PSTATE_EL, pc, sp)
    thumb = bool(pstate & CPSR_T)
    user = pstate & CPSR_MODE == MODE_USR
    return Mode("T32" if thumb else "A32", "thumb" if thumb else "arm", 32, user, pc, sp)


def record_of(mode: Mode) -> FrameRecord:
    """How calls are found on the stack of such code."""
    return RECORD_64 if mode.bits == 64 else RECORD_32


def call_at(vcpu: Vcpu, mode: Mode, read: Callable[[int, int], bytes]) -> CallAt | None:
    """The hypercall that the next instruction makes; None when it is something else. `read` is linear memory."""
    if mode.user or read(mode.pc, 4) != _HVC[mode.code]:
        return None
    registers = vcpu.registers
    number, first = ("x16", "x") if mode.bits == 64 else ("r12", "r")
    arguments = tuple(registers[f"{first}{index}"] for index in range(5))
    return CallAt(registers[number], (*arguments, 0), vcpu.domain.abi)
