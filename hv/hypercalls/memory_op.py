"""memory_op: the domain's memory, as far as an unprivileged domain may see and change it.

The command is in the low six bits of the first argument, the rest counts the progress of a continued call. Source:
do_memory_op() in xen/common/memory.c of Xen 4.17. What only one architecture has is in hv/arch/NAME/hypercalls.
"""

from __future__ import annotations

from typing import Any

from hv import abi, physmap, reservation
from hv.arch import architecture
from hv.errors import XenError
from hv.hypercall import RETRY, Context, Disposition, hypercall
from hv.native import lib
from hv.reservation import BATCH, MAX_ORDER, Exchange, Step
from hv.suboperations import NOT_CONTINUED, UNKNOWN, once, progress

MAX_EXTENTS = 0xFFFFFFFF >> abi.MEMOP_EXTENT_SHIFT
STEPS: dict[int, Step] = {
    abi.XENMEM_increase_reservation: reservation.increase,
    abi.XENMEM_decrease_reservation: reservation.decrease,
    abi.XENMEM_populate_physmap: reservation.populate,
}


common = once(hypercall, NOT_CONTINUED)
arch = once(hypercall, UNKNOWN)
"""For those that Xen leaves to its architectures, each of which has them."""


# ---- reservations ----


def begin(ctx: Context, start: int) -> dict[str, Any]:
    """The reservation structure with everything checked that stops a call before it does anything."""
    r = ctx.read_struct("xen_memory_reservation", ctx.args[1])
    if r["nr_extents"] > MAX_EXTENTS:
        raise XenError("memory_too_many_extents", extents=r["nr_extents"], limit=MAX_EXTENTS)
    if start < r["nr_extents"]:
        ctx.own_domain(r["domid"])
        reservation.address_bits(ctx, r["mem_flags"])
        if ctx.subop == abi.XENMEM_populate_physmap and r["mem_flags"] & abi.XENMEMF_populate_on_demand:
            raise XenError("memory_on_demand", domid=ctx.domain.domid)
        if r["extent_order"] > MAX_ORDER:
            raise XenError("memory_order", order=r["extent_order"], limit=MAX_ORDER)
    return r


