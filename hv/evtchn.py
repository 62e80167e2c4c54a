"""Event channels: what binding, closing and resetting mean. The hot half (sending, pending bits) is
native/xen/evtchn.c.

A channel is a `struct evtchn` in the arena, seen through cffi. Functions take the hypervisor's C object `c`
(struct hv *) and the domain's `d` (struct domain *), and raise `XenError` with the errno of Xen 4.17
(xen/common/event_channel.c).

A domain's channel may lead to a domain that does not exist here: then a back end of the host serves the
other end (console, xenstore, disks), as domain 0 would. A send on it comes to Python, `host_notify` goes the
other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hv import abi
from hv.arch import architecture, kind_numbered
from hv.errors import XenError
from hv.native import ffi, lib

# A domain without passed-through devices has interrupt lines by number, and the right to none of them.
NR_PIRQS = 256

# Virtual interrupts that belong to one vcpu on every architecture.
VCPU_VIRQS = frozenset({abi.VIRQ_TIMER, abi.VIRQ_DEBUG, abi.VIRQ_XENOPROF, abi.VIRQ_XENPMU})


def domain_by_id(c: Any, caller: Any, domid: int) -> Any:
    """The domain that `domid` means for `caller` (DOMID_SELF included), None when there is none."""
    if domid == abi.DOMID_SELF:
        return caller
    found = lib.hv_find_domain(c, domid)
    return found if found != ffi.NULL else None


def target_domain(c: Any, caller: Any, domid: int, rule: str) -> Any:
    """The domain an unprivileged caller names, which must be itself. ESRCH (`rule`) or EPERM. Domain 0 is always
    there: it is the host."""
    d = domain_by_id(c, caller, domid)
    if d is None and domid != 0:
        raise XenError(rule, domid=domid)
    if d is None or (d.domid != caller.domid and not caller.privileged):
        raise XenError("other_domain_denied", domid=domid)
    return d


def vcpus(c: Any, d: Any) -> Iterator[Any]:
    """The vcpus of a domain, by number."""
    for slot in d.vcpu_slot:
        if slot != lib.HV_NO_SLOT:
            yield lib.hv_state(c).vcpus[slot]


def vcpu(c: Any, d: Any, number: int) -> Any:
    """A vcpu of the domain by the guest's number. ENOENT when there is none."""
    found = lib.hv_find_vcpu(c, d, number)
    if found == ffi.NULL:
        raise XenError("evtchn_no_vcpu", vcpu=number, vcpus=d.vcpu_count)
    return found


def channel(c: Any, d: Any, port: int) -> Any:
    """The struct evtchn of a port. EINVAL when the number is none of this domain's ports."""
    found = lib.hv_evtchn(c, d, port)
    if found == ffi.NULL:
        raise XenError("evtchn_port_range", port=port, limit=lib.hv_evtchn_limit(d))
    return found


def allocate(c: Any, d: Any) -> int:
    """The lowest free port, its channel cleared but still free. EINVAL for a dying domain, ENOSPC when all
    are used."""
    if d.dying:
        raise XenError("evtchn_domain_dying", domid=d.domid)
    last = lib.hv_evtchn_capacity(d) - 1
    if d.max_evtchn_port:
        last = min(last, d.max_evtchn_port)
    port = max(1, int(d.next_free_port))
    lowest_busy = 0  # a free port that the guest has not yet taken off its FIFO queue
    while port <= last:
        if port >= d.ports:
            d.ports = port + 1
        if lib.hv_evtchn(c, d, port).state == lib.ECS_FREE:
            if not lib.hv_evtchn_is_busy(c, d, port):
                break
            lowest_busy = lowest_busy or port
        port += 1
    else:
        raise XenError("evtchn_no_free_port", limit=last)
    d.next_free_port = lowest_busy or port
    e = lib.hv_evtchn(c, d, port)
    e.notify_vcpu = 0
    e.remote_domid = e.remote_port = 0
    e.priority = abi.EVTCHN_FIFO_PRIORITY_DEFAULT
    return port


def _open(c: Any, d: Any, state: int, *, notify: int = 0, remote_domid: int = 0, remote_port: int = 0) -> int:
    port = allocate(c, d)
    e = lib.hv_evtchn(c, d, port)
    e.state = state
    e.notify_vcpu = notify
    e.remote_domid = remote_domid
    e.remote_port = remote_port
    return port


def alloc_unbound(c: Any, d: Any, remote_domid: int) -> int:
    """A new port of `d` that `remote_domid` may bind to; that domain need not exist yet."""
    return _open(c, d, lib.ECS_UNBOUND, remote_domid=remote_domid)


def bind_interdomain(c: Any, d: Any, remote_domid: int, remote_port: int) -> int:
    """Connect a new port of `d` with an unbound port of another domain (or its own) that waits for `d`."""
    remote = domain_by_id(c, d, remote_domid)
    if remote is None:
        raise XenError("evtchn_no_domain", domid=remote_domid)
    port = allocate(c, d)
    other = channel(c, remote, remote_port)
    if other.state != lib.ECS_UNBOUND or other.remote_domid != d.domid:
        raise XenError("evtchn_not_unbound", domid=remote.domid, port=remote_port, state=other.state)
    e = lib.hv_evtchn(c, d, port)
    e.state, e.remote_domid, e.remote_port = lib.ECS_INTERDOMAIN, remote.domid, remote_port
    other.state, other.remote_domid, other.remote_port = lib.ECS_INTERDOMAIN, d.domid, port
    # What was sent to the unbound port is lost: one event now makes up for it, wanted or not.
    lib.hv_evtchn_set_pending(c, d, port)
    return port


