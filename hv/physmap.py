"""The physmap of a translated domain (PVH, HVM): putting pages at guest frames, taking them away.

The mechanism is native/xen/p2m.c. Source: xenmem_add_to_physmap_one() in xen/arch/x86/mm.c,
guest_remove_page() in xen/common/memory.c of Xen 4.17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv import abi, grant
from hv.errors import XenError
from hv.native import lib

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.hypercall import Context

RAM = int(lib.P2M_RAM | lib.P2M_WRITABLE)


def add(ctx: Context, space: int, index: int, gfn: int) -> None:
    """Put page `index` of a space (shared_info, the grant table, or a page of the domain's own) at guest frame `gfn`.
    What stood there is given back. XenError: there is no such page or frame."""
    domain = ctx.domain
    check_gfn(gfn)
    if space == abi.XENMAPSPACE_shared_info:
        mfn = _shared_info(domain, index)
    elif space == abi.XENMAPSPACE_grant_table:
        mfn = _grant_frame(ctx, index)
    elif space in (abi.XENMAPSPACE_gmfn, abi.XENMAPSPACE_gmfn_range):
        mfn = own_frame(domain, index)
    else:
        raise XenError("physmap_space", space=space)
    put(domain, gfn, mfn)
    if index != gfn and space in (abi.XENMAPSPACE_gmfn, abi.XENMAPSPACE_gmfn_range):
        domain.unmap_frame(index)  # only now: a page that could not be put stays where it was


def put(domain: Domain, gfn: int, mfn: int) -> None:
    """Have `mfn` stand at `gfn`, and give back the page of the domain's own that stood there. XenError: the machine has
    no frame left for the tables of the physmap."""
    old = domain.frame_of(gfn)
    try:
        domain.map_frames(gfn, [mfn], RAM)
    except MemoryError:
        raise XenError("memory_exhausted", frames=1, free=int(domain.hv.state.free_frames)) from None
    if old is not None and old != mfn:
        _give_back(domain, old)


def remove(domain: Domain, gfn: int) -> None:
    """Nothing stands at `gfn` any more; a page of the domain's own is given back. XenError: nothing stands there."""
    mfn = own_frame(domain, gfn)
    domain.unmap_frame(gfn)
    _give_back(domain, mfn)


def own_frame(domain: Domain, gfn: int) -> int:
    """The machine frame at `gfn`. XenError: there is none."""
    mfn = domain.frame_of(gfn)
    if mfn is None:
        raise XenError("physmap_empty", gfn=gfn)
    return mfn


def _give_back(domain: Domain, mfn: int) -> None:
    """A page of the domain's own goes; one of Xen's (shared_info, grant tables, what devices keep) stays."""
    lib.hv_release_frame(domain.hv.native, domain.c, mfn)


def check_gfn(gfn: int) -> None:
    """XenError: the physmap does not reach that far."""
    if gfn >= lib.P2M_FRAMES:
        raise XenError("physmap_gfn", gfn=gfn, limit=int(lib.P2M_FRAMES))


def _shared_info(domain: Domain, index: int) -> int:
    if index:
        raise XenError("physmap_index", space=abi.XENMAPSPACE_shared_info, index=index)
    return int(domain.c.shared_info_frame)


def _grant_frame(ctx: Context, index: int) -> int:
    """A page of the grant table, or with XENMAPIDX_grant_table_status of its status; the table grows to it."""
    table = grant.table(ctx.hv.native, ctx.domain.c)
    status = bool(index & abi.XENMAPIDX_grant_table_status)
    number = index & ~abi.XENMAPIDX_grant_table_status
    if number >= grant.MAX_FRAMES or (status and table.version != 2):
        raise XenError("physmap_index", space=abi.XENMAPSPACE_grant_table, index=index)
    if not status:
        try:
            grant.grow(table, number + 1)
        except grant.GrantError as error:
            raise error.reason from None
        return int(table.d.grant_frame[number])
    if number >= table.d.grant_status_frames:
        raise XenError("physmap_index", space=abi.XENMAPSPACE_grant_table, index=index)
    return int(table.d.grant_status_frame[number])
