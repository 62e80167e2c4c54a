"""event_channel_op: every sub-operation but the two that C answers (send and unmask; see
native/xen/evtchn.c).

Source: xen/include/public/event_channel.h; errnos and their order as xen/common/event_channel.c of Xen 4.17.
"""

from __future__ import annotations

from typing import Any

from hv import abi, evtchn, evtchn_fifo
from hv.errors import XenError
from hv.hypercall import Context, hypercall
from hv.native import lib


@hypercall("event_channel_op", sub=abi.EVTCHNOP_alloc_unbound, arg="evtchn_alloc_unbound")
def alloc_unbound(ctx: Context, arg: dict[str, Any]) -> int:
    """A port that another domain may bind to."""
    d = evtchn.target_domain(ctx.hv.native, ctx.domain.c, arg["dom"], "evtchn_no_domain")
    remote = ctx.domain.c.domid if arg["remote_dom"] == abi.DOMID_SELF else arg["remote_dom"]
    arg["port"] = evtchn.alloc_unbound(ctx.hv.native, d, remote)
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_bind_interdomain, arg="evtchn_bind_interdomain")
def bind_interdomain(ctx: Context, arg: dict[str, Any]) -> int:
    """Connect with a port that another domain left unbound for us."""
    remote_dom, remote_port = arg["remote_dom"], arg["remote_port"]
    arg["local_port"] = evtchn.bind_interdomain(ctx.hv.native, ctx.domain.c, remote_dom, remote_port)
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_bind_virq, arg="evtchn_bind_virq")
def bind_virq(ctx: Context, arg: dict[str, Any]) -> int:
    """A port for a virtual interrupt."""
    arg["port"] = evtchn.bind_virq(ctx.hv.native, ctx.domain.c, arg["virq"], arg["vcpu"])
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_bind_ipi, arg="evtchn_bind_ipi")
def bind_ipi(ctx: Context, arg: dict[str, Any]) -> int:
    """A port from any of our vcpus to one of them."""
    arg["port"] = evtchn.bind_ipi(ctx.hv.native, ctx.domain.c, arg["vcpu"])
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_bind_pirq, arg="evtchn_bind_pirq")
def bind_pirq(ctx: Context, arg: dict[str, Any]) -> int:
    """A port for a physical interrupt: EINVAL beyond the numbers there are, EPERM for each of them."""
    if arg["pirq"] >= evtchn.NR_PIRQS:
        raise XenError("evtchn_pirq_range", pirq=arg["pirq"], limit=evtchn.NR_PIRQS)
    raise XenError("evtchn_pirq_denied", pirq=arg["pirq"])


@hypercall("event_channel_op", sub=abi.EVTCHNOP_close, arg="evtchn_close")
def close(ctx: Context, arg: dict[str, Any]) -> int:
    """Free a port."""
    evtchn.close(ctx.hv.native, ctx.domain.c, arg["port"])
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_send, arg="evtchn_send")
def send(ctx: Context, arg: dict[str, Any]) -> int:
    """Notify the other end. C has answered already unless a back end of the host is that other end."""
    c, d, port = ctx.hv.native, ctx.domain.c, arg["port"]
    e = evtchn.channel(c, d, port)
    if e.state not in (lib.ECS_INTERDOMAIN, lib.ECS_IPI, lib.ECS_UNBOUND):
        raise XenError("evtchn_send_state", port=port, state=e.state)
    if lib.hv_evtchn_send(c, d, port) == lib.HV_EVTCHN_HOST:
        ctx.domain.host_event(port)
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_unmask, arg="evtchn_unmask")
def unmask(ctx: Context, arg: dict[str, Any]) -> int:
    """Clear the mask bit, and deliver what waited behind it."""
    evtchn.channel(ctx.hv.native, ctx.domain.c, arg["port"])
    lib.hv_evtchn_unmask(ctx.hv.native, ctx.domain.c, arg["port"])
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_status, arg="evtchn_status")
def status(ctx: Context, arg: dict[str, Any]) -> int:
    """What a port is bound to."""
    d = evtchn.target_domain(ctx.hv.native, ctx.domain.c, arg["dom"], "evtchn_no_domain")
    e = evtchn.channel(ctx.hv.native, d, arg["port"])
    arg["status"] = STATUS[e.state]
    arg["vcpu"] = e.notify_vcpu
    detail = DETAIL.get(e.state)
    if detail is not None:
        arg["u"] = detail(e)
    return 0


STATUS: dict[int, int] = {
    lib.ECS_FREE: abi.EVTCHNSTAT_closed,
    lib.ECS_RESERVED: abi.EVTCHNSTAT_closed,
    lib.ECS_UNBOUND: abi.EVTCHNSTAT_unbound,
    lib.ECS_INTERDOMAIN: abi.EVTCHNSTAT_interdomain,
    lib.ECS_PIRQ: abi.EVTCHNSTAT_pirq,
    lib.ECS_VIRQ: abi.EVTCHNSTAT_virq,
    lib.ECS_IPI: abi.EVTCHNSTAT_ipi,
}
# The member of evtchn_status.u that goes with a state.
DETAIL: dict[int, Any] = {
    lib.ECS_UNBOUND: lambda e: {"unbound": {"dom": e.remote_domid}},
    lib.ECS_INTERDOMAIN: lambda e: {"interdomain": {"dom": e.remote_domid, "port": e.remote_port}},
    lib.ECS_PIRQ: lambda e: {"pirq": e.remote_port},
    lib.ECS_VIRQ: lambda e: {"virq": e.remote_port},
}


@hypercall("event_channel_op", sub=abi.EVTCHNOP_bind_vcpu, arg="evtchn_bind_vcpu")
def bind_vcpu(ctx: Context, arg: dict[str, Any]) -> int:
    """Choose the vcpu that a port notifies."""
    evtchn.bind_vcpu(ctx.hv.native, ctx.domain.c, arg["port"], arg["vcpu"])
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_reset, arg="evtchn_reset")
def reset(ctx: Context, arg: dict[str, Any]) -> int:
    """Close all ports; a domain that resets itself by DOMID_SELF also leaves the FIFO ABI."""
    c = ctx.hv.native
    d = evtchn.target_domain(c, ctx.domain.c, arg["dom"], "evtchn_no_domain")
    evtchn.reset(c, d)
    if arg["dom"] == abi.DOMID_SELF and d.fifo:
        evtchn_fifo.destroy(c, d)
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_init_control, arg="evtchn_init_control")
def init_control(ctx: Context, arg: dict[str, Any]) -> int:
    """The FIFO ABI: a vcpu's control block."""
    evtchn_fifo.init_control(ctx.hv.native, ctx.domain.c, arg["vcpu"], arg["control_gfn"], arg["offset"])
    arg["link_bits"] = abi.EVTCHN_FIFO_LINK_BITS
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_expand_array, arg="evtchn_expand_array")
def expand_array(ctx: Context, arg: dict[str, Any]) -> int:
    """The FIFO ABI: one more page of event words."""
    evtchn_fifo.expand_array(ctx.hv.native, ctx.domain.c, arg["array_gfn"])
    return 0


@hypercall("event_channel_op", sub=abi.EVTCHNOP_set_priority, arg="evtchn_set_priority")
def set_priority(ctx: Context, arg: dict[str, Any]) -> int:
    """The FIFO ABI: the queue of a port."""
    evtchn_fifo.set_priority(ctx.hv.native, ctx.domain.c, arg["port"], arg["priority"])
    return 0
