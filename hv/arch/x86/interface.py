"""What Xen's interface has on x86 only, where it is data: features, assists, virtual interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv import abi

if TYPE_CHECKING:
    from hv.domain import Domain

CAPABILITIES = b"xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "
"""XENVER_capabilities, as Xen says them with pv=no-32."""
VCPU_VIRQS = frozenset(abi.VIRQ_ARCH_0 + n for n in range(1, 8))
"""Those of VIRQ_ARCH_0 .. _7 that belong to one vcpu: the first is VIRQ_MCA, the domain's (arch_virq_is_global())."""

_PV_ASSISTS = (
    1 << abi.VMASST_TYPE_4gb_segments
    | 1 << abi.VMASST_TYPE_4gb_segments_notify
    | 1 << abi.VMASST_TYPE_writable_pagetables
    | 1 << abi.VMASST_TYPE_pae_extended_cr3
    | 1 << abi.VMASST_TYPE_architectural_iopl
    | 1 << abi.VMASST_TYPE_runstate_update_flag
    | 1 << abi.VMASST_TYPE_m2p_strict
)
_PV_FEATURES = (
    1 << abi.XENFEAT_mmu_pt_update_preserve_ad
    | 1 << abi.XENFEAT_highmem_assist
    | 1 << abi.XENFEAT_gnttab_map_avail_bits
    | 1 << abi.XENFEAT_memory_op_vnode_supported
    | 1 << abi.XENFEAT_not_direct_mapped
)
_TRANSLATED_FEATURES = (
    1 << abi.XENFEAT_writable_page_tables
    | 1 << abi.XENFEAT_auto_translated_physmap
    | 1 << abi.XENFEAT_hvm_callback_vector
    | 1 << abi.XENFEAT_hvm_safe_pvclock
    | 1 << abi.XENFEAT_memory_op_vnode_supported
    | 1 << abi.XENFEAT_not_direct_mapped
)


def assists(domain: Domain) -> int:
    """Bits VMASST_TYPE_* that vm_assist() takes. Source: arch_vm_assist_valid_mask() in xen/arch/x86.

    What a PV domain's do is in C: architectural_iopl in the frames of native/xen/x86/bounce.c and in iret, m2p_strict
    in mm_window.c. Writable page tables, and the 4gb segments of 32-bit guests, are always so.
    """
    return 1 << int(abi.VMASST_TYPE_runstate_update_flag) if domain.translated else _PV_ASSISTS


def features(domain: Domain) -> int:
    """XENVER_get_features, by bits XENFEAT_*; pae_pgdir_above_4gb comes with an assist."""
    extended = int(domain.c.vm_assist) >> abi.VMASST_TYPE_pae_extended_cr3 & 1
    base = _TRANSLATED_FEATURES if domain.translated else _PV_FEATURES
    return int(base | extended << abi.XENFEAT_pae_pgdir_above_4gb)
