"""From a kernel file to a domain that is ready to run: build it, connect its rings, load the first vcpu.

domain = hv.create_domain("guest", memory_mib=128)
start_pv(domain, load_kernel("vmlinuz"), cmdline="console=hvc0")
hv.run()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv import abi, clock, evtchn, grant
from hv.arch.x86.builder.pv import PvConfig, PvContext, PvDomain, build_pv
from hv.builder.image import BuilderError, KernelImage
from hv.errors import XenError
from hv.native import NativeError, check, ffi, lib

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hv.domain import Domain
    from hv.vcpu import Vcpu

class PvHost:
    """A domain as the builder of paravirtual ones sees it (hv.arch.x86.builder.pv.Host)."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.alloc_frames, self.alloc_shared_frame = domain.alloc_frames, domain.alloc_shared_frame
        self.write = domain.write

    def set_m2p(self, mfns: Sequence[int], pfn: int) -> None:
        """Machine-to-phys entries: the frames are pfn, pfn + 1 and so on."""
        lib.hv_set_m2p(self._domain.hv.native, list(mfns), len(mfns), pfn)

    def fill_hypercall_page(self, mfn: int) -> None:
        """Write the hypercall page of a 64-bit PV guest into a frame."""
        lib.hv_hypercall_page(self._domain.hv.native, mfn)

    def pin_table(self, mfn: int, level: int) -> None:
        """As MMUEXT_PIN_L1_TABLE .. PIN_L4_TABLE; raises NativeError when the table is not valid."""
        domain = self._domain
        pinned = lib.hv_pin_table(domain.hv.native, domain.c, mfn, level)
        check(pinned, f"{domain.name}: pin of level {level} table {mfn:#x}")


_DR6, _DR7 = 0xFFFF0FF0, 0x400  # as after reset


def start_pv(
    domain: Domain,
    image: KernelImage,
    *,
    cmdline: str = "",
    ramdisk: bytes = b"",
    ramdisk_name: str = "ramdisk",
) -> PvDomain:
    """Build `image` into the empty `domain` and make its vcpu 0 ready to run.

    The domain gets all the memory it was created with, and event channels to the host for its xenstore (port
    1) and console (port 2) rings, in the order of Xen's toolstack. BuilderError when the inputs do not make a
    domain.
    """
    native, c = domain.hv.native, domain.c
    store_port = evtchn.open_host(native, c)
    console_port = evtchn.open_host(native, c)
    config = PvConfig(
        pages=int(c.max_pages), cmdline=cmdline.encode(), ramdisk=ramdisk, ramdisk_name=ramdisk_name,
        store_port=store_port, console_port=console_port,
    )  # fmt: skip
    try:
        built = build_pv(PvHost(domain), image, config)
    except NativeError as error:
        # the tables were made here, of checked inputs: what the page-type code refuses is a mistake of ours
        raise RuntimeError(f"{image.name}: the initial page tables were refused: {error}") from error
    except MemoryError as error:
        raise BuilderError(
            "--memory", f"the machine is full: {error}", "give the domain less memory"
        ) from None
    c.shared_info_frame, c.start_info_frame = built.shared_info, built.start_info
    c.store_frame, c.store_port = built.store, store_port
    c.console_frame, c.console_port = built.console, console_port
    # As Xen's toolstack does, so that domain 0's back ends may map the rings by grant.
    grant.permit(native, c, abi.GNTTAB_RESERVED_CONSOLE, 0, built.console)
    grant.permit(native, c, abi.GNTTAB_RESERVED_XENSTORE, 0, built.store)
    c.hypercall_page = built.hypercall_page
    size = abi.layout("vcpu_info", domain.abi).size
    for vcpu in domain.vcpus[: abi.XEN_LEGACY_MAX_VCPUS]:
        vcpu.c.info_pa = (built.shared_info << 12) + size * vcpu.id
    clock.update_wallclock(native, c)
    load_context(domain.vcpus[0], built.context)
    return built


def load_context(vcpu: Vcpu, context: PvContext) -> None:
    """Give an offline vcpu its first registers and page table, and bring it up: what VCPUOP_initialise does, as
    Xen's tools do it (vcpu_x86_64() of xg_dom_x86.c)."""
    native, c = vcpu.domain.hv.native, vcpu.c
    registers = {
        "rip": context.rip, "rsp": context.rsp, "rsi": context.rsi, "rflags": context.rflags,
        "cs": context.cs, "ss": context.ss,
    }  # fmt: skip
    data = abi.layout("vcpu_guest_context", vcpu.domain.abi).pack({
        "user_regs": registers,
        "kernel_ss": context.ss,
        "kernel_sp": context.rsp,
        "flags": abi.VGCF_in_kernel | abi.VGCF_online,
        "ctrlreg": [0, 0, 0, context.cr3, 0, 0, 0, 0],
        "debugreg": [0, 0, 0, 0, 0, 0, _DR6, _DR7],
    })  # fmt: skip
    facts = ffi.new("uint64_t[4]")
    rule = lib.hv_set_vcpu_context(native, c, data, facts)
    if rule:
        # of checked inputs: a refusal is a mistake of ours
        raise RuntimeError(f"vcpu {vcpu.id}: first context: {XenError.from_number(rule, tuple(facts))}")
    clock.start_vcpu(native, c)
