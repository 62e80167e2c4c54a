"""vcpu_op's commands that only x86 has: a vcpu's first context, NMIs, its time for user mode.

Source: xen/include/public/vcpu.h; do_vcpu_op() and arch_initialise_vcpu() in xen/arch/x86/domain.c of Xen 4.17.
"""

from __future__ import annotations

from typing import Any

from hv import abi, clock
from hv.arch.x86.hypercalls import hypercall
from hv.errors import XenError
from hv.hypercall import Context
from hv.native import ffi, lib
from hv.suboperations import on_vcpu, vcpu_area

operation = on_vcpu(hypercall)


@operation(abi.VCPUOP_initialise)
def initialise(ctx: Context, v: Any) -> int:
    """Give a vcpu its first context; the flag VGCF_online starts it too."""
    if not v.info_pa:
        raise XenError("vcpu_no_info", vcpu=v.id)
    data = ctx.read(ctx.args[2], abi.layout("vcpu_guest_context", ctx.abi).size)
    if v.initialised:
        raise XenError("vcpu_initialised", vcpu=v.id)
    facts = ffi.new("uint64_t[4]")
    rule = lib.hv_set_vcpu_context(ctx.hv.native, v, data, facts)
    if rule:
        raise XenError.from_number(rule, tuple(facts))
    clock.start_vcpu(ctx.hv.native, v)
    return 0


@operation(abi.VCPUOP_send_nmi)
def send_nmi(ctx: Context, v: Any) -> int:
    """Make an NMI pending on the vcpu. EINVAL: the argument must be null."""
    if ctx.args[2]:
        raise XenError("vcpu_nmi_argument", argument=ctx.args[2])
    if not v.nmi_pending:
        v.nmi_pending = 1
        lib.hv_vcpu_kick(ctx.hv.native, v)
    return 0


@operation(abi.VCPUOP_get_physid)
def get_physid(ctx: Context, v: Any) -> int:
    """The processor that the vcpu is bound to: only the hardware domain's are."""
    raise XenError("vcpu_not_pinned", vcpu=v.id)


@operation(abi.VCPUOP_register_vcpu_time_memory_area)
def register_vcpu_time_memoryvcpu_area(ctx: Context, v: Any) -> int:
    """A second place for the vcpu's time information, which user mode may read."""
    size = abi.layout("vcpu_time_info", ctx.abi).size
    v.time_va = vcpu_area(ctx, "vcpu_register_time_memory_area", size)
    clock.update_vcpu_time(ctx.hv.native, v)
    return 0
