"""What Xen's interface has on ARM only, where it is data: features, assists, virtual interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv import abi

if TYPE_CHECKING:
    from hv.domain import Domain

CAPABILITIES = b"xen-3.0-aarch64 "
"""XENVER_capabilities."""
VCPU_VIRQS: frozenset[int] = frozenset()
"""Those of VIRQ_ARCH_0 .. _7 that belong to one vcpu: all are the domain's (arch_virq_is_global())."""
_FEATURES = (
    1 << abi.XENFEAT_writable_page_tables
    | 1 << abi.XENFEAT_auto_translated_physmap
    | 1 << abi.XENFEAT_memory_op_vnode_supported
    | 1 << abi.XENFEAT_ARM_SMCCC_supported
    | 1 << abi.XENFEAT_not_direct_mapped
)


def assists(domain: Domain) -> int:
    """Bits VMASST_TYPE_* that vm_assist() takes. Source: arch_vm_assist_valid_mask() in xen/arch/arm."""
    return 1 << int(abi.VMASST_TYPE_runstate_update_flag)


def features(domain: Domain) -> int:
    """XENVER_get_features, by bits XENFEAT_*. Source: do_xen_version() in xen/common/kernel.c."""
    return int(_FEATURES)
