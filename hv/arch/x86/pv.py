"""What only paravirtual domains have, where neutral code meets it: machine frame numbers of their own, and an address
space with the hypervisor in it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hv import abi
from hv.native import lib

if TYPE_CHECKING:
    from hv.domain import Domain


@cache
def address_hole(abi_name: str) -> range:
    """Addresses that a guest's pointer cannot have: not canonical, or the hypervisor's."""
    if abi_name == "x86_64":
        return range(1 << 47, abi.HYPERVISOR_VIRT_END)
    return range(virt_start(abi_name), 1 << 32)


def virt_start(abi_name: str) -> int:
    """Where the hypervisor's part of the address space begins."""
    return abi.constant("HYPERVISOR_VIRT_START", abi_name)


def last_pfn(domain: Domain) -> int:
    """What the guest wrote to shared_info.arch.max_pfn, less one: as a C long, for it may have written anything."""
    at = (int(domain.c.shared_info_frame) << 12) + abi.layout("shared_info", domain.abi).offset("arch.max_pfn")
    max_pfn = int.from_bytes(domain.read(at, abi.word_size(domain.abi)), "little")
    last = (max_pfn or 1) - 1
    return last - (last >> 63 << 64)


def place(domain: Domain, mfn: int, pfn: int) -> None:
    """Say in the machine-to-phys table where the guest puts a frame."""
    lib.hv_set_m2p(domain.hv.native, [mfn], 1, pfn)
