"""What stands behind the addresses of an x86 guest, for who looks on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv import abi
from hv.native import NO_FRAME, ffi, lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

_PAGE = 4096


def translate(vcpu: Vcpu, address: int) -> int | None:
    """The machine address behind a linear one; None: nothing is mapped there, or outside of long mode, past 4 GiB."""
    hv, c = vcpu.domain.hv, vcpu.c
    if address >> 32 and not vcpu.state().efer & abi.EFER_LMA:
        return None
    if vcpu.domain.translated:
        page = int(lib.hv_linear_page(hv.native, c, address))
        return None if page == NO_FRAME else vcpu.domain.machine_address((page & -_PAGE) + address % _PAGE)
    m2p = address - abi.MACH2PHYS_VIRT_START  # in no page table: the hypervisor shows it to every guest
    if 0 <= m2p < int(hv.state.m2p_frames) * _PAGE:
        return int(hv.state.m2p_frame) * _PAGE + m2p
    map = ffi.new("struct mapping *")
    roots = (c.cr3_kernel, c.cr3_user) if c.kernel_mode else (c.cr3_user, c.cr3_kernel)
    for root in roots:
        if root and lib.x86_translate(
            hv.machine, root, 4, True, address, lib.ACCESS_READ, False, False, False, map, ffi.NULL
        ):
            return int(map.frame) * _PAGE + address % _PAGE
    return None
