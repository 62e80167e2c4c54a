"""grant_table_op(cmd, array, count): batches of operations on grant tables.

An operation that fails gets a status (GNTST_*) and the batch goes on; the hypercall itself fails only for
what concerns all of it. Long batches are cut: the guest executes the call again with the rest. Source:
xen/include/public/grant_table.h; errnos and statuses as xen/common/grant_table.c of Xen 4.17.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hv import abi, evtchn, grant, grant_copy, grant_map
from hv.disposition import RETRY, Disposition
from hv.errors import XenError
from hv.grant import GrantError
from hv.hypercall import Context, Handler, hypercall
from hv.native import lib
from hv.physical import PAGE_SHIFT, PAGE_SIZE

BATCH = 128  # operations between two looks at the clock
MAX_COUNT = (1 << 31) - 1

One = Callable[[Context, dict[str, Any]], None]


def _count(ctx: Context) -> int:
    """The third argument, a C unsigned int that must be positive as an int; no flags in the command.
    EINVAL."""
    count = ctx.args[2] & 0xFFFF_FFFF
    if count > MAX_COUNT:
        raise XenError("grant_count", count=count)
    if ctx.args[0] & 0xFFFF_FFFF != ctx.subop:
        raise XenError("invalid_subop", hypercall=ctx.nr, subop=ctx.args[0] & 0xFFFF_FFFF)
    return count


def _refused(ctx: Context, error: GrantError) -> int:
    """Remember why an operation failed, for people; its status, for the guest."""
    ctx.hv.refusals.note(ctx.vcpu.c, ctx.nr, ctx.args, error.reason, result=0, status=error.status)
    return error.status


def batch(sub: int, struct: str, *, whole: bool = False) -> Callable[[One], One]:
    """Register what one operation of an array of `struct` means. Its status is written back; with `whole`,
    all of the structure is."""

    def register(one: One) -> One:
        def handler(ctx: Context, _arg: dict[str, Any]) -> int | Disposition:
            count = _count(ctx)
            size = abi.layout(struct, ctx.abi).size
            address = ctx.args[1]
            for _ in range(min(count, BATCH)):
                op = ctx.read_struct(struct, address)
                try:
                    one(ctx, op)
                    op["status"] = abi.GNTST_okay
                except GrantError as error:
                    op["status"] = _refused(ctx, error)
                if whole:
                    ctx.write_struct(struct, address, op)
                else:
                    ctx.write_fields(struct, address, {"status": op["status"]})
                address += size
            if count <= BATCH:
                return 0
            ctx.args[1], ctx.args[2] = address, count - BATCH
            return RETRY

        handler.__qualname__ = one.__qualname__
        hypercall("grant_table_op", sub=sub)(handler)
        return one

    return register


def single(sub: int, struct: str) -> Callable[[Handler], Handler]:
    """Register an operation that takes exactly one structure. EINVAL for any other count."""

    def register(one: Handler) -> Handler:
        def handler(ctx: Context, _arg: dict[str, Any]) -> int | Disposition:
            count = _count(ctx)
            if count != 1:
                raise XenError("grant_count", count=count)
            return one(ctx, ctx.read_struct(struct, ctx.args[1]))

        handler.__qualname__ = one.__qualname__
        hypercall("grant_table_op", sub=sub)(handler)
        return one

    return register


def _table(ctx: Context, domid: int) -> grant.Table:
    """The table of the domain an operation names: the caller's own."""
    d = evtchn.domain_by_id(ctx.hv.native, ctx.domain.c, domid)
    if d is None:
        raise GrantError(abi.GNTST_bad_domain, "grant_no_domain", domid=domid)
    if d.domid != ctx.domain.domid and not ctx.domain.c.privileged:
        raise GrantError(abi.GNTST_permission_denied, "grant_other_domain", domid=domid)
    return grant.table(ctx.hv.native, d)


# ---- the table itself ----


def _grow(ctx: Context, t: grant.Table, frames: int) -> None:
    if frames > grant.MAX_FRAMES:
        raise GrantError(
            abi.GNTST_general_error, "grant_too_many_frames", frames=frames, limit=grant.MAX_FRAMES
        )
    try:
        grant.grow(t, frames)
    except XenError:
        raise GrantError(abi.GNTST_general_error, "grant_no_memory", domid=t.d.domid) from None


def _write_list(ctx: Context, address: int, code: str, frames: list[int]) -> None:
    try:
        ctx.write_array(code, address, frames)
    except XenError:
        raise GrantError(abi.GNTST_bad_virt_addr, "grant_frame_list", address=address) from None


