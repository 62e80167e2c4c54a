"""sched_op(cmd, argument): what a vcpu does with its time. C answers yield and block most often; so does
this.

Source: xen/include/public/sched.h; errnos and their order as do_sched_op() of Xen 4.17
(xen/common/sched/core.c).
"""

from __future__ import annotations

from typing import Any

from hv import abi, clock, evtchn
from hv.disposition import BLOCK, Disposition
from hv.errors import XenError
from hv.hypercall import Context, hypercall
from hv.native import lib

MAX_POLL_PORTS = 128
WATCHDOGS = 2


def _shutdown(ctx: Context, reason: int) -> Disposition:
    """The domain stops, all its vcpus at once. A code chosen before (SCHEDOP_shutdown_code) stands."""
    d = ctx.domain.c
    if not d.shut_down:
        if not d.shutdown_code_set:
            d.shutdown_code = reason & 0xFF
        d.shut_down = 1
    return BLOCK


def _yield(ctx: Context) -> int:
    lib.hv_yield(ctx.hv.native)
    return 0


def _block(ctx: Context) -> Disposition:
    lib.hv_block(ctx.hv.native, ctx.vcpu.c)
    return BLOCK


@hypercall("sched_op", sub=abi.SCHEDOP_yield)
def sched_yield(ctx: Context, _arg: dict[str, Any]) -> int:
    """Let another vcpu run."""
    return _yield(ctx)


@hypercall("sched_op", sub=abi.SCHEDOP_block)
def block(ctx: Context, _arg: dict[str, Any]) -> Disposition:
    """Unmask events and sleep until one is pending."""
    return _block(ctx)


@hypercall("sched_op", sub=abi.SCHEDOP_shutdown, arg="sched_shutdown")
def shutdown(ctx: Context, arg: dict[str, Any]) -> Disposition:
    """Power off, reboot, suspend, crash: the reason is recorded in the domain."""
    return _shutdown(ctx, arg["reason"])


@hypercall("sched_op", sub=abi.SCHEDOP_shutdown_code, arg="sched_shutdown")
def shutdown_code(ctx: Context, arg: dict[str, Any]) -> int:
    """Choose the code of a shutdown to come; the first choice stands."""
    d = ctx.domain.c
    if not d.shut_down and not d.shutdown_code_set:
        d.shutdown_code, d.shutdown_code_set = arg["reason"] & 0xFF, 1
    return 0


@hypercall("sched_op", sub=abi.SCHEDOP_poll, arg="sched_poll")
def poll(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
    """Sleep until one of some ports is pending, whatever is masked, or until a system time."""
    c, d, v = ctx.hv.native, ctx.domain.c, ctx.vcpu.c
    count = arg["nr_ports"]
    if count > MAX_POLL_PORTS:
        raise XenError("poll_ports", count=count, limit=MAX_POLL_PORTS)
    if lib.hv_event_deliverable(c, v):
        return 0
    port = 0
    for i in range(count):
        port = ctx.array("I", arg["ports"] + 4 * i, 1)[0]
        evtchn.channel(c, d, port)
        if lib.hv_evtchn_is_pending(c, d, port):
            return 0
    v.blocked = v.polling = 1
    v.poll_port = port if count == 1 else 0
    # A time that has passed, or that is negative to Xen, ends the sleep at once; 0 means never.
    timeout = arg["timeout"]
    v.poll_deadline = 1 if timeout > clock.MAX_TIME_NS else timeout
    return BLOCK


@hypercall("sched_op", sub=abi.SCHEDOP_watchdog, arg="sched_watchdog")
def watchdog(ctx: Context, arg: dict[str, Any]) -> int:
    """Start (id 0), push back or stop (timeout 0) a timer that shuts the domain down. A new one's id is
    returned."""
    d, number, timeout = ctx.domain.c, arg["id"], arg["timeout"]
    if number > WATCHDOGS:
        raise XenError("watchdog_id", id=number, limit=WATCHDOGS)
    deadline = max(clock.now(ctx.hv.native) + timeout * clock.NS_PER_SECOND, 1)
    if number == 0:
        for slot in range(WATCHDOGS):
            if not d.watchdog_deadline[slot]:
                d.watchdog_deadline[slot] = deadline
                return slot + 1
        raise XenError("watchdog_none_free", limit=WATCHDOGS)
    if not d.watchdog_deadline[number - 1]:
        raise XenError("watchdog_not_running", id=number)
    d.watchdog_deadline[number - 1] = deadline if timeout else 0
    return 0


@hypercall("sched_op", sub=abi.SCHEDOP_remote_shutdown, arg="sched_remote_shutdown")
def remote_shutdown(ctx: Context, arg: dict[str, Any]) -> int:
    """Shut another domain down: for the control domain. ESRCH, else EPERM, the caller's own number
    included."""
    target = lib.hv_find_domain(ctx.hv.native, arg["domain_id"])
    if not target:
        raise XenError("evtchn_no_domain", domid=arg["domain_id"])
    if not ctx.domain.c.privileged:
        raise XenError("not_privileged", hypercall=ctx.nr)
    if not target.shut_down:
        target.shutdown_code, target.shut_down = arg["reason"] & 0xFF, 1
    return 0


@hypercall("sched_op", sub=abi.SCHEDOP_pin_override)
def pin_override(ctx: Context, _arg: dict[str, Any]) -> int:
    """Pin the vcpu to a processor: for the hardware domain, which is none of ours."""
    raise XenError("not_privileged", hypercall=ctx.nr)


@hypercall("sched_op_compat")
def sched_op_compat(ctx: Context, _arg: dict[str, Any]) -> int | Disposition:
    """The call of before 2005: yield, block, and shutdown with the reason as the argument itself."""
    match ctx.subop:
        case abi.SCHEDOP_yield:
            return _yield(ctx)
        case abi.SCHEDOP_block:
            return _block(ctx)
        case abi.SCHEDOP_shutdown:
            return _shutdown(ctx, ctx.args[1])
    raise XenError("unknown_subop", hypercall=ctx.nr, subop=ctx.subop)
