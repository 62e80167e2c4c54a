"""Build a PVH domain: a kernel that is entered in 32-bit protected mode without paging, with a struct hvm_start_info.

The segments go to their physical addresses; behind them come the ramdisk and the page with start_info, module list,
command line and memory map. Facts: xen/include/public/arch-x86/hvm/start_info.h, docs/misc/pvh.pandoc of Xen 4.17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hv import abi, clock, evtchn, grant
from hv.arch.x86.builder.acpi import AcpiMachine, acpi_tables, placed
from hv.arch.x86.builder.e820 import ACPI_TABLES, Range, low_end, memory_map, pack_memmap
from hv.builder.image import PAGE_SIZE, BuilderError, KernelImage
from hv.devices.platform import Platform
from hv.native import lib

if TYPE_CHECKING:
    from hv.domain import Domain

HIGH_START = 1 << 32
VERSION = 1
CR0_PE, FLAGS = 1, 2
CODE, DATA, TSS = 0x00C09B00, 0x00C09300, 0x00008B00


class PvhDomain(NamedTuple):
    """How a domain was built: guest-physical addresses."""

    entry: int
    start_info: int
    ramdisk: int
    xenstore: int
    console: int


def build_pvh(domain: Domain, image: KernelImage, *, cmdline: str = "", ramdisk: bytes = b"") -> PvhDomain:
    """Build `image` into the empty translated `domain` and make its vcpu 0 ready. BuilderError: the kernel has no
    PVH entry, or does not fit."""
    entry = None if image.notes is None else image.notes.phys32_entry
    if entry is None:
        raise BuilderError(
            image.name, "it has no PVH entry (the ELF note PHYS32_ENTRY)",
            "give a kernel built with CONFIG_PVH, or boot it as PV",
        )  # fmt: skip
    pages = int(domain.c.max_pages)
    domain.c.max_pages += abi.HVM_SPECIAL_GFNS
    low = low_end(pages << 12)
    give_memory(domain, pages, low)
    rsdp, acpi = _place_tables(domain, pages << 12)
    ramdisk_at = _page_up(image.paddr_end)
    start_at = _page_up(ramdisk_at + len(ramdisk))
    ranges = memory_map(pages << 12, pc=False, acpi=acpi)
    info = _start_info(ranges, start_at, cmdline.encode(), (ramdisk_at, len(ramdisk)), rsdp)
    if start_at + len(info) > low:
        raise BuilderError(
            image.name,
            f"kernel, ramdisk and start info end at {start_at + len(info):#x}, behind the memory at {low:#x}",
            "give the domain more memory",
        )
    for segment in image.segments:
        domain.write_physical(segment.paddr, segment.data)
    domain.write_physical(ramdisk_at, ramdisk)
    domain.write_physical(start_at, info)
    special_pages(domain)
    Platform(domain).reset()
    enter_flat(domain, entry, start_at)
    frames = abi.HVM_SPECIAL_XENSTORE_GFN, abi.HVM_SPECIAL_CONSOLE_GFN
    return PvhDomain(entry, start_at, ramdisk_at, *frames)


def _page_up(address: int) -> int:
    return (address + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)


def give_memory(domain: Domain, pages: int, low: int, hole: range = range(0)) -> None:
    """All of the domain's memory, lowest machine frame first: `pages` guest frames of which those below the address
    `low` stand there and the others above 4 GiB, without those of `hole`, below `low`."""
    wanted = pages - len(hole)
    frames = domain.alloc_frames(wanted)
    if len(frames) < wanted:
        problem = f"the machine is full: {len(frames)} of {wanted} pages"
        raise BuilderError("--memory", problem, "give the domain less memory")
    below = (low >> 12) - len(hole)
    domain.map_frames(0, frames[: hole.start])
    domain.map_frames(hole.stop, frames[hole.start : below])
    domain.map_frames(HIGH_START >> 12, frames[below:])


def _start_info(ranges: tuple[Range, ...], at: int, cmdline: bytes, ramdisk: tuple[int, int], rsdp: int) -> bytes:
    """start_info and what it points to, for guest-physical address `at`."""
    head, module = abi.layout("hvm_start_info"), abi.layout("hvm_modlist_entry")
    table = pack_memmap(ranges)
    modules_at = at + head.size
    map_at = modules_at + module.size
    has_ramdisk = ramdisk[1] > 0
    info = head.pack({
        "magic": abi.XEN_HVM_START_MAGIC_VALUE, "version": VERSION, "nr_modules": int(has_ramdisk),
        "modlist_paddr": modules_at if has_ramdisk else 0, "cmdline_paddr": map_at + len(table), "memmap_paddr": map_at,
        "memmap_entries": len(ranges), "rsdp_paddr": rsdp,
    })  # fmt: skip
    return info + module.pack({"paddr": ramdisk[0], "size": ramdisk[1]}) + table + cmdline + b"\0"


def _place_tables(domain: Domain, memory: int) -> tuple[int, int]:
    """ACPI tables, in read-only frames of their own: address of the RSDP, and how many bytes they are."""
    rsdp, data = placed(acpi_tables(AcpiMachine(len(domain.vcpus), memory, pc=False)), ACPI_TABLES)
    pages = -(-len(data) // PAGE_SIZE)
    frames = domain.alloc_frames(pages)
    if len(frames) < pages:
        raise BuilderError("--memory", "no room for the ACPI tables", "give the domain less memory")
    domain.c.max_pages += pages
    domain.map_frames(ACPI_TABLES >> 12, frames)
    domain.write_physical(ACPI_TABLES, data)
    return rsdp, len(data)


def special_pages(domain: Domain) -> None:
    """Xen's own: the rings of xenstore and console at Xen's special frames, shared_info nowhere yet."""
    native, c = domain.hv.native, domain.c
    store, console = domain.alloc_frames(2)
    domain.map_frames(abi.HVM_SPECIAL_XENSTORE_GFN, [store])
    domain.map_frames(abi.HVM_SPECIAL_CONSOLE_GFN, [console])
    c.store_port, c.console_port = evtchn.open_host(native, c), evtchn.open_host(native, c)
    c.store_frame, c.console_frame = store, console
    c.shared_info_frame = domain.alloc_shared_frame()
    grant.permit(native, c, abi.GNTTAB_RESERVED_CONSOLE, 0, abi.HVM_SPECIAL_CONSOLE_GFN)
    grant.permit(native, c, abi.GNTTAB_RESERVED_XENSTORE, 0, abi.HVM_SPECIAL_XENSTORE_GFN)
    state = lib.hv_hvm_domain(native, c)
    for param, value in (
        (abi.HVM_PARAM_STORE_PFN, abi.HVM_SPECIAL_XENSTORE_GFN), (abi.HVM_PARAM_STORE_EVTCHN, c.store_port),
        (abi.HVM_PARAM_CONSOLE_PFN, abi.HVM_SPECIAL_CONSOLE_GFN), (abi.HVM_PARAM_CONSOLE_EVTCHN, c.console_port),
        (abi.HVM_PARAM_PAE_ENABLED, 1),
        (abi.HVM_PARAM_TRIPLE_FAULT_REASON, abi.SHUTDOWN_crash),  # Xen restarts it; here one wants to know why
    ):  # fmt: skip
        state.params[param] = value
    size = abi.layout("vcpu_info").size
    for vcpu in domain.vcpus[: abi.XEN_LEGACY_MAX_VCPUS]:
        vcpu.c.info_pa = (int(c.shared_info_frame) << 12) + size * vcpu.id
        clock.update_vcpu_time(native, vcpu.c)
    clock.update_wallclock(native, c)


def enter_flat(domain: Domain, entry: int, start_info: int) -> None:
    """Have vcpu 0 begin at `entry` in 32-bit protected mode with flat segments and no paging; ebx: start_info."""
    state = domain.vcpus[0].state()
    for index in range(lib.SEG_ES, lib.SEG_GS + 1):
        state.segments[index] = _segment(CODE if index == lib.SEG_CS else DATA, 0xFFFFFFFF)
    state.segments[lib.SEG_TR] = _segment(TSS, 0x67)
    state.cr0 |= CR0_PE
    state.rflags = FLAGS
    state.gprs.rip, state.gprs.rbx = entry, start_info
    domain.vcpus[0].set_state(state)


def _segment(attributes: int, limit: int) -> dict[str, int]:
    return {"selector": 0, "base": 0, "limit": limit, "attributes": attributes}


