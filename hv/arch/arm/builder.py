"""Build an ARM domain: memory, the pages that Xen's tools give it, kernel, ramdisk and device tree, the first vcpu.

Source: tools/libs/guest/xg_dom_arm.c of Xen 4.17; Linux, Documentation/arch/arm64/booting.rst, arch/arm/booting.rst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi, clock, evtchn, grant
from hv.arch.arm.devicetree import Described, blob, tree
from hv.arch.arm.layout import Layout, banks, place, regions
from hv.builder.image import PAGE_SHIFT, BuilderError, KernelImage
from hv.native import lib

if TYPE_CHECKING:
    from hv.domain import Domain

ABI = "arm"
SPIS = 32
"""Shared interrupts, a whole bank: that of the serial port is among them."""
MACHINE_ID = 0xFFFFFFFF
"""What an ARMv7 kernel that is given a device tree has in r1."""


class ArmDomain(NamedTuple):
    """How a domain was built: guest-physical addresses; `ramdisk`: None when there is none."""

    entry: int
    ramdisk: int | None
    device_tree: int
    xenstore: int
    console: int


class ArmMachine(NamedTuple):
    """What there is to choose: the version of the interrupt controller, and a serial port."""

    gic_version: int = 2
    uart: bool = False


def build_arm(
    domain: Domain, image: KernelImage, machine: ArmMachine, *, cmdline: str = "", ramdisk: bytes = b""
) -> ArmDomain:
    """Build `image` into the empty `domain` and make its vcpu 0 ready. BuilderError: it does not fit."""
    memory = int(domain.c.max_pages) << PAGE_SHIFT
    if lib.hv_arm_reset(domain.hv.native, domain.c, machine.gic_version, SPIS):
        problem = f"a GICv{machine.gic_version} has no interface for {len(domain.vcpus)} vcpus"
        raise BuilderError("--vcpus", problem, "give fewer, or choose the other (--machine gic_version=v3)")
    described = Described(
        image.machine, len(domain.vcpus), (), (), cmdline, (0, 0) if ramdisk else None, *machine
    )
    layout, dtb = _planned(image, memory, described, len(ramdisk))
    _give_memory(domain, layout)
    if machine.uart:
        domain.map_frames(abi.GUEST_PL011_BASE >> PAGE_SHIFT, [0], lib.P2M_DEVICE)
    console, xenstore = _magic_pages(domain)
    for segment in image.segments:
        domain.write_physical(segment.paddr, segment.data)
    domain.write_physical(layout.ramdisk, ramdisk)
    domain.write_physical(layout.device_tree, dtb)
    entry = _physical_entry(image)
    _enter(domain, image, entry, layout.device_tree)
    return ArmDomain(entry, layout.ramdisk if ramdisk else None, layout.device_tree, xenstore, console)


def _planned(image: KernelImage, memory: int, described: Described, ramdisk: int) -> tuple[Layout, bytes]:
    """Where everything goes, and the tree that says so. How large a tree is does not depend on the addresses in it."""
    described = described._replace(banks=banks(memory), regions=regions(memory))
    layout = place(image, memory, ramdisk, len(blob(tree(described))))
    if ramdisk:
        described = described._replace(ramdisk=(layout.ramdisk, layout.device_tree))
    return layout, blob(tree(described))


def _state(domain: Domain) -> Any:
    """The domain's struct arm_domain."""
    return lib.hv_arm_domain(domain.hv.native, domain.c)


def _give_memory(domain: Domain, layout: Layout) -> None:
    """All of its memory, lowest machine frame first."""
    wanted = sum(size for _, size in layout.banks) >> PAGE_SHIFT
    frames = domain.alloc_frames(wanted)
    if len(frames) < wanted:
        problem = f"the machine is full: {len(frames)} of {wanted} pages"
        raise BuilderError("--memory", problem, "give the domain less memory")
    at = 0
    for base, size in layout.banks:
        count = size >> PAGE_SHIFT
        domain.map_frames(base >> PAGE_SHIFT, frames[at : at + count])
        at += count


def _magic_pages(domain: Domain) -> tuple[int, int]:
    """The pages of the toolstack's, with the rings of console and xenstore, and the parameters that name them;
    shared_info is nowhere yet. Addresses of the two rings."""
    native, c = domain.hv.native, domain.c
    pages = domain.alloc_frames(abi.GUEST_MAGIC_PAGES)
    if len(pages) < abi.GUEST_MAGIC_PAGES:
        raise BuilderError("--memory", "no room for the pages of the toolstack's", "give the domain less memory")
    c.max_pages += abi.GUEST_MAGIC_PAGES
    first = abi.GUEST_MAGIC_BASE >> PAGE_SHIFT
    domain.map_frames(first, pages)
    c.store_port, c.console_port = evtchn.open_host(native, c), evtchn.open_host(native, c)
    c.console_frame, c.store_frame = pages[abi.GUEST_MAGIC_CONSOLE], pages[abi.GUEST_MAGIC_XENSTORE]
    c.shared_info_frame = domain.alloc_shared_frame()
    console, xenstore = first + abi.GUEST_MAGIC_CONSOLE, first + abi.GUEST_MAGIC_XENSTORE
    grant.permit(native, c, abi.GNTTAB_RESERVED_CONSOLE, 0, console)
    grant.permit(native, c, abi.GNTTAB_RESERVED_XENSTORE, 0, xenstore)
    callback = (
        abi.HVM_PARAM_CALLBACK_TYPE_PPI << 56 | abi.HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_LOW_LEVEL << 8
        | abi.GUEST_EVTCHN_PPI
    )  # fmt: skip
    state = _state(domain)
    for param, value in (
        (abi.HVM_PARAM_CONSOLE_PFN, console), (abi.HVM_PARAM_CONSOLE_EVTCHN, c.console_port),
        (abi.HVM_PARAM_STORE_PFN, xenstore), (abi.HVM_PARAM_STORE_EVTCHN, c.store_port),
        (abi.HVM_PARAM_CALLBACK_IRQ, callback),
    ):  # fmt: skip
        state.params[param] = value
    size = abi.layout("vcpu_info", ABI).size
    for vcpu in domain.vcpus[: abi.constant("XEN_LEGACY_MAX_VCPUS", ABI)]:
        vcpu.c.info_pa = (int(c.shared_info_frame) << PAGE_SHIFT) + size * vcpu.id
    clock.update_wallclock(native, c)
    return console << PAGE_SHIFT, xenstore << PAGE_SHIFT


def _physical_entry(image: KernelImage) -> int:
    """Where the kernel is entered: an ELF file's entry may be an address of its own page tables' making."""
    for segment in image.segments:
        if segment.vaddr <= image.entry < segment.vaddr + segment.memsz:
            return image.entry - segment.vaddr + segment.paddr
    return image.entry


def _enter(domain: Domain, image: KernelImage, entry: int, device_tree: int) -> None:
    """Registers of vcpu 0, by Linux' boot protocols, and bring it up."""
    vcpu = domain.vcpus[0]
    state = vcpu.state()
    state.pc, state.sctlr = entry, abi.SCTLR_GUEST_INIT
    if image.bits == 64:
        state.pstate, state.x[0] = abi.PSR_GUEST64_INIT, device_tree
    else:
        state.pstate, state.x[1], state.x[2] = abi.PSR_GUEST32_INIT, MACHINE_ID, device_tree
    vcpu.set_state(state)
    vcpu.c.initialised = vcpu.c.online = 1
    lib.hv_runstate_set(domain.hv.native, vcpu.c, lib.RS_RUNNABLE)
