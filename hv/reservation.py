"""A domain's reservation: how memory_op takes extents, gives frames back and exchanges them.

The frames themselves are native/xen/mm_reserve.c's. Increase, decrease and populate answer with the number of
extents done, whatever stopped them: what did is a XenError that is logged and not returned. Long lists are cut into
pieces by the caller (memory_op), so nothing here runs longer than BATCH frames.

Source: increase_reservation() .. memory_exchange() in xen/common/memory.c of Xen 4.17.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hv import abi, physmap
from hv.arch import architecture
from hv.errors import XenError
from hv.hypercall import Context
from hv.native import NO_FRAME, lib

MAX_ORDER = 9
"""Largest extent of an unprivileged domain: 2 MiB (CONFIG_DOMU_MAX_ORDER)."""
BATCH = 4096
"""Frames at most before a call is continued."""
PAGE_SHIFT = 12
WORD = (1 << 64) - 1

Step = Callable[[Context, dict[str, Any], int], None]


def address_bits(ctx: Context, mem_flags: int) -> int:
    """How many address bits the caller can use; 0: any. XenError: fewer than a page has."""
    bits = mem_flags & abi.XENMEMF_address_bits_mask
    if bits >= (int(ctx.hv.state.frames) - 1).bit_length() + PAGE_SHIFT:
        return 0
    if bits and bits <= PAGE_SHIFT:
        raise XenError("memory_address_bits", bits=bits)
    return bits


def allocate(ctx: Context, order: int, bits: int, *, replace: bool = False) -> int:
    """First frame of a new extent. XenError: the domain's or the machine's memory is used up."""
    native, d, frames = ctx.hv.native, ctx.domain.c, 1 << order
    first = int(lib.hv_alloc_extent(native, d, order, bits, replace))
    if first == NO_FRAME:
        if not replace and d.tot_pages + frames > d.max_pages:
            raise XenError("memory_limit", frames=frames, owned=int(d.tot_pages), limit=int(d.max_pages))
        raise XenError("memory_exhausted", frames=frames, free=int(ctx.hv.state.free_frames))
    return first


def release(ctx: Context, frame: int) -> None:
    """Give one frame back. XenError: it is not the domain's to give."""
    if lib.hv_release_frame(ctx.hv.native, ctx.domain.c, frame) != 0:
        if frame >= ctx.hv.state.frames:
            raise XenError("memory_not_a_frame", frame=frame, frames=int(ctx.hv.state.frames))
        raise XenError("memory_not_owned", frame=frame, domid=ctx.domain.domid)


def entry(ctx: Context, start: int, index: int) -> int:
    """One frame number of a guest's list. XenError bad_guest_pointer."""
    return ctx.array("P", (start + index * ctx.word_size()) & WORD, 1)[0]


def set_entry(ctx: Context, start: int, index: int, value: int) -> None:
    """Answer in the guest's list. XenError bad_guest_pointer."""
    ctx.write_array("P", (start + index * ctx.word_size()) & WORD, [value])


def place(ctx: Context, mfn: int, gpfn: int, order: int) -> None:
    """Of a domain that has machine frames: say where it puts an extent."""
    pv = architecture(ctx.domain.abi, "pv")
    for offset in range(1 << order):
        pv.place(ctx.domain, mfn + offset, (gpfn + offset) & WORD)


def increase(ctx: Context, r: dict[str, Any], index: int) -> None:
    """One extent more; its first frame is told when there is a list."""
    first = allocate(ctx, r["extent_order"], address_bits(ctx, r["mem_flags"]))
    if r["extent_start"]:
        set_entry(ctx, r["extent_start"], index, first)


def decrease(ctx: Context, r: dict[str, Any], index: int) -> None:
    """Give back the extent that the list names by its machine frame, or by where it stands in the physmap."""
    first = entry(ctx, r["extent_start"], index)
    for offset in range(1 << r["extent_order"]):
        if ctx.domain.translated:
            physmap.remove(ctx.domain, first + offset)
            continue
        release(ctx, (first + offset) & WORD)


def populate(ctx: Context, r: dict[str, Any], index: int) -> None:
    """A new extent at the pfn that the list names; its machine frame is the answer."""
    gpfn = entry(ctx, r["extent_start"], index)
    if ctx.domain.translated:
        physmap.check_gfn(gpfn + (1 << r["extent_order"]) - 1)
    first = allocate(ctx, r["extent_order"], address_bits(ctx, r["mem_flags"]))
    if ctx.domain.translated:
        _put_extent(ctx, gpfn, range(first, first + (1 << r["extent_order"])))
        return
    place(ctx, first, gpfn, r["extent_order"])
    set_entry(ctx, r["extent_start"], index, first)


