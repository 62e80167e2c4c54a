"""The p2m of a translated domain in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.native import NO_FRAME, ffi, lib

if TYPE_CHECKING:
    from hv.domain import Domain


def p2m_text(gfn: int, entry: int) -> str:
    """What stands at a guest frame, by its entry in the p2m."""
    if not entry & lib.P2M_RAM:
        return f"gfn {gfn:#x}: no RAM; accesses are a device's, or nobody's"
    writable = "" if entry & lib.P2M_WRITABLE else ", read-only"
    return f"gfn {gfn:#x}: mfn {entry >> lib.P2M_FRAME_SHIFT:#x}, RAM{writable}"


def p2m_entry_text(domain: Domain, gfn: int) -> str:
    """The same of a domain's guest frame."""
    flags = ffi.new("uint32_t *")
    mfn = int(lib.hv_p2m_get(domain.hv.native, domain.c, gfn, flags))
    return p2m_text(gfn, 0 if mfn == NO_FRAME else mfn << int(lib.P2M_FRAME_SHIFT) | flags[0])
