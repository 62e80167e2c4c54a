"""Commands about machine frames and their translations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch import architecture
from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import address, counts, evaluate, frame
from hv.native import lib
from hv.p2m import p2m_entry_text
from hv.page_info import frame_text, pfn_text

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

@command("frame", "MFN", "page_info of a machine frame: owner, type, counts")
def frame_(debugger: Debugger, args: list[str]) -> str:
    """And the guest's number for it."""
    counts(args, 1, 1, "frame MFN")
    mfn = frame(debugger, args[0], "frame")
    return f"frame {mfn:#x}: {frame_text(debugger.hv, mfn)}; {pfn_text(debugger.hv, mfn)}"


@command("m2p", "MFN", "the pfn of a machine frame, by the machine-to-phys table")
def m2p(debugger: Debugger, args: list[str]) -> str:
    """Which the guest keeps by MMU_MACHPHYS_UPDATE."""
    counts(args, 1, 1, "m2p MFN")
    mfn = frame(debugger, args[0], "m2p")
    return f"mfn {mfn:#x}: {pfn_text(debugger.hv, mfn)}; {frame_text(debugger.hv, mfn)}"


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
    return "\n".join(f"pfn {pfn:#x}: mfn {mfn:#x}; {frame_text(debugger.hv, mfn)}" for mfn in found)


@command("walk", "ADDRESS", "translate an address, with the frame of each level")
def walk_(debugger: Debugger, args: list[str]) -> str:
    """By the page table that the vcpu uses now; of an HVM or PVH guest with the shadows beside it, and the p2m."""
    counts(args, 1, 1, "walk ADDRESS")
    va = address(debugger, args[0], "walk")
    vcpu = debugger.vcpu
    try:
        return "\n".join(architecture(vcpu.domain.kind.abi, "report").guest_walk(vcpu, va))
    except ValueError as error:
        raise CommandError(f"walk: {error}") from None
