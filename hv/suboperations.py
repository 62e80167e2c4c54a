"""What handlers of memory_op and vcpu_op have in common, whether they are an architecture's or everyone's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hv import abi
from hv.errors import XenError
from hv.hypercall import Context, Disposition, Handler, Registry
from hv.native import lib

Operation = Callable[[Context, Any], "int | Disposition"]
NOT_CONTINUED, UNKNOWN = "memory_progress", "unknown_subop"
"""What a command of memory_op with progress is that is never continued: EINVAL of those in xen/common, before anything
is looked at; an unknown one (ENOSYS) to the code of an architecture."""


def progress(ctx: Context) -> int:
    """Of memory_op: what an interrupted call had done."""
    return ctx.args[0] >> abi.MEMOP_EXTENT_SHIFT


def once(hypercall: Registry, rule: str) -> Callable[..., Callable[[Handler], Handler]]:
    """What registers sub-operations of memory_op that are never continued, (sub, structure of the argument): progress
    is refused by `rule`."""

    def of_sub(sub: int, struct: str = "") -> Callable[[Handler], Handler]:
        return lambda handler: _once(hypercall, sub, struct, rule, handler)

    return of_sub


def _once(hypercall: Registry, sub: int, struct: str, rule: str, handler: Handler) -> Handler:
    def checked(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
        if progress(ctx) and rule == NOT_CONTINUED:
            raise XenError(rule, subop=ctx.subop, start=progress(ctx))
        if progress(ctx):
            raise XenError(rule, hypercall=ctx.nr, subop=ctx.args[0])
        if not struct:
            return handler(ctx, arg)
        found = ctx.read_struct(struct, ctx.args[1])
        before = dict(found)
        result = handler(ctx, found)
        ctx.write_fields(struct, ctx.args[1], {k: v for k, v in found.items() if v != before[k]})
        return result

    checked.__qualname__ = handler.__qualname__
    hypercall("memory_op", sub=sub)(checked)
    return handler


def on_vcpu(hypercall: Registry) -> Callable[[int], Callable[[Operation], Operation]]:
    """What registers sub-operations of vcpu_op, on the vcpu (struct vcpu) that the second argument names. ENOENT."""

    def of_sub(sub: int) -> Callable[[Operation], Operation]:
        def register(one: Operation) -> Operation:
            def handler(ctx: Context, _arg: dict[str, Any]) -> int | Disposition:
                return one(ctx, named_vcpu(ctx))

            handler.__qualname__ = one.__qualname__
            hypercall("vcpu_op", sub=sub)(handler)
            return one

        return register

    return of_sub


def named_vcpu(ctx: Context) -> Any:
    """Of vcpu_op: the vcpu (struct vcpu) that the second argument names. ENOENT."""
    number = ctx.args[1] & 0xFFFF_FFFF
    found = lib.hv_find_vcpu(ctx.hv.native, ctx.domain.c, number)
    if not found:
        raise XenError("no_such_vcpu", vcpu=number)
    return found


def vcpu_area(ctx: Context, struct: str, size: int) -> int:
    """Of vcpu_op: the linear address of an area to be registered: of the guest's, though it need not be mapped now.
    EFAULT."""
    address = int(ctx.read_struct(struct, ctx.args[2])["addr"]["p"])
    if ctx.word_size() == 4:
        address &= 0xFFFF_FFFF
    last = address + size - 1
    if last >= 1 << 64 or not (ctx.address_ok(address) and ctx.address_ok(last)):
        raise XenError("vcpu_area_address", address=address, length=size)
    return address
