"""From a kernel file to a domain that is ready to run: build it, connect its rings, load the first vcpu.

domain = hv.create_domain("guest", memory_mib=128)
start_pv(domain, load_kernel("vmlinuz"), cmdline="console=hvc0")
hv.run()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi, clock, evtchn, grant
from hv.builder.image import BuilderError, KernelImage
from hv.builder.pv import PvConfig, PvContext, PvDomain, build_pv
from hv.native import NativeError, check, ffi, lib

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.vcpu import Vcpu

# Hidden parts of the flat descriptors of ring 3 in Xen's GDT (FLAT_RING3_CS64, FLAT_RING3_SS64), as
# struct x86_segment_state has them: type, S, DPL 3, P; L for code, D/B for the stack; G.
_FLAT_CODE = 0xB << 8 | 1 << 12 | 3 << 13 | 1 << 15 | 1 << 21 | 1 << 23
_FLAT_DATA = 0x3 << 8 | 1 << 12 | 3 << 13 | 1 << 15 | 1 << 22 | 1 << 23
_FLAT_LIMIT = 0xFFFFFFFF
_RFLAGS_FIXED = 0x2
_DR6, _DR7 = 0xFFFF0FF0, 0x400


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
        built = build_pv(domain, image, config)
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
    """Give an offline vcpu its first registers and page table, and bring it up."""
    native, c = vcpu.domain.hv.native, vcpu.c
    check(lib.hv_set_base_pointer(native, c, context.cr3 >> 12, False), f"vcpu {vcpu.id}: page table")
    c.kernel_mode = 1
    c.kernel_sp, c.kernel_ss = context.rsp, context.ss
    c.debugreg[6], c.debugreg[7] = _DR6, _DR7
    state = vcpu.state()
    for name in ("rax", "rbx", "rcx", "rdx", "rbp", "rdi", *(f"r{number}" for number in range(8, 16))):
        setattr(state.gprs, name, 0)
    state.gprs.rip, state.gprs.rsp, state.gprs.rsi = context.rip, context.rsp, context.rsi
    state.rflags = context.rflags | _RFLAGS_FIXED
    state.cr3 = context.cr3
    for index in (lib.SEG_ES, lib.SEG_DS, lib.SEG_FS, lib.SEG_GS):
        _segment(state, index, 0, 0, 0)
    _segment(state, lib.SEG_CS, context.cs, _FLAT_CODE, _FLAT_LIMIT)
    _segment(state, lib.SEG_SS, context.ss, _FLAT_DATA, _FLAT_LIMIT)
    vcpu.set_state(state)
    c.initialised = c.online = 1
    lib.hv_runstate_set(native, c, lib.RS_RUNNABLE)
    clock.start_vcpu(native, c)


def _segment(state: Any, index: int, selector: int, attributes: int, limit: int) -> None:
    segment = ffi.addressof(state.segments, index)
    segment.selector, segment.attributes, segment.limit, segment.base = selector, attributes, limit, 0
