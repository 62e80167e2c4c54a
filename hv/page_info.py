"""What the hypervisor knows of a machine frame (struct page_info of native/xen/mm.h), in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.native import NO_FRAME, lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor

_TYPES = {
    int(lib.PGT_none): "no type", int(lib.PGT_l1): "L1 table", int(lib.PGT_l2): "L2 table", int(lib.PGT_l3): "L3 table",
    int(lib.PGT_l4): "L4 table", int(lib.PGT_seg): "descriptors", int(lib.PGT_writable): "writable",
    int(lib.PGT_shared): "shared",
}  # fmt: skip
_TYPE_BITS = ((int(lib.PGT_PINNED), "pinned"), (int(lib.PGT_VALIDATED), "validated"))
_OWNERS = {int(lib.OWNER_NONE): "nobody (free)", int(lib.OWNER_XEN): "Xen"}
_STATES = (
    (int(lib.PGC_XEN_HEAP), "Xen's own, for its owner to map"), (int(lib.PGC_PARTIAL), "partly validated"),
    (int(lib.PGC_DIRTY), "to be cleared"),
)  # fmt: skip


def frame_text(hv: Hypervisor, mfn: int) -> str:
    """Owner, type and counts of a machine frame, in one line."""
    if mfn >= int(hv.state.frames):
        return "no machine frame"
    page = lib.hv_pages(hv.native)[mfn]
    info, kind = int(page.ref_info), int(page.type_info)
    owner = _OWNERS.get(int(page.owner), f"d{int(page.owner)}")
    words = [_TYPES.get(kind >> int(lib.PGT_TYPE_SHIFT), "unknown type")]
    words += [name for bit, name in _TYPE_BITS if kind & bit]
    words += [name for bit, name in _STATES if info & bit]
    return (
        f"owner {owner}, {' '.join(words)}, {kind & int(lib.PGT_COUNT_MASK)} type references, "
        f"{info & int(lib.PGC_COUNT_MASK)} references"
    )


def pfn_text(hv: Hypervisor, mfn: int) -> str:
    """The guest's number of a machine frame, by the machine-to-phys table."""
    pfn = int(lib.hv_get_m2p(hv.native, mfn))
    return "no pfn" if pfn >= NO_FRAME >> 1 else f"pfn {pfn:#x}"
