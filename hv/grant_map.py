"""Mapping granted frames into a PV domain, and taking the mappings away again.

The page-table side is native/xen/mm*.c: `mm_map_grant` holds a reference (and a writable type reference
unless read-only) for each host mapping. A device mapping has no page table; its references are held here.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.grant import (
    DEVICE_READ,
    DEVICE_WRITE,
    HOST_READ,
    HOST_WRITE,
    GrantError,
    Table,
    table,
)
from hv.native import ffi, lib
from hv.physical import PAGE_SHIFT


def _units(flags: int) -> int:
    """The pins of a mapping with these GNTMAP_* flags."""
    readonly = bool(flags & abi.GNTMAP_readonly)
    units = 0
    if flags & abi.GNTMAP_host_map:
        units += HOST_READ if readonly else HOST_WRITE
    if flags & abi.GNTMAP_device_map:
        units += DEVICE_READ if readonly else DEVICE_WRITE
    return units


def _new_handle(t: Table) -> int:
    """The lowest free handle. GNTST_no_device_space when all are used."""
    # Handles below maptrack(0).next are in use.
    for handle in range(t.maptrack(0).next, lib.HV_MAX_MAPTRACK):
        if not t.maptrack(handle).flags:
            t.maptrack(0).next = handle
            return handle
    raise GrantError(abi.GNTST_no_device_space, "grant_no_handle", limit=lib.HV_MAX_MAPTRACK)


def _device_hold(c: Any, granter: Any, frame: int, *, readonly: bool) -> bool:
    if lib.hv_get_page(c, frame, granter.domid):
        return False
    if not readonly and lib.hv_get_page_type(c, granter, frame, lib.PGT_writable):
        lib.hv_put_page(c, frame)
        return False
    return True


def _device_drop(c: Any, granter: Any, frame: int, *, readonly: bool) -> None:
    # A null granter: whoever owns the frame now.
    if not readonly:
        lib.hv_put_page_type(c, granter, frame)
    lib.hv_put_page(c, frame)


def map_ref(c: Any, v: Any, op: dict[str, Any]) -> None:
    """GNTTABOP_map_grant_ref: one operation, whose results go into `op`. GrantError: its status."""
    mine = table(c, ffi.addressof(lib.hv_state(c).domains[v.domain_slot]))
    flags, ref = op["flags"], op["ref"]
    if not flags & (abi.GNTMAP_host_map | abi.GNTMAP_device_map):
        raise GrantError(abi.GNTST_bad_gntref, "grant_map_flags", flags=flags)
    found = lib.hv_find_domain(c, op["dom"])
    if found == ffi.NULL:
        raise GrantError(abi.GNTST_bad_domain, "grant_no_domain", domid=op["dom"])
    theirs = table(c, found)
    handle = _new_handle(mine)
    theirs.check_ref(ref)
    readonly = bool(flags & abi.GNTMAP_readonly)
    entry = theirs.claim(ref, mine.d.domid, readonly=readonly, mapping=True)
    act = theirs.active(ref)
    frame = int(act.frame) if act.pin else int(lib.hv_frame_of(c, theirs.d, entry.frame))
    try:
        _map_frame(c, v, theirs, frame, op["host_addr"], flags)
    except GrantError:
        theirs.unmark(ref)
        raise
    theirs.pin(ref, mine.d.domid, frame, _units(flags))
    m = mine.maptrack(handle)
    m.flags, m.domid, m.ref, m.frame, m.host_addr = flags, found.domid, ref, frame, op["host_addr"]
    mine.d.maptrack_used += 1
    op["handle"], op["dev_bus_addr"] = handle, frame << PAGE_SHIFT


def _map_frame(c: Any, v: Any, theirs: Table, frame: int, host_addr: int, flags: int) -> None:
    """Take the references, and write the page-table entry, of one mapping: all of it or nothing."""
    if lib.hv_get_page(c, frame, theirs.d.domid):
        raise GrantError(abi.GNTST_bad_page, "grant_frame", domid=theirs.d.domid, frame=frame)
    readonly = bool(flags & abi.GNTMAP_readonly)
    device = bool(flags & abi.GNTMAP_device_map)
    try:
        if device and not _device_hold(c, theirs.d, frame, readonly=readonly):
            raise GrantError(abi.GNTST_general_error, "grant_frame_type", domid=theirs.d.domid, frame=frame)
        if flags & abi.GNTMAP_host_map:
            status = int(lib.mm_map_grant(c, v, host_addr, flags, frame))
            if status != abi.GNTST_okay:
                if device:
                    _device_drop(c, theirs.d, frame, readonly=readonly)
                raise GrantError(status, "grant_map_address", address=host_addr, flags=flags, frame=frame)
    finally:
        lib.hv_put_page(c, frame)  # the mappings have their own by now


def unmap(
    c: Any, v: Any, handle: int, host_addr: int, dev_bus_addr: int = 0, new_addr: int = 0
) -> None:
    """GNTTABOP_unmap_grant_ref, and with `new_addr` unmap_and_replace: what was mapped there comes here
    instead.

    An address of 0 leaves that half of the mapping alone. GrantError: the status, and nothing has changed.
    """
    mine = table(c, ffi.addressof(lib.hv_state(c).domains[v.domain_slot]))
    m = mine.maptrack(handle) if handle < lib.HV_MAX_MAPTRACK else None
    if m is None or not m.flags:
        raise GrantError(abi.GNTST_bad_handle, "grant_bad_handle", handle=handle)
    granter = lib.hv_find_domain(c, m.domid)  # null when the granter is gone, and only its frames are left
    if dev_bus_addr and dev_bus_addr != m.frame << PAGE_SHIFT:
        raise GrantError(
            abi.GNTST_general_error, "grant_bus_address", address=dev_bus_addr, expected=m.frame << PAGE_SHIFT
        )
    done = 0
    if host_addr and m.flags & abi.GNTMAP_host_map:
        _unmap_host(c, v, m, host_addr, new_addr)
        done |= abi.GNTMAP_host_map
    if dev_bus_addr and m.flags & abi.GNTMAP_device_map:
        _device_drop(c, granter, m.frame, readonly=bool(m.flags & abi.GNTMAP_readonly))
        done |= abi.GNTMAP_device_map
    _forget(mine, table(c, granter) if granter else None, handle, done)


def _unmap_host(c: Any, v: Any, m: Any, host_addr: int, new_addr: int) -> None:
    if not new_addr:
        status = int(lib.mm_unmap_grant(c, v, host_addr, m.flags, m.frame))
    elif m.flags & abi.GNTMAP_contains_pte:
        status = abi.GNTST_general_error
    else:
        status = int(lib.mm_replace_grant(c, v, host_addr, new_addr, m.flags, m.frame))
    if status != abi.GNTST_okay:
        raise GrantError(status, "grant_unmap_address", address=host_addr, frame=m.frame)


def _forget(mine: Table, theirs: Table | None, handle: int, done: int) -> None:
    """Undo the pins of the halves of a mapping that are gone; free the handle when both are."""
    m = mine.maptrack(handle)
    ref, kept = m.ref, m.flags & (abi.GNTMAP_host_map | abi.GNTMAP_device_map) & ~done
    if done and theirs is not None:
        theirs.unpin(ref, _units(done | m.flags & abi.GNTMAP_readonly))
    if kept:
        m.flags &= ~done
    else:
        m.flags = m.domid = m.ref = m.frame = m.host_addr = 0
        mine.d.maptrack_used -= 1
        mine.maptrack(0).next = min(mine.maptrack(0).next, handle)

