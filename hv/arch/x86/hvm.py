"""hvm_op on x86: which parameters a guest may set, and how its events come.

Source: hvm_allow_set_param(), hvm_allow_get_param(), do_hvm_op() in xen/arch/x86/hvm/hvm.c of Xen 4.17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi
from hv.native import lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

OPERATIONS = frozenset({
    abi.HVMOP_set_param, abi.HVMOP_get_param, abi.HVMOP_flush_tlbs, abi.HVMOP_pagetable_dying, abi.HVMOP_get_time,
    abi.HVMOP_set_evtchn_upcall_vector, abi.HVMOP_altp2m,
})  # fmt: skip
GUEST_MAY_SET = frozenset({abi.HVM_PARAM_CALLBACK_IRQ, abi.HVM_PARAM_VM86_TSS, abi.HVM_PARAM_ACPI_IOPORTS_LOCATION})
GUEST_MAY_READ = GUEST_MAY_SET
"""Beside those that every guest may read."""
SET_ONCE = frozenset({abi.HVM_PARAM_ACPI_IOPORTS_LOCATION})


def set_callback(vcpu: Vcpu, via: int) -> None:
    """The guest chooses how its events come (HVM_PARAM_CALLBACK_IRQ), and says by it in which mode it is."""
    domain = vcpu.domain
    lib.hv_latch_width(domain.hv.native, vcpu.c)
    lib.hv_set_callback(domain.hv.native, domain.c, via, domain.platform.callback_lines(via))


def set_upcall_vector(vcpu: Vcpu, found: Any, vector: int) -> None:
    """Have events of `found`, a `struct vcpu` of the caller's domain, come as an interrupt of its local APIC."""
    native = vcpu.domain.hv.native
    lib.hv_hvm_vcpu(native, found).upcall_vector = vector
    lib.hv_assert_events(native, found)
