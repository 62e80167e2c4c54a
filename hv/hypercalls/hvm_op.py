"""hvm_op: what a domain that has a physmap asks about itself.

Parameters, the vector of events, the time; which of it there is, the architecture says (hv/arch/NAME/hvm.py).
Source: do_hvm_op() and hvm_{set,get}_param() in xen/arch/x86/hvm/hvm.c and xen/arch/arm/hvm.c of Xen 4.17.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.arch import architecture
from hv.errors import XenError
from hv.hypercall import Context, hypercall
from hv.native import lib

EVERYONE_MAY_READ = frozenset({
    abi.HVM_PARAM_STORE_PFN, abi.HVM_PARAM_STORE_EVTCHN, abi.HVM_PARAM_CONSOLE_PFN, abi.HVM_PARAM_CONSOLE_EVTCHN,
})  # fmt: skip
FIRST_VECTOR = 0x10


def _arch(ctx: Context) -> Any:
    """The architecture's part. XenError: it has no such operation."""
    arch = architecture(ctx.domain.kind.abi, "hvm")
    if ctx.subop not in arch.OPERATIONS:
        raise XenError("unknown_subop", hypercall=ctx.nr, subop=ctx.subop)
    return arch


def _parameters(ctx: Context, arg: dict[str, Any]) -> Any:
    """The parameters of the domain that the guest names, which must be itself."""
    if arg["index"] >= abi.HVM_NR_PARAMS:
        raise XenError("hvm_param_index", index=arg["index"], limit=abi.HVM_NR_PARAMS)
    domain = ctx.find_domain(arg["domid"])
    if domain is None or not domain.translated:
        raise XenError("not_an_hvm_domain", domid=arg["domid"])
    ctx.own_domain(arg["domid"])
    return lib.hv_params(ctx.hv.native, ctx.domain.c)


@hypercall("hvm_op", sub=abi.HVMOP_set_param, arg="xen_hvm_param")
def set_param(ctx: Context, arg: dict[str, Any]) -> int:
    """Set a parameter of the caller's own."""
    params, index, value = _parameters(ctx, arg), arg["index"], arg["value"]
    arch = _arch(ctx)
    if index not in arch.GUEST_MAY_SET:
        raise XenError("hvm_param_fixed", index=index)
    if index in arch.SET_ONCE and params[index]:
        raise XenError("hvm_param_again", index=index, value=int(params[index]))
    if index == abi.HVM_PARAM_CALLBACK_IRQ:
        arch.set_callback(ctx.vcpu, value)
    else:
        params[index] = value
    return 0


@hypercall("hvm_op", sub=abi.HVMOP_get_param, arg="xen_hvm_param")
def get_param(ctx: Context, arg: dict[str, Any]) -> int:
    """Read a parameter of the caller's own."""
    params = _parameters(ctx, arg)
    if arg["index"] not in EVERYONE_MAY_READ | _arch(ctx).GUEST_MAY_READ:
        raise XenError("hvm_param_fixed", index=arg["index"])
    arg["value"] = int(params[arg["index"]])
    return 0


def _hvm(ctx: Context) -> Any:
    """The architecture's part, for an operation that PV domains have not. XenError."""
    if not ctx.domain.translated:
        raise XenError("hvm_only", hypercall=ctx.nr, subop=ctx.subop)
    return _arch(ctx)


@hypercall("hvm_op", sub=abi.HVMOP_flush_tlbs)
def flush_tlbs(ctx: Context, arg: dict[str, Any]) -> int:
    """Flush the translations of all the caller's vcpus; the argument must be null."""
    _hvm(ctx)
    if ctx.args[1]:
        raise XenError("hvm_flush", argument=ctx.args[1])
    lib.machine_tlb_stale(ctx.hv.machine)
    return 0


@hypercall("hvm_op", sub=abi.HVMOP_pagetable_dying, arg="xen_hvm_pagetable_dying")
def pagetable_dying(ctx: Context, arg: dict[str, Any]) -> int:
    """A hint that a page table will not be used again: there is nothing to let go of."""
    _hvm(ctx)
    ctx.own_domain(arg["domid"])
    return 0


@hypercall("hvm_op", sub=abi.HVMOP_get_time, arg="xen_hvm_get_time")
def get_time(ctx: Context, arg: dict[str, Any]) -> int:
    """System time in nanoseconds."""
    _hvm(ctx)
    arg["now"] = ctx.hv.now_ns
    return 0


@hypercall("hvm_op", sub=abi.HVMOP_set_evtchn_upcall_vector, arg="xen_hvm_evtchn_upcall_vector")
def set_evtchn_upcall_vector(ctx: Context, arg: dict[str, Any]) -> int:
    """Have a vcpu's events come as an interrupt of its local APIC."""
    arch = _hvm(ctx)
    if arg["vector"] < FIRST_VECTOR:
        raise XenError("hvm_upcall_vector", vector=arg["vector"])
    found = lib.hv_find_vcpu(ctx.hv.native, ctx.domain.c, arg["vcpu"])
    if not found:
        raise XenError("no_such_vcpu", vcpu=arg["vcpu"])
    arch.set_upcall_vector(ctx.vcpu, found, arg["vector"])
    return 0


@hypercall("hvm_op", sub=abi.HVMOP_altp2m)
def altp2m(ctx: Context, arg: dict[str, Any]) -> int:
    """Alternate views of the physmap: not for this domain."""
    _hvm(ctx)
    raise XenError("altp2m_off", domid=ctx.domain.domid)