def adjust_reservation(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
    """Increase, decrease or populate: the result is how many extents are done, never an errno."""
    done, sub = progress(ctx), ctx.subop
    try:
        r = begin(ctx, done)
        last = min(r["nr_extents"], done + max(BATCH >> min(r["extent_order"], MAX_ORDER), 1))
        while done < last:
            STEPS[sub](ctx, r, done)
            done += 1
    except XenError as error:
        return ctx.stopped(done, error)
    if done < r["nr_extents"]:
        ctx.args[0] = done << abi.MEMOP_EXTENT_SHIFT | sub
        return RETRY
    return done


for _sub in STEPS:
    hypercall("memory_op", sub=_sub)(adjust_reservation)


@common(abi.XENMEM_exchange)
def exchange(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
    """Swap frames for others, to get them contiguous or below an address."""
    fields = ctx.read_struct("xen_memory_exchange", ctx.args[1])
    done = fields["nr_exchanged"]
    try:
        work = Exchange(ctx, fields)
        budget = BATCH
        while not work.finished and budget > 0:
            work.step()
            done, budget = work.done, budget - work.frames
    except XenError:
        ctx.write_fields("xen_memory_exchange", ctx.args[1], {"nr_exchanged": done})
        raise
    if work.finished:
        done = fields["in"]["nr_extents"]
    ctx.write_fields("xen_memory_exchange", ctx.args[1], {"nr_exchanged": done})
    return 0 if work.finished else RETRY


# ---- questions ----


@common(abi.XENMEM_maximum_ram_page)
def maximum_ram_page(ctx: Context, arg: dict[str, Any]) -> int:
    """Frames of the machine."""
    return int(ctx.hv.state.frames)


def asked_domain(ctx: Context) -> Any:
    """The `struct domain` that a pointer to a domid names."""
    return ctx.own_domain(ctx.array("H", ctx.args[1], 1)[0]).c


@common(abi.XENMEM_current_reservation)
def current_reservation(ctx: Context, arg: dict[str, Any]) -> int:
    """Frames that the domain owns."""
    return int(asked_domain(ctx).tot_pages)


@common(abi.XENMEM_maximum_reservation)
def maximum_reservation(ctx: Context, arg: dict[str, Any]) -> int:
    """Frames that the domain may own."""
    return int(asked_domain(ctx).max_pages)


@common(abi.XENMEM_maximum_gpfn)
def maximum_gpfn(ctx: Context, arg: dict[str, Any]) -> int:
    """The highest pfn that the domain uses, of one that has its own p2m by its own account."""
    d = asked_domain(ctx)
    if ctx.domain.translated:
        return int(lib.hv_highest_gfn(ctx.hv.native, d))
    return int(architecture(ctx.domain.abi, "pv").last_pfn(ctx.domain))


@common(abi.XENMEM_get_vnumainfo, "xen_vnuma_topology_info")
def get_vnumainfo(ctx: Context, arg: dict[str, Any]) -> int:
    """Virtual NUMA: no domain has it."""
    if arg["pad"]:
        raise XenError("memory_reserved_field", subop=ctx.subop, value=arg["pad"])
    ctx.own_domain(arg["domid"])
    raise XenError("memory_no_vnuma", domid=ctx.domain.domid)


@common(abi.XENMEM_reserved_device_memory_map, "xen_reserved_device_memory_map")
def reserved_device_memory_map(ctx: Context, arg: dict[str, Any]) -> int:
    """Memory that devices reserve: none."""
    if arg["flags"] & ~abi.XENMEM_RDM_ALL:
        raise XenError("memory_reserved_field", subop=ctx.subop, value=arg["flags"])
    arg["nr_entries"] = 0
    return 0


def no_sharing(ctx: Context, arg: dict[str, Any]) -> int:
    """How many frames sharing saves, or is used by: none."""
    return 0


arch(abi.XENMEM_get_sharing_freed_pages)(no_sharing)
arch(abi.XENMEM_get_sharing_shared_pages)(no_sharing)


# ---- what only translated domains have, or only the control domain may do ----


def add_to_physmap_checks(ctx: Context, domid: int, space: int) -> None:
    """ESRCH, EACCES and EPERM as xatp_permission_check(); EACCES for a PV domain, which has its own p2m."""
    domain = ctx.find_domain(domid)
    if space == abi.XENMAPSPACE_dev_mmio:
        raise XenError("memory_device_space", space=space)
    if domain is not ctx.domain:
        raise XenError("other_domain_denied", domid=domid)
    if not ctx.domain.translated:
        raise XenError("memory_not_translated", subop=ctx.subop)


@hypercall("memory_op", sub=abi.XENMEM_add_to_physmap)
def add_to_physmap(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
    """Put a page of Xen's somewhere into the physmap."""
    if progress(ctx) > 0xFFFF:
        raise XenError("memory_batch_progress", start=progress(ctx))
    fields = ctx.read_struct("xen_add_to_physmap", ctx.args[1])
    if fields["space"] == abi.XENMAPSPACE_gmfn_foreign:
        raise XenError("memory_foreign_space", space=fields["space"])
    add_to_physmap_checks(ctx, fields["domid"], fields["space"])
    count = fields["size"] if fields["space"] == abi.XENMAPSPACE_gmfn_range else 1
    done = progress(ctx)
    last = min(count, done + BATCH)
    for i in range(done, last):
        physmap.add(ctx, fields["space"], fields["idx"] + i, fields["gpfn"] + i)
    if last < count:
        ctx.args[0] = last << abi.MEMOP_EXTENT_SHIFT | ctx.subop
        return RETRY
    return 0


@hypercall("memory_op", sub=abi.XENMEM_add_to_physmap_batch)
def add_to_physmap_batch(ctx: Context, arg: dict[str, Any]) -> int:
    """The same for many pages."""
    if progress(ctx) > 0xFFFF:
        raise XenError("memory_batch_progress", start=progress(ctx))
    fields = ctx.read_struct("xen_add_to_physmap_batch", ctx.args[1])
    for name in ("idxs", "gpfns", "errs"):
        if not ctx.address_ok(fields[name]):
            raise XenError("bad_guest_pointer", address=fields[name], length=fields["size"])
    if fields["space"] == abi.XENMAPSPACE_gmfn_range:
        raise XenError("memory_range_space", space=fields["space"])
    add_to_physmap_checks(ctx, fields["domid"], fields["space"])
    size = ctx.word_size()
    for i in range(fields["size"]):
        index, gfn = (ctx.array("P", fields[name] + i * size, 1)[0] for name in ("idxs", "gpfns"))
        error = 0
        try:
            if fields["space"] == abi.XENMAPSPACE_gmfn_foreign:
                ctx.find_domain(fields["u"]["foreign_domid"])  # ESRCH: there is none
                raise XenError("physmap_foreign", domid=fields["u"]["foreign_domid"], frame=index)
            physmap.add(ctx, fields["space"], index, gfn)
        except XenError as refusal:
            ctx.stopped(i, refusal)
            error = -refusal.errno
        ctx.write_array("i", fields["errs"] + 4 * i, [error])
    return 0


@common(abi.XENMEM_remove_from_physmap, "xen_remove_from_physmap")
def remove_from_physmap(ctx: Context, arg: dict[str, Any]) -> int:
    """Take a page out of the physmap: of a PV domain's own page there is nothing to do."""
    ctx.own_domain(arg["domid"])
    if ctx.domain.translated:
        physmap.remove(ctx.domain, arg["gpfn"])
        return 0
    if lib.hv_get_page(ctx.hv.native, arg["gpfn"], ctx.domain.domid) != 0:
        raise XenError("memory_no_such_page", frame=arg["gpfn"])
    lib.hv_put_page(ctx.hv.native, arg["gpfn"])
    return 0


@common(abi.XENMEM_claim_pages, "xen_memory_reservation")
def claim_pages(ctx: Context, arg: dict[str, Any]) -> int:
    """Set memory aside for a domain that is being built."""
    order, flags, where = arg["extent_order"], arg["mem_flags"], arg["extent_start"]
    if order or flags or where:
        raise XenError("memory_claim", order=order, flags=flags, list=where)
    raise XenError("memory_control_only", subop=ctx.subop)


@common(abi.XENMEM_acquire_resource, "xen_mem_acquire_resource")
def acquire_resource(ctx: Context, arg: dict[str, Any]) -> int:
    """Map another domain's grant table or I/O request pages: a device model's."""
    if arg["pad"]:
        raise XenError("memory_reserved_field", subop=ctx.subop, value=arg["pad"])
    if ctx.is_self(arg["domid"]):
        raise XenError("memory_resource_self", domid=ctx.domain.domid)
    ctx.find_domain(arg["domid"])
    raise XenError("memory_control_only", subop=ctx.subop)


def control_only(ctx: Context, arg: dict[str, Any]) -> int:
    """EPERM whatever the argument says."""
    raise XenError("memory_control_only", subop=ctx.subop)


hypercall("memory_op", sub=abi.XENMEM_access_op)(control_only)