@single(abi.GNTTABOP_setup_table, "gnttab_setup_table")
def setup_table(ctx: Context, op: dict[str, Any]) -> int:
    """Have a table of so many frames, and tell which they are."""
    status, frames = abi.GNTST_okay, op["nr_frames"]
    try:
        if frames > grant.MAX_FRAMES:  # checked before the domain is looked up
            raise GrantError(
                abi.GNTST_general_error, "grant_too_many_frames", frames=frames, limit=grant.MAX_FRAMES
            )
        t = _table(ctx, op["dom"])
        _grow(ctx, t, frames)
        if frames:
            # A translated domain puts them into its physmap by number; machine frames mean nothing to it.
            none = (1 << 8 * ctx.word_size()) - 1
            shown = [none] * frames if ctx.domain.translated else list(t.d.grant_frame[0:frames])
            _write_list(ctx, op["frame_list"], "P", shown)
    except GrantError as error:
        status = _refused(ctx, error)
    ctx.write_fields("gnttab_setup_table", ctx.args[1], {"status": status})
    return 0


@single(abi.GNTTABOP_query_size, "gnttab_query_size")
def query_size(ctx: Context, op: dict[str, Any]) -> int:
    """How many frames the table has, and may have."""
    try:
        op["nr_frames"] = _table(ctx, op["dom"]).d.grant_frames
        op["max_nr_frames"] = grant.MAX_FRAMES
        op["status"] = abi.GNTST_okay
    except GrantError as error:
        op["status"] = _refused(ctx, error)
    ctx.write_struct("gnttab_query_size", ctx.args[1], op)
    return 0


@single(abi.GNTTABOP_get_status_frames, "gnttab_get_status_frames")
def get_status_frames(ctx: Context, op: dict[str, Any]) -> int:
    """Tell the frames in which a version-2 table marks what is in use."""
    status, frames = abi.GNTST_okay, op["nr_frames"]
    try:
        t = _table(ctx, op["dom"])
        if frames > t.d.grant_status_frames:
            raise GrantError(
                abi.GNTST_general_error, "grant_status_frames", frames=frames, present=t.d.grant_status_frames
            )
        if frames:
            _write_list(ctx, op["frame_list"], "Q", list(t.d.grant_status_frame[0:frames]))
    except GrantError as error:
        status = _refused(ctx, error)
    ctx.write_fields("gnttab_get_status_frames", ctx.args[1], {"status": status})
    return 0


@hypercall("grant_table_op", sub=abi.GNTTABOP_set_version)
def set_version(ctx: Context, _arg: dict[str, Any]) -> int:
    """Change the layout of the table; the version that holds afterwards is written back in any case."""
    _count(ctx)
    op = ctx.read_struct("gnttab_set_version", ctx.args[1])
    t = grant.table(ctx.hv.native, ctx.domain.c)
    try:
        grant.set_version(t, op["version"])
    finally:
        ctx.write_struct("gnttab_set_version", ctx.args[1], {"version": t.version})
    return 0


@hypercall("grant_table_op", sub=abi.GNTTABOP_get_version)
def get_version(ctx: Context, _arg: dict[str, Any]) -> int:
    """The version of a domain's table. ESRCH, EPERM."""
    _count(ctx)
    op = ctx.read_struct("gnttab_get_version", ctx.args[1])
    d = evtchn.target_domain(ctx.hv.native, ctx.domain.c, op["dom"], "grant_no_domain")
    version = grant.table(ctx.hv.native, d).version
    ctx.write_fields("gnttab_get_version", ctx.args[1], {"version": version})
    return 0


@batch(abi.GNTTABOP_swap_grant_ref, "gnttab_swap_grant_ref")
def swap_grant_ref(ctx: Context, op: dict[str, Any]) -> None:
    """Exchange two entries of the caller's table."""
    grant.swap(grant.table(ctx.hv.native, ctx.domain.c), op["ref_a"], op["ref_b"])


# ---- using what others granted ----


@batch(abi.GNTTABOP_map_grant_ref, "gnttab_map_grant_ref", whole=True)
def map_grant_ref(ctx: Context, op: dict[str, Any]) -> None:
    """Map a granted frame."""
    grant_map.map_ref(ctx.hv.native, ctx.vcpu.c, op)