def of_a_vcpu(d: Any, virq: int) -> bool:
    """Whether a virtual interrupt belongs to one vcpu; the others are the domain's and are bound on vcpu 0."""
    return virq in VCPU_VIRQS or virq in architecture(kind_numbered(d.type).abi, "interface").VCPU_VIRQS


def bind_virq(c: Any, d: Any, virq: int, number: int) -> int:
    """A port for a virtual interrupt of one vcpu. EINVAL, ENOENT, EEXIST as evtchn_bind_virq()."""
    if virq >= abi.NR_VIRQS:
        raise XenError("evtchn_virq_range", virq=virq, limit=abi.NR_VIRQS)
    if not of_a_vcpu(d, virq) and number != 0:
        raise XenError("evtchn_global_virq_vcpu", virq=virq, vcpu=number)
    v = vcpu(c, d, number)
    if v.virq_port[virq]:
        raise XenError("evtchn_virq_bound", virq=virq, vcpu=number, port=v.virq_port[virq])
    port = _open(c, d, lib.ECS_VIRQ, notify=number, remote_port=virq)
    v.virq_port[virq] = port
    return port


def bind_ipi(c: Any, d: Any, number: int) -> int:
    """A port by which any vcpu of the domain notifies vcpu `number`."""
    vcpu(c, d, number)
    return _open(c, d, lib.ECS_IPI, notify=number)


def close(c: Any, d: Any, port: int) -> None:
    """Free a port; the other end of a connection becomes unbound again. EINVAL for a free or reserved
    port."""
    e = channel(c, d, port)
    if e.state in (lib.ECS_FREE, lib.ECS_RESERVED) or port == 0:
        raise XenError("evtchn_close_state", port=port, state=e.state)
    if e.state == lib.ECS_VIRQ:
        for v in vcpus(c, d):
            if v.virq_port[e.remote_port] == port:
                v.virq_port[e.remote_port] = 0
    elif e.state == lib.ECS_INTERDOMAIN:
        remote = domain_by_id(c, d, e.remote_domid)
        if remote is not None:
            other = channel(c, remote, e.remote_port)
            other.state, other.remote_domid, other.remote_port = lib.ECS_UNBOUND, d.domid, 0
    lib.hv_evtchn_clear_pending(c, d, port)  # nobody who binds the port next shall see it
    e.state = lib.ECS_FREE
    e.pending = 0
    e.notify_vcpu = 0
    e.remote_domid = e.remote_port = 0
    d.next_free_port = min(d.next_free_port, port) or 1


def bind_vcpu(c: Any, d: Any, port: int, number: int) -> None:
    """Make a channel notify another vcpu. IPIs and the virtual interrupts of a vcpu stay where they are:
    EINVAL."""
    vcpu(c, d, number)
    e = channel(c, d, port)
    movable = e.state in (lib.ECS_UNBOUND, lib.ECS_INTERDOMAIN, lib.ECS_PIRQ) or (
        e.state == lib.ECS_VIRQ and not of_a_vcpu(d, e.remote_port)
    )
    if not movable:
        raise XenError("evtchn_bind_vcpu_state", port=port, state=e.state)
    e.notify_vcpu = number


def ports(d: Any) -> range:
    """The ports that may be in use. A domain that left the FIFO ABI had more than the two-level one has."""
    return range(1, min(d.ports, lib.hv_evtchn_limit(d)))


def reset(c: Any, d: Any) -> None:
    """Close every channel of a domain."""
    for port in ports(d):
        if lib.hv_evtchn(c, d, port).state not in (lib.ECS_FREE, lib.ECS_RESERVED):
            close(c, d, port)


def connect_host(c: Any, d: Any, port: int, host_port: int = 0) -> None:
    """The host's back end binds to a port that the guest left unbound for a domain that is not here (domain
    0)."""
    e = channel(c, d, port)
    if e.state != lib.ECS_UNBOUND or domain_by_id(c, d, e.remote_domid) is not None:
        raise XenError("evtchn_not_unbound", domid=d.domid, port=port, state=e.state)
    e.state, e.remote_port = lib.ECS_INTERDOMAIN, host_port
    lib.hv_evtchn_set_pending(c, d, port)


def disconnect_host(c: Any, d: Any, port: int) -> None:
    """The host's end lets go: the port is unbound again, as when a domain closes its end. Nothing happens to a port
    that the guest has closed, or bound otherwise."""
    e = lib.hv_evtchn(c, d, port)
    if e != ffi.NULL and e.state == lib.ECS_INTERDOMAIN and domain_by_id(c, d, e.remote_domid) is None:
        e.state, e.remote_port = lib.ECS_UNBOUND, 0


def open_host(c: Any, d: Any, remote_domid: int = 0, host_port: int = 0) -> int:
    """A port that is connected with the host from birth: how the toolstack gives a domain its console and
    store."""
    return _open(c, d, lib.ECS_INTERDOMAIN, remote_domid=remote_domid, remote_port=host_port)


def host_notify(c: Any, d: Any, port: int) -> bool:
    """The host's end sends. False when the guest has closed the port or bound it otherwise: nobody
    listens."""
    e = lib.hv_evtchn(c, d, port)
    if e == ffi.NULL or e.state != lib.ECS_INTERDOMAIN or domain_by_id(c, d, e.remote_domid) is not None:
        return False
    lib.hv_evtchn_set_pending(c, d, port)
    return True
