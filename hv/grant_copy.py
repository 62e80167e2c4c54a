"""GNTTABOP_copy: copying between frames of domains, by grant or, for the caller's own frames, by frame
number. Back ends of the host take hold of granted frames by the same functions (hv.backend.granted)."""

from __future__ import annotations

from typing import Any, NamedTuple

from hv import abi, evtchn
from hv.grant import HOST_READ, HOST_WRITE, GrantError, Table, table
from hv.native import lib
from hv.physical import PAGE_SHIFT, PAGE_SIZE, read, write


class End(NamedTuple):
    """One end of a copy, held: a reference to the frame is counted, and of a grant a pin."""

    frame: int
    start: int          # the part of the page that may be touched
    length: int
    pinned: tuple[tuple[Table, int], ...]


def _own_frame(c: Any, d: Any, gmfn: int) -> End:
    frame = int(lib.hv_frame_of(c, d, gmfn))
    if lib.hv_get_page(c, frame, d.domid):
        raise GrantError(abi.GNTST_bad_page, "grant_frame", domid=d.domid, frame=gmfn)
    return End(frame, 0, PAGE_SIZE, ())


def hold_grant(t: Table, ref: int, user: int, *, readonly: bool, transitive: bool) -> End:
    """Claim a grant to domain `user` for copying. GrantError: its status, and nothing stays held. One step of
    transitivity is followed: a grant of what was granted to the granter."""
    t.check_ref(ref)
    was = int(t.active(ref).pin)
    entry = t.claim(ref, user, readonly=readonly, mapping=False)
    try:
        end = _resolve(t, ref, was, entry, readonly=readonly, transitive=transitive)
    except GrantError:
        t.unmark(ref)
        raise
    t.pin(ref, user, end.frame, HOST_READ if readonly else HOST_WRITE)
    return End(end.frame, end.start, end.length, (*end.pinned, (t, ref)))


def _resolve(t: Table, ref: int, was: int, entry: Any, *, readonly: bool, transitive: bool) -> End:
    """The frame behind a claimed entry, with a reference to it."""
    if entry.kind == abi.GTF_transitive and not was:
        if not transitive:
            raise GrantError(abi.GNTST_general_error, "grant_transitive_twice", ref=ref)
        giver = lib.hv_find_domain(t.c, entry.trans_domid)
        if entry.trans_domid == t.d.domid or not giver:
            raise GrantError(
                abi.GNTST_general_error, "grant_transitive_domain", ref=ref, domid=entry.trans_domid
            )
        return hold_grant(
            table(t.c, giver), entry.trans_ref, t.d.domid, readonly=readonly, transitive=False
        )
    # While the grant is in use the frame is the one that was agreed on, whatever the entry says now.
    frame = int(t.active(ref).frame) if was else int(lib.hv_frame_of(t.c, t.d, entry.frame))
    if lib.hv_get_page(t.c, frame, t.d.domid):
        raise GrantError(abi.GNTST_bad_page, "grant_frame", domid=t.d.domid, frame=frame)
    return End(frame, entry.page_off, entry.length, ())


def release(c: Any, end: End, *, readonly: bool) -> None:
    """Let go of what hold_grant() gave."""
    lib.hv_put_page(c, end.frame)
    for t, ref in end.pinned:
        t.unpin(ref, HOST_READ if readonly else HOST_WRITE)


def _side(c: Any, caller: Any, ptr: dict[str, Any], by_ref: bool) -> Any:
    """The domain that one end names. Only the caller's own frames can be named by number."""
    if ptr["domid"] != abi.DOMID_SELF and not by_ref:
        raise GrantError(abi.GNTST_permission_denied, "grant_copy_foreign_frame", domid=ptr["domid"])
    d = evtchn.domain_by_id(c, caller, ptr["domid"])
    if d is None:
        raise GrantError(abi.GNTST_bad_domain, "grant_no_domain", domid=ptr["domid"])
    return d


def _hold(c: Any, caller: Any, d: Any, ptr: dict[str, Any], by_ref: bool, *, readonly: bool) -> End:
    if by_ref:
        return hold_grant(table(c, d), ptr["u"]["ref"], caller.domid, readonly=readonly, transitive=True)
    return _own_frame(c, d, ptr["u"]["gmfn"])


def hold_writable(c: Any, d: Any, frame: int) -> Any:
    """Have a held frame stay plain memory as long as it is written to; the struct domain that hv_put_page_type() wants
    afterwards. GrantError: it is a page table or the like."""
    owner = lib.hv_find_domain(c, lib.hv_pages(c)[frame].owner) or d  # of a transitive grant not `d`
    if lib.hv_get_page_type(c, owner, frame, lib.PGT_writable):
        raise GrantError(abi.GNTST_general_error, "grant_frame_type", domid=d.domid, frame=frame)
    return owner


def check_bounds(end: End, offset: int, length: int) -> None:
    """GrantError: not all of these bytes were granted."""
    if offset < end.start or offset + length > end.start + end.length:
        raise GrantError(
            abi.GNTST_general_error, "grant_copy_bounds", offset=offset, length=length, start=end.start,
            size=end.length,
        )  # fmt: skip


def copy(c: Any, caller: Any, op: dict[str, Any]) -> None:
    """One copy. GrantError: its status; then nothing was written and nothing stays held."""
    source, dest, length = op["source"], op["dest"], op["len"]
    source_by_ref = bool(op["flags"] & abi.GNTCOPY_source_gref)
    dest_by_ref = bool(op["flags"] & abi.GNTCOPY_dest_gref)
    source_domain = _side(c, caller, source, source_by_ref)
    dest_domain = _side(c, caller, dest, dest_by_ref)
    src = _hold(c, caller, source_domain, source, source_by_ref, readonly=True)
    try:
        dst = _hold(c, caller, dest_domain, dest, dest_by_ref, readonly=False)
        try:
            _copy_held(c, dest_domain, src, dst, source["offset"], dest["offset"], length)
        finally:
            release(c, dst, readonly=False)
    finally:
        release(c, src, readonly=True)


def _copy_held(c: Any, dest_domain: Any, src: End, dst: End, from_: int, to: int, length: int) -> None:
    owner = hold_writable(c, dest_domain, dst.frame)
    try:
        if max(from_, to) + length > PAGE_SIZE:
            raise GrantError(
                abi.GNTST_bad_copy_arg, "grant_copy_page", source=from_, dest=to, length=length
            )
        check_bounds(src, from_, length)
        check_bounds(dst, to, length)
        write(c, (dst.frame << PAGE_SHIFT) + to, read(c, (src.frame << PAGE_SHIFT) + from_, length))
    finally:
        lib.hv_put_page_type(c, owner, dst.frame)