@batch(abi.GNTTABOP_unmap_grant_ref, "gnttab_unmap_grant_ref")
def unmap_grant_ref(ctx: Context, op: dict[str, Any]) -> None:
    """Take a mapping away."""
    grant_map.unmap(ctx.hv.native, ctx.vcpu.c, op["handle"], op["host_addr"], op["dev_bus_addr"])


@batch(abi.GNTTABOP_unmap_and_replace, "gnttab_unmap_and_replace")
def unmap_and_replace(ctx: Context, op: dict[str, Any]) -> None:
    """Take a mapping away and move another page's mapping there."""
    grant_map.unmap(ctx.hv.native, ctx.vcpu.c, op["handle"], op["host_addr"], 0, op["new_addr"])


@batch(abi.GNTTABOP_copy, "gnttab_copy")
def copy(ctx: Context, op: dict[str, Any]) -> None:
    """Copy between frames."""
    grant_copy.copy(ctx.hv.native, ctx.domain.c, op)


@batch(abi.GNTTABOP_transfer, "gnttab_transfer")
def transfer(ctx: Context, op: dict[str, Any]) -> None:
    """Give a frame away: not offered. The status is that of a frame that cannot be stolen from its owner."""
    raise GrantError(abi.GNTST_bad_page, "grant_transfer", frame=op["mfn"])


# ---- caches: there are none, but the rules are the same ----


@hypercall("grant_table_op", sub=abi.GNTTABOP_cache_flush)
def cache_flush(ctx: Context, _arg: dict[str, Any]) -> int | Disposition:
    """Write back or drop cached lines of own or mapped frames; the first refusal ends the batch."""
    count = ctx.args[2] & 0xFFFF_FFFF
    if count > MAX_COUNT:
        raise XenError("grant_count", count=count)
    size = abi.layout("gnttab_cache_flush", ctx.abi).size
    for i in range(min(count, BATCH)):
        _flush_one(ctx, ctx.read_struct("gnttab_cache_flush", ctx.args[1] + i * size))
    if count <= BATCH:
        return 0
    ctx.args[1] += BATCH * size
    ctx.args[2] = count - BATCH
    return RETRY


def _flush_one(ctx: Context, op: dict[str, Any]) -> None:
    offset, length, what = op["offset"], op["length"], op["op"]
    if offset >= PAGE_SIZE or length > PAGE_SIZE or offset + length > PAGE_SIZE:
        raise XenError("grant_cache_range", offset=offset, length=length)
    if not length or not what:
        return
    if what & abi.GNTTAB_CACHE_SOURCE_GREF:
        raise XenError("grant_cache_by_ref", op=what)
    if what & ~(abi.GNTTAB_CACHE_CLEAN | abi.GNTTAB_CACHE_INVAL):
        raise XenError("grant_cache_op", op=what)
    native, frame = ctx.hv.native, op["a"]["dev_bus_addr"] >> PAGE_SHIFT
    if frame >= lib.hv_state(native).frames:
        raise XenError("grant_cache_frame", frame=frame)
    owner = lib.hv_find_domain(native, lib.hv_pages(native)[frame].owner)
    if not owner:
        raise XenError("grant_cache_owner", frame=frame)
    if owner.domid != ctx.domain.domid and not _maps(ctx, owner.domid, frame):
        raise XenError("grant_cache_frame", frame=frame)
    if what == abi.GNTTAB_CACHE_INVAL:
        raise XenError("grant_cache_invalidate", op=what)


def _maps(ctx: Context, domid: int, frame: int) -> bool:
    """Does the caller map this frame of that domain's by a grant?"""
    mine = grant.table(ctx.hv.native, ctx.domain.c)
    left = int(mine.d.maptrack_used)
    for handle in range(lib.HV_MAX_MAPTRACK):
        if not left:
            break
        m = mine.maptrack(handle)
        if m.flags:
            left -= 1
            if m.domid == domid and m.frame == frame:
                return True
    return False


@hypercall("grant_table_op")
def unknown(ctx: Context, _arg: dict[str, Any]) -> int:
    """Any other command, dump_table among them, which Xen no longer has: ENOSYS after the checks of all
    commands."""
    _count(ctx)
    raise XenError("grant_no_subop", subop=ctx.subop)


hypercall.translated_have(
    "grant_table_op", abi.GNTTABOP_query_size, abi.GNTTABOP_setup_table, abi.GNTTABOP_set_version,
    abi.GNTTABOP_get_version, abi.GNTTABOP_copy, abi.GNTTABOP_map_grant_ref, abi.GNTTABOP_unmap_grant_ref,
    abi.GNTTABOP_swap_grant_ref,
)  # fmt: skip
