"""What stands behind the addresses of an ARM guest, for who looks on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu


def guest_physical(vcpu: Vcpu, address: int) -> int | None:
    """The guest-physical address (IPA) behind a virtual one, by the guest's own tables; None: there is none."""
    ipa, prot = ffi.new("uint64_t *"), ffi.new("uint32_t *")
    found = lib.arm_translate(vcpu.cpu, address, lib.ACCESS_READ, False, ipa, prot)
    return int(ipa[0]) if found else None


def rights(vcpu: Vcpu, address: int, user: bool) -> int:
    """What the guest's tables let its kernel, or user mode, do at a virtual address: bits MAP_*."""
    ipa, prot = ffi.new("uint64_t *"), ffi.new("uint32_t *")
    lib.arm_translate(vcpu.cpu, address, lib.ACCESS_READ, user, ipa, prot)
    return int(prot[0])


def translate(vcpu: Vcpu, address: int) -> int | None:
    """The machine address behind a virtual one of 64 bits; None: nothing is mapped there."""
    ipa = guest_physical(vcpu, address)
    return None if ipa is None else vcpu.domain.machine_address(ipa)
