"""physdev_op: I/O privilege, and interrupts of devices, of which an unprivileged domain here has none.

Source: xen/arch/x86/physdev.c of Xen 4.17. Differs from it: PHYSDEVOP_get_free_pirq says ENOSPC, since no
interrupt can ever be bound to what it would hand out.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.arch.x86.hypercalls import hypercall
from hv.errors import XenError
from hv.evtchn import NR_PIRQS
from hv.hypercall import Context
from hv.native import lib

MAX_PORTS = 65536

# Commands that look at their argument first, then at the caller's rights ...
DENIED_AFTER_COPY = (
    abi.PHYSDEVOP_apic_read, abi.PHYSDEVOP_apic_write, abi.PHYSDEVOP_alloc_irq_vector,
    abi.PHYSDEVOP_manage_pci_add, abi.PHYSDEVOP_manage_pci_remove, abi.PHYSDEVOP_restore_msi,
    abi.PHYSDEVOP_setup_gsi, abi.PHYSDEVOP_pci_device_remove, abi.PHYSDEVOP_restore_msi_ext,
    abi.PHYSDEVOP_prepare_msix, abi.PHYSDEVOP_release_msix,
)  # fmt: skip
# ... and those that look at the rights alone.
DENIED_AT_ONCE = (
    abi.PHYSDEVOP_manage_pci_add_ext, abi.PHYSDEVOP_pci_device_add, abi.PHYSDEVOP_pci_mmcfg_reserved,
    abi.PHYSDEVOP_dbgp_op,
)  # fmt: skip


def denied(ctx: Context, arg: dict[str, Any]) -> int:
    """Devices are the control domain's."""
    raise XenError("physdev_denied", command=ctx.subop)


for _command in DENIED_AFTER_COPY:
    hypercall("physdev_op", sub=_command, arg=abi.SUBOPS["physdev_op"][_command].argument)(denied)
for _command in DENIED_AT_ONCE:
    hypercall("physdev_op", sub=_command)(denied)


@hypercall("physdev_op", sub=abi.PHYSDEVOP_set_iopl, arg="physdev_set_iopl")
def set_iopl(ctx: Context, arg: dict[str, Any]) -> int:
    """The I/O privilege level of the calling vcpu (native/xen/x86/emulate.c applies it)."""
    if arg["iopl"] > 3:
        raise XenError("physdev_iopl", iopl=arg["iopl"])
    ctx.vcpu.c.iopl = arg["iopl"]
    return 0


@hypercall("physdev_op", sub=abi.PHYSDEVOP_set_iobitmap, arg="physdev_set_iobitmap")
def set_iobitmap(ctx: Context, arg: dict[str, Any]) -> int:
    """Where the calling vcpu's I/O permission bitmap lies; it is read at each access."""
    address, ports = arg["bitmap"], arg["nr_ports"]
    if ports > MAX_PORTS or not ctx.address_ok(address):
        raise XenError("physdev_iobitmap", address=address, ports=ports)
    ctx.vcpu.c.iobmp = address
    ctx.vcpu.c.iobmp_ports = ports
    return 0


def check_pirq(pirq: int) -> None:
    """EINVAL for a number that no physical interrupt has."""
    if pirq >= NR_PIRQS:
        raise XenError("physdev_pirq_range", pirq=pirq, limit=NR_PIRQS)


@hypercall("physdev_op", sub=abi.PHYSDEVOP_eoi, arg="physdev_eoi")
def eoi(ctx: Context, arg: dict[str, Any]) -> int:
    """End of interrupt; the domain has none bound."""
    check_pirq(arg["irq"])
    raise XenError("physdev_pirq_unbound", pirq=arg["irq"])


@hypercall("physdev_op", sub=abi.PHYSDEVOP_irq_status_query, arg="physdev_irq_status_query")
def irq_status_query(ctx: Context, arg: dict[str, Any]) -> int:
    """Whether an interrupt wants an end-of-interrupt call: Xen says yes for every number there is."""
    check_pirq(arg["irq"])
    arg["flags"] = abi.XENIRQSTAT_needs_eoi
    return 0


@hypercall("physdev_op", sub=abi.PHYSDEVOP_pirq_eoi_gmfn_v1, arg="physdev_pirq_eoi_gmfn")
@hypercall("physdev_op", sub=abi.PHYSDEVOP_pirq_eoi_gmfn_v2, arg="physdev_pirq_eoi_gmfn")
def pirq_eoi_gmfn(ctx: Context, arg: dict[str, Any]) -> int:
    """The page in which Xen would say which interrupts want an EOI. It is held, and stays empty."""
    d, native = ctx.domain.c, ctx.hv.native
    frame = int(lib.hv_frame_of(native, d, arg["gmfn"]))
    if d.pirq_eoi_frame:
        raise XenError("physdev_eoi_set", frame=int(d.pirq_eoi_frame))
    if lib.hv_get_page(native, frame, d.domid) != 0:
        raise XenError("physdev_eoi_frame", frame=frame)
    if lib.hv_get_page_type(native, d, frame, lib.PGT_writable) != 0:
        lib.hv_put_page(native, frame)
        raise XenError("physdev_eoi_frame", frame=frame)
    d.pirq_eoi_frame = frame
    return 0


@hypercall("physdev_op", sub=abi.PHYSDEVOP_IRQ_UNMASK_NOTIFY)
def irq_unmask_notify(ctx: Context, arg: dict[str, Any]) -> int:
    """Obsolete: deliver interrupts that were unmasked. There are none."""
    return 0


@hypercall("physdev_op", sub=abi.PHYSDEVOP_map_pirq, arg="physdev_map_pirq")
@hypercall("physdev_op", sub=abi.PHYSDEVOP_unmap_pirq, arg="physdev_unmap_pirq")
def map_pirq(ctx: Context, arg: dict[str, Any]) -> int:
    """Bind a device's interrupt: only for who may control the domain's devices."""
    ctx.find_domain(arg["domid"])
    raise XenError("physdev_denied", command=ctx.subop)


@hypercall("physdev_op", sub=abi.PHYSDEVOP_get_free_pirq, arg="physdev_get_free_pirq")
def get_free_pirq(ctx: Context, arg: dict[str, Any]) -> int:
    """An interrupt number to map a device's to."""
    raise XenError("physdev_no_free_pirq", type=arg["type"])


# Interrupts of devices do not come as events in a translated domain (XENFEAT_hvm_pirqs is not set).
hypercall.translated_have("physdev_op", abi.PHYSDEVOP_map_pirq, abi.PHYSDEVOP_unmap_pirq)
