"""memory_op: the domain's memory, as far as an unprivileged PV domain may see and change it.

The command is in the low six bits of the first argument, the rest counts the progress of a continued call. Source:
do_memory_op() in xen/common/memory.c, arch_memory_op() in xen/arch/x86/{mm,x86_64/mm}.c, all of Xen 4.17.
Differs from it: a memory map has at most HV_E820_ENTRIES entries; the frame lists of the machine-to-phys table for
32-bit guests (XENMEM_machphys_compat_mfn_list) come with those guests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hv import abi, physmap, reservation
from hv.errors import XenError
from hv.hypercall import RETRY, Context, Disposition, Handler, hypercall
from hv.native import lib
from hv.reservation import BATCH, MAX_ORDER, Exchange, Step

MAX_EXTENTS = 0xFFFFFFFF >> abi.MEMOP_EXTENT_SHIFT
M2P_EXTENT_FRAMES = 512
E820_ENTRY = abi.layout("e820entry").size
STEPS: dict[int, Step] = {
    abi.XENMEM_increase_reservation: reservation.increase,
    abi.XENMEM_decrease_reservation: reservation.decrease,
    abi.XENMEM_populate_physmap: reservation.populate,
}


def progress(ctx: Context) -> int:
    """What an interrupted call had done."""
    return ctx.args[0] >> abi.MEMOP_EXTENT_SHIFT


def common(sub: int, arg: str = "") -> Callable[[Handler], Handler]:
    """Register a sub-operation that is never continued: progress is EINVAL, before anything is looked at."""
    return _once(sub, arg, "memory_progress")


def arch(sub: int, arg: str = "") -> Callable[[Handler], Handler]:
    """The same for those of xen/arch/x86, to which a command with progress is an unknown one: ENOSYS."""
    return _once(sub, arg, "unknown_subop")


def _once(sub: int, struct: str, rule: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        def checked(ctx: Context, arg: dict[str, Any]) -> int | Disposition:
            if progress(ctx) and rule == "memory_progress":
                raise XenError("memory_progress", subop=ctx.subop, start=progress(ctx))
            if progress(ctx):
                raise XenError("unknown_subop", hypercall=ctx.nr, subop=ctx.args[0])
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

    return register


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
    """The highest pfn: of a PV domain what it wrote to shared_info.arch.max_pfn, less one."""
    d, layout = asked_domain(ctx), abi.layout("shared_info", ctx.abi)
    if ctx.domain.translated:
        return int(lib.hv_highest_gfn(ctx.hv.native, d))
    at = (int(d.shared_info_frame) << 12) + layout.offset("arch.max_pfn")
    max_pfn = int.from_bytes(ctx.domain.read(at, ctx.word_size()), "little")
    last = (max_pfn or 1) - 1
    return last - (last >> 63 << 64)  # a C long: the guest may have written anything


@arch(abi.XENMEM_machphys_mapping, "xen_machphys_mapping")
def machphys_mapping(ctx: Context, arg: dict[str, Any]) -> int:
    """Where the machine-to-phys table lies, and how far it can reach. Translated domains have none."""
    if ctx.domain.translated:
        raise XenError("subop_pv_only", hypercall=ctx.nr, subop=ctx.subop)
    arg["v_start"] = abi.constant("MACH2PHYS_VIRT_START", ctx.abi)
    arg["v_end"] = abi.constant("MACH2PHYS_VIRT_END", ctx.abi)
    arg["max_mfn"] = abi.constant("MACH2PHYS_NR_ENTRIES", ctx.abi) - 1
    return 0


@arch(abi.XENMEM_machphys_mfn_list, "xen_machphys_mfn_list")
def machphys_mfn_list(ctx: Context, arg: dict[str, Any]) -> int:
    """The frames of the machine-to-phys table, one for each 2 MiB of it."""
    state = ctx.hv.state
    first, frames = int(state.m2p_frame), int(state.m2p_frames)
    count = min(arg["max_extents"], -(-frames // M2P_EXTENT_FRAMES))
    if count:
        ctx.write_array("P", arg["extent_start"], [first + i * M2P_EXTENT_FRAMES for i in range(count)])
    arg["nr_extents"] = count
    return 0


@arch(abi.XENMEM_memory_map, "xen_memory_map")
def memory_map(ctx: Context, arg: dict[str, Any]) -> int:
    """The memory map that was set for the domain."""
    d = ctx.domain.c
    if d.e820_entries == 0:
        raise XenError("memory_map_unset", domid=ctx.domain.domid)
    arg["nr_entries"] = min(arg["nr_entries"], int(d.e820_entries))
    entries = [d.e820[i] for i in range(arg["nr_entries"])]
    pack = abi.layout("e820entry").pack
    data = b"".join(pack({"addr": int(e.addr), "size": int(e.size), "type": int(e.type)}) for e in entries)
    if data:
        ctx.write(arg["buffer"], data)
    return 0


@arch(abi.XENMEM_set_memory_map, "xen_foreign_memory_map")
def set_memory_map(ctx: Context, arg: dict[str, Any]) -> int:
    """Set the domain's own memory map, for whoever asks next."""
    entries, limit = arg["map"]["nr_entries"], int(lib.HV_E820_ENTRIES)
    if entries > limit:
        raise XenError("memory_map_entries", entries=entries, limit=limit)
    d, layout = ctx.own_domain(arg["domid"]).c, abi.layout("e820entry")
    data = ctx.read(arg["map"]["buffer"], entries * E820_ENTRY) if entries else b""
    for i in range(entries):
        fields = layout.unpack(data, i * E820_ENTRY)
        d.e820[i].addr, d.e820[i].size, d.e820[i].type = fields["addr"], fields["size"], fields["type"]
    d.e820_entries = entries
    return 0


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


@arch(abi.XENMEM_set_pod_target, "xen_pod_target")
@arch(abi.XENMEM_get_pod_target, "xen_pod_target")
def pod_target(ctx: Context, arg: dict[str, Any]) -> int:
    """Populate on demand: the control domain's."""
    ctx.find_domain(arg["domid"])
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


def not_built_in(ctx: Context, arg: dict[str, Any]) -> int:
    """Guest memory on disk or shared between domains: not built in."""
    raise XenError("memory_not_built_in", subop=ctx.subop)


arch(abi.XENMEM_machine_memory_map)(control_only)
hypercall("memory_op", sub=abi.XENMEM_access_op)(control_only)
arch(abi.XENMEM_paging_op)(not_built_in)
arch(abi.XENMEM_sharing_op)(not_built_in)
