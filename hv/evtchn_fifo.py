"""The FIFO event-channel ABI: setting it up and taking it down. Queueing itself is native/xen/fifo.c.

Source: xen/include/public/event_channel.h and the design note "Event channels, FIFO-based ABI"; errnos as
Xen 4.17. The control blocks and event-array pages are the guest's own writable frames; each is held by a
reference and a type reference, so that it cannot become a page table while the hypervisor writes to it.
"""

from __future__ import annotations

from typing import Any

from hv import abi, evtchn
from hv.errors import XenError
from hv.native import lib
from hv.physical import PAGE_SIZE

CONTROL_BLOCK_SIZE = abi.layout("evtchn_fifo_control_block").size
WORDS_PER_PAGE = PAGE_SIZE // 4


def _hold(c: Any, d: Any, gfn: int) -> int:
    """Take a guest frame as writable memory that the hypervisor uses; its machine frame. EINVAL when it is none."""
    frame = int(lib.hv_frame_of(c, d, gfn))
    if lib.hv_get_page(c, frame, d.domid):
        raise XenError("evtchn_fifo_frame", frame=gfn)
    if lib.hv_get_page_type(c, d, frame, lib.PGT_writable):
        lib.hv_put_page(c, frame)
        raise XenError("evtchn_fifo_frame", frame=gfn)
    return frame


def _drop(c: Any, d: Any, frame: int) -> None:
    lib.hv_put_page_type(c, d, frame)
    lib.hv_put_page(c, frame)


def init_control(c: Any, d: Any, number: int, gfn: int, offset: int) -> None:
    """Give a vcpu its control block; the first one switches the whole domain from two-level to FIFO."""
    v = evtchn.vcpu(c, d, number)
    if offset > PAGE_SIZE - CONTROL_BLOCK_SIZE or offset % 8:
        raise XenError("evtchn_fifo_offset", offset=offset, limit=PAGE_SIZE - CONTROL_BLOCK_SIZE)
    if v.fifo_control_frame:
        raise XenError("evtchn_fifo_control_set", vcpu=number)
    v.fifo_control_frame, v.fifo_control_offset = _hold(c, d, gfn), offset
    if not d.fifo:
        _adopt_pending(c, d)
        d.fifo = 1


def _adopt_pending(c: Any, d: Any) -> None:
    """What is pending in the two-level bitmaps is raised again when the array pages come."""
    for port in evtchn.ports(d):
        e = lib.hv_evtchn(c, d, port)
        e.pending = int(lib.hv_evtchn_is_pending(c, d, port))
        e.priority = abi.EVTCHN_FIFO_PRIORITY_DEFAULT


def expand_array(c: Any, d: Any, gfn: int) -> None:
    """Add a page of event words, and raise what waited for it. EOPNOTSUPP before init_control; ENOSPC when
    full."""
    if not d.fifo:
        raise XenError("evtchn_fifo_not_set_up", domid=d.domid)
    page = d.fifo_pages
    if page >= lib.HV_FIFO_PAGES:
        raise XenError("evtchn_fifo_array_full", pages=page)
    d.fifo_page[page] = _hold(c, d, gfn)
    d.fifo_pages = page + 1
    for port in range(page * WORDS_PER_PAGE, min(d.ports, (page + 1) * WORDS_PER_PAGE)):
        e = lib.hv_evtchn(c, d, port)
        if e.pending:
            e.pending = 0
            lib.hv_evtchn_set_pending(c, d, port)


def set_priority(c: Any, d: Any, port: int, priority: int) -> None:
    """Choose the queue of a port's future events. EINVAL; ENOSYS with the two-level ABI, which has no
    queues."""
    e = evtchn.channel(c, d, port)
    if not d.fifo:
        raise XenError("evtchn_priority_two_level", port=port)
    if priority > abi.EVTCHN_FIFO_PRIORITY_MIN:
        raise XenError("evtchn_priority_range", priority=priority, limit=abi.EVTCHN_FIFO_PRIORITY_MIN)
    e.priority = priority


def destroy(c: Any, d: Any) -> None:
    """Back to the two-level ABI: every page is given back to the guest."""
    for v in evtchn.vcpus(c, d):
        if v.fifo_control_frame:
            _drop(c, d, v.fifo_control_frame)
        v.fifo_control_frame = v.fifo_control_offset = 0
        for priority in range(lib.HV_FIFO_PRIORITIES):
            v.fifo_tail[priority] = 0
    for page in range(d.fifo_pages):
        _drop(c, d, d.fifo_page[page])
        d.fifo_page[page] = 0
    for port in evtchn.ports(d):
        e = lib.hv_evtchn(c, d, port)
        e.pending = e.last_priority = e.last_vcpu = 0
    d.fifo_pages = 0
    d.fifo = 0
