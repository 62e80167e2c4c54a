"""Commands about machine frames and their translations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch import architecture
from hv.arch.x86.paging.walk import FRAME_MASK, LARGE, canonical, flags, walk
from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import address, counts, evaluate, frame
from hv.native import NO_FRAME, lib
from hv.p2m import p2m_entry_text

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

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


def frame_text(debugger: Debugger, mfn: int) -> str:
    """Owner, type and counts of a machine frame, in one line."""
    if mfn >= int(debugger.hv.state.frames):
        return "no machine frame"
    page = lib.hv_pages(debugger.hv.native)[mfn]
    info, kind = int(page.ref_info), int(page.type_info)
    owner = _OWNERS.get(int(page.owner), f"d{int(page.owner)}")
    words = [_TYPES.get(kind >> int(lib.PGT_TYPE_SHIFT), "unknown type")]
    words += [name for bit, name in _TYPE_BITS if kind & bit]
    words += [name for bit, name in _STATES if info & bit]
    return (
        f"owner {owner}, {' '.join(words)}, {kind & int(lib.PGT_COUNT_MASK)} type references, "
        f"{info & int(lib.PGC_COUNT_MASK)} references"
    )


@command("frame", "MFN", "page_info of a machine frame: owner, type, counts")
def frame_(debugger: Debugger, args: list[str]) -> str:
    """And the guest's number for it."""
    counts(args, 1, 1, "frame MFN")
    mfn = frame(debugger, args[0], "frame")
    return f"frame {mfn:#x}: {frame_text(debugger, mfn)}; {_pfn_text(debugger, mfn)}"


def _pfn_text(debugger: Debugger, mfn: int) -> str:
    pfn = int(lib.hv_get_m2p(debugger.hv.native, mfn))
    return "no pfn" if pfn >= NO_FRAME >> 1 else f"pfn {pfn:#x}"


@command("m2p", "MFN", "the pfn of a machine frame, by the machine-to-phys table")
def m2p(debugger: Debugger, args: list[str]) -> str:
    """Which the guest keeps by MMU_MACHPHYS_UPDATE."""
    counts(args, 1, 1, "m2p MFN")
    mfn = frame(debugger, args[0], "m2p")
    return f"mfn {mfn:#x}: {_pfn_text(debugger, mfn)}; {frame_text(debugger, mfn)}"


@command("p2m", "PFN", "the machine frame that this domain calls PFN")
def p2m(debugger: Debugger, args: list[str]) -> str:
    """Xen keeps no p2m of a PV guest: the table is searched. That of an HVM or PVH guest has entries."""
    counts(args, 1, 1, "p2m PFN")
    pfn = evaluate(debugger, args[0], "p2m")
    native, domid = debugger.hv.native, debugger.domain.domid
    if debugger.domain.translated:
        return p2m_entry_text(debugger.domain, pfn)
    pages = lib.hv_pages(native)
    found = [
        mfn
        for mfn in range(int(debugger.hv.state.frames))
        if pages[mfn].owner == domid and lib.hv_get_m2p(native, mfn) == pfn
    ]
    if not found:
        raise CommandError(f"p2m: no frame of domain {domid} has pfn {pfn:#x}")
    return "\n".join(f"pfn {pfn:#x}: mfn {mfn:#x}; {frame_text(debugger, mfn)}" for mfn in found)


@command("walk", "ADDRESS", "translate an address, with the frame of each level")
def walk_(debugger: Debugger, args: list[str]) -> str:
    """By the page table that the vcpu uses now; of an HVM or PVH guest with the shadows beside it, and the p2m."""
    counts(args, 1, 1, "walk ADDRESS")
    va = address(debugger, args[0], "walk")
    vcpu, domain = debugger.vcpu, debugger.domain
    if domain.translated:
        return "\n".join(architecture(domain.kind.abi, "report").guest_walk(vcpu, va))
    root = int(vcpu.c.cr3_kernel if vcpu.c.kernel_mode else vcpu.c.cr3_user) >> 12
    if not root:
        raise CommandError("walk: the vcpu has no page table for this mode")
    if canonical(va) != va:
        raise CommandError(f"walk: {va:#x} is not canonical; bits 63 to 47 must be equal")
    steps = walk(domain.frame, root, va)
    lines = [f"{va:#x} by the table in frame {root:#x}"]
    for step in steps:
        lines.append(f"L{step.level} frame {step.table:#x}: {frame_text(debugger, step.table)}")
        lines.append(f"   entry {step.slot:3}: {step.entry:#018x} {flags(step.entry)}")
    last = steps[-1] if steps else None
    if last is None or not last.present or (last.level > 1 and not last.entry & LARGE):
        return "\n".join([*lines, "not mapped"])
    size = 1 << (3 + 9 * last.level)
    mfn = ((last.entry & FRAME_MASK & -size) + (va & size - 1)) >> 12
    return "\n".join([*lines, f"-> frame {mfn:#x}: {frame_text(debugger, mfn)}; {_pfn_text(debugger, mfn)}"])