def _put_extent(ctx: Context, gpfn: int, mfns: range) -> None:
    """Frames just allocated go into the physmap; those that cannot be put go back. XenError: one could not."""
    for offset, mfn in enumerate(mfns):
        try:
            physmap.check_gfn(gpfn + offset)
            physmap.put(ctx.domain, gpfn + offset, mfn)
        except XenError:
            for left in mfns[offset:]:
                release(ctx, left)
            raise


class Exchange:
    """One XENMEM_exchange, chunk by chunk. A chunk is as many frames as the larger of both orders covers; it is
    exchanged whole or not at all."""

    def __init__(self, ctx: Context, arg: dict[str, Any]) -> None:
        self.ctx = ctx
        self.source, self.target = arg["in"], arg["out"]
        self.done: int = arg["nr_exchanged"]
        self._check()
        self.chunk_order: int = max(self.target["extent_order"] - self.source["extent_order"], 0)
        self.out_order: int = max(self.source["extent_order"] - self.target["extent_order"], 0)
        self.bits = self.target["mem_flags"] & abi.XENMEMF_address_bits_mask

    def _check(self) -> None:
        source, target = self.source, self.target
        order = max(source["extent_order"], target["extent_order"])
        if order > MAX_ORDER:
            raise XenError("memory_exchange_order", order=order, limit=MAX_ORDER)
        sizes = [r["nr_extents"] << r["extent_order"] for r in (source, target)]
        same = source["domid"] == target["domid"] and sizes[0] == sizes[1] and max(sizes) <= WORD
        if self.done > source["nr_extents"] or not same:
            facts = {"in": source["nr_extents"], "out": target["nr_extents"], "done": self.done}
            raise XenError("memory_exchange_sizes", **facts)
        for r in (source, target):
            if not self.ctx.address_ok(r["extent_start"]):
                raise XenError("bad_guest_pointer", address=r["extent_start"], length=r["nr_extents"])
        self.ctx.own_domain(source["domid"])

    @property
    def frames(self) -> int:
        """Frames in a chunk."""
        return 1 << int(self.source["extent_order"]) + self.chunk_order

    @property
    def finished(self) -> bool:
        """Whether the last whole chunk is done."""
        return self.done >> self.chunk_order >= int(self.source["nr_extents"]) >> self.chunk_order

    def step(self) -> None:
        """Exchange the next chunk. XenError: it was refused and nothing of it happened; or (EFAULT) it happened and
        the guest's list could not be read or written, as in Xen."""
        chunk = self.done >> self.chunk_order
        old = self._stolen(chunk)
        new: list[int] = []
        try:
            for _ in range(1 << self.out_order):
                new.append(allocate(self.ctx, self.target["extent_order"], self.bits, replace=True))
        except XenError:
            for first in new:
                for offset in range(1 << self.target["extent_order"]):
                    lib.hv_free_frame(self.ctx.hv.native, first + offset)
            raise
        for frame, named in old.items():
            if self.ctx.domain.translated:
                self.ctx.domain.unmap_frame(named)
            release(self.ctx, frame)
        self._hand_over(chunk, new)
        self.done = chunk + 1 << self.chunk_order

    def _stolen(self, chunk: int) -> dict[int, int]:
        """The frames to give up, each with the number that the list has for it: all the domain's own, used for nothing,
        none named twice."""
        ctx, native = self.ctx, self.ctx.hv.native
        found: dict[int, int] = {}
        for extent in range(1 << self.chunk_order):
            first = entry(ctx, self.source["extent_start"], (chunk << self.chunk_order) + extent)
            for offset in range(1 << self.source["extent_order"]):
                named = (first + offset) & WORD
                frame = int(lib.hv_frame_of(native, ctx.domain.c, named))
                if frame in found or not lib.hv_frame_unused(native, ctx.domain.c, frame):
                    raise XenError("memory_exchange_frame", frame=named, domid=ctx.domain.domid)
                found[frame] = named
        return found

    def _hand_over(self, chunk: int, new: list[int]) -> None:
        failed: XenError | None = None
        for extent, first in enumerate(new):
            index = (chunk << self.out_order) + extent
            try:
                gpfn = entry(self.ctx, self.target["extent_start"], index)
                if self.ctx.domain.translated:
                    _put_extent(self.ctx, gpfn, range(first, first + (1 << self.target["extent_order"])))
                    continue
                place(self.ctx, first, gpfn, self.target["extent_order"])
                set_entry(self.ctx, self.target["extent_start"], index, first)
            except XenError as error:
                failed = error
        if failed is not None:
            raise failed
