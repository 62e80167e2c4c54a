"""How a vcpu executes what stands before it: real or protected mode, code of how many bits, and where its code and
stack segments begin. Addresses that a debugger speaks of are linear: `Mode.pc` and `Mode.sp`, not rip and rsp.

Source: AMD64 APM volume 2, chapter 4.7 (CS and SS descriptors) and 1.2 (modes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hv.native import lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

CR0_PE, RFLAGS_VM, EFER_LMA = 1, 1 << 17, 1 << 10
LONG, BIG = 1 << 21, 1 << 22
"""Of a segment's attributes: CS.L, and CS.D or SS.B."""
_MASK_32 = (1 << 32) - 1


class Mode(NamedTuple):
    """bits: of operands and addresses in code that no prefix says otherwise of: 64, 32 or 16. stack_bits: of the stack
    pointer. segmented: selectors are segments' addresses (real mode, virtual 8086 mode)."""

    name: str
    bits: int
    stack_bits: int
    segmented: bool
    user: bool
    cs: int
    pc: int
    """The linear address of the next instruction."""
    sp: int
    """The linear address of the top of the stack."""

    @property
    def word(self) -> int:
        """Bytes of what a push in this code pushes."""
        return self.bits // 8


def mode_of(vcpu: Vcpu) -> Mode:
    """As the vcpu stands."""
    return mode_in(vcpu.state(), whole=vcpu.domain.translated, kernel=bool(vcpu.c.kernel_mode))


def mode_in(state: Any, *, whole: bool, kernel: bool) -> Mode:
    """The same of a `struct x86_state`. `whole`: a processor of an HVM or PVH guest's, whose rings are its own;
    `kernel`: of others, that it is in guest kernel mode."""
    code, stack = state.segments[lib.SEG_CS], state.segments[lib.SEG_SS]
    selector, rip, rsp = int(code.selector), int(state.gprs.rip), int(state.gprs.rsp)
    long_mode = bool(state.efer & EFER_LMA)
    if long_mode and code.attributes & LONG:
        return Mode("64-bit code", 64, 64, False, selector & 3 == 3 if whole else not kernel, selector, rip, rsp)
    bits, stack_bits = (32 if segment.attributes & BIG else 16 for segment in (code, stack))
    pc, sp = ((int(segment.base) + offset) & _MASK_32 for segment, offset in (
        (code, rip), (stack, rsp & (1 << stack_bits) - 1),
    ))  # fmt: skip
    virtual = bool(state.rflags & RFLAGS_VM)
    real = not state.cr0 & CR0_PE
    name = "real mode" if real else "virtual 8086 mode" if virtual else f"{bits}-bit code"
    user = (virtual or (not real and selector & 3 == 3)) if whole else not kernel
    return Mode(name, bits, stack_bits, real or virtual, user, selector, pc, sp)


def cr2_of(vcpu: Vcpu) -> int:
    """The address of the last page fault, as the guest reads it."""
    if vcpu.domain.translated:
        return int(lib.hv_hvm_vcpu(vcpu.domain.hv.native, vcpu.c).cr2)
    return int(vcpu.c.ctrlreg[2])


def cr3_of(vcpu: Vcpu) -> int:
    """The page table that the vcpu uses now: a machine address, of a whole processor a guest-physical one."""
    if vcpu.domain.translated:
        return int(vcpu.state().cr3)
    return int(vcpu.c.cr3_kernel if vcpu.c.kernel_mode else vcpu.c.cr3_user)


def linear_pc(vcpu: Vcpu) -> int:
    """The linear address of a vcpu's next instruction."""
    return mode_of(vcpu).pc
