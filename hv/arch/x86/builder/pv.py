"""Build a 64-bit PV domain: memory filled, page tables made and pinned, the first vcpu's registers decided.

What Xen's tools do in xg_dom_x86.c, in their order, against the few things of the hypervisor that `Host`
names. Nothing here depends on anything but the inputs: frames are taken lowest first and written in one
order.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hv import abi
from hv.arch.x86.builder.placement import pv_placement
from hv.arch.x86.builder.pv_layout import LEVELS, PvLayout, plan, table_key
from hv.builder.image import PAGE_SHIFT, PAGE_SIZE, BuilderError, KernelImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    Buffer = bytes | bytearray | memoryview

_ABI = "x86_64"
_MAGIC = "xen-3.0-x86_64"
_PRESENT, _RW, _USER, _ACCESSED, _DIRTY = 0x01, 0x02, 0x04, 0x20, 0x40
_LEAF = _PRESENT | _RW | _ACCESSED
_TABLE = _PRESENT | _RW | _USER | _ACCESSED | _DIRTY
_ENTRIES = 512
_LEGACY_VCPUS = 32  # vcpu_info that shared_info holds
_MAX_RAMDISK = 1 << 30


class Host(Protocol):
    """What the builder needs of the hypervisor, for one domain.

    Machine addresses in bytes, frames by number.
    """

    def alloc_frames(self, count: int) -> Sequence[int]:
        """Give the domain zeroed frames, lowest first; fewer than `count` when the machine has no more."""

    def alloc_shared_frame(self) -> int:
        """A zeroed frame of Xen's own that the domain may map for ever (shared_info)."""

    def write(self, address: int, data: Buffer) -> None:
        """Write machine memory."""

    def set_m2p(self, mfns: Sequence[int], pfn: int) -> None:
        """Machine-to-phys entries: the frames are pfn, pfn + 1 and so on."""

    def fill_hypercall_page(self, mfn: int) -> None:
        """Write the page that HYPERCALL_PAGE asks for into a frame."""

    def pin_table(self, mfn: int, level: int) -> None:
        """As MMUEXT_PIN_L1_TABLE .. PIN_L4_TABLE; raises when the table is not valid."""


class PvConfig(NamedTuple):
    """What the domain is to be given beside its kernel."""

    pages: int
    cmdline: bytes = b""
    ramdisk: bytes = b""
    ramdisk_name: str = "ramdisk"
    store_port: int = 0
    console_port: int = 0
    flags: int = 0  # SIF_* of start_info; SIF_MOD_START_PFN is added


class PvContext(NamedTuple):
    """Registers of the first vcpu at its first instruction. All others are 0."""

    rip: int
    rsp: int
    rsi: int  # linear address of start_info
    rflags: int
    cs: int
    ss: int
    cr3: int  # machine address of the top-level table


class PvDomain(NamedTuple):
    """A domain that has been built: what the hypervisor must remember of it."""

    layout: PvLayout
    context: PvContext
    p2m: array[int]  # pfn -> mfn
    shared_info: int  # frames
    start_info: int
    store: int
    console: int
    l4: int
    hypercall_page: int  # linear; 0: the kernel has none


def unpack_ramdisk(data: bytes) -> bytes:
    """A ramdisk in one gzip stream is unpacked, as xc_dom_build_module() does; all others are handed over as
    they are."""
    if data[:2] != b"\x1f\x8b":
        return data
    import zlib

    stream = zlib.decompressobj(wbits=31)
    try:
        out = stream.decompress(data, _MAX_RAMDISK)
    except zlib.error:
        return data
    return out if stream.eof and not stream.unused_data else data


def build_pv(host: Host, image: KernelImage, config: PvConfig) -> PvDomain:
    """Build the domain.

    BuilderError: the kernel is none for PV, or does not fit, or the machine is too small.
    """
    if image.bits != 64:
        raise BuilderError(image.name, "it is a 32-bit PV kernel", "64-bit PV kernels are what runs so far")
    if len(config.cmdline) >= abi.MAX_GUEST_CMDLINE or b"\0" in config.cmdline:
        raise BuilderError(
            "--cmdline",
            f"its {len(config.cmdline)} bytes do not fit into start_info",
            f"give at most {abi.MAX_GUEST_CMDLINE - 1} bytes without a NUL",
        )
    place = pv_placement(image)
    ramdisk = unpack_ramdisk(config.ramdisk)
    layout = plan(image.name, place, config.pages, len(ramdisk))
    frames = host.alloc_frames(config.pages)
    if len(frames) < config.pages:
        raise BuilderError(
            "--memory",
            f"{config.pages >> 8} MiB is more than the {len(frames) >> 8} MiB that are free",
            "give the domain less, or the machine more",
        )
    p2m = array("Q", frames)
    host.set_m2p(p2m, 0)
    memory = _Memory(host, p2m)
    for segment in image.segments:
        memory.write(segment.paddr + place.offset - place.virt_base, segment.data)
    if layout.ramdisk is not None:
        memory.write(layout.ramdisk.pfn << PAGE_SHIFT, ramdisk)
    memory.write(layout.p2m.pfn << PAGE_SHIFT, p2m.tobytes())
    if place.hypercall_page is not None:
        host.fill_hypercall_page(p2m[(place.hypercall_page - place.virt_base) >> PAGE_SHIFT])
    shared_info = host.alloc_shared_frame()
    host.write(shared_info << PAGE_SHIFT, _shared_info())
    memory.write(layout.start_info.pfn << PAGE_SHIFT, _start_info(layout, p2m, shared_info, config))
    for pfn, table in page_tables(layout, p2m):
        memory.write(pfn << PAGE_SHIFT, table)
    l4 = p2m[layout.page_tables.pfn]
    host.pin_table(l4, LEVELS)
    return PvDomain(
        layout,
        _context(place.entry, layout, l4),
        p2m,
        shared_info,
        p2m[layout.start_info.pfn],
        p2m[layout.xenstore.pfn],
        p2m[layout.console.pfn],
        l4,
        place.hypercall_page or 0,
    )


class _Memory:
    """The domain's memory by (guest) physical address: writes cut at frames that do not follow each other."""

    def __init__(self, host: Host, p2m: array[int]) -> None:
        self.host = host
        self.p2m = p2m
        # frames come in ascending order, so this says that there is no gap
        self.contiguous = p2m[-1] - p2m[0] == len(p2m) - 1

    def write(self, address: int, data: Buffer) -> None:
        view = memoryview(data)
        if self.contiguous:
            self.host.write((self.p2m[0] << PAGE_SHIFT) + address, view)
            return
        at = 0
        while at < len(view):
            pfn, offset = divmod(address + at, PAGE_SIZE)
            run = 1
            size = PAGE_SIZE - offset
            while at + size < len(view) and self.p2m[pfn + run] == self.p2m[pfn] + run:
                run += 1
                size += PAGE_SIZE
            size = min(size, len(view) - at)
            self.host.write((self.p2m[pfn] << PAGE_SHIFT) + offset, view[at : at + size])
            at += size


def page_tables(layout: PvLayout, p2m: Sequence[int]) -> list[tuple[int, bytes]]:
    """The initial page tables, as (pfn, content), top level first.

    Tables are mapped read-only, all else writable.
    """
    tables = {pfn: array("Q", bytes(PAGE_SIZE)) for level in layout.tables for pfn in level.values()}
    own = layout.table_frames()
    for mapping in layout.mappings:
        _map_pages(
            mapping.va, range(mapping.pfn, mapping.pfn + mapping.pages), layout.tables[0], tables, p2m, own
        )
    for level in range(2, LEVELS + 1):
        for key, pfn in layout.tables[level - 2].items():
            above = tables[layout.tables[level - 1][key >> 9]]
            above[key % _ENTRIES] = p2m[pfn] << PAGE_SHIFT | _TABLE
    order = [pfn for level in reversed(layout.tables) for pfn in level.values()]
    return [(pfn, tables[pfn].tobytes()) for pfn in order]


def _map_pages(
    va: int,
    pfns: range,
    keys: dict[int, int],
    tables: dict[int, array[int]],
    p2m: Sequence[int],
    own: frozenset[int],
) -> None:
    entries = array("Q", [p2m[pfn] << PAGE_SHIFT | (_LEAF & ~_RW if pfn in own else _LEAF) for pfn in pfns])
    at = 0
    while at < len(entries):
        address = va + (at << PAGE_SHIFT)
        index = address >> PAGE_SHIFT & _ENTRIES - 1
        count = min(_ENTRIES - index, len(entries) - at)
        tables[keys[table_key(address, 1)]][index : index + count] = entries[at : at + count]
        at += count


def _start_info(layout: PvLayout, p2m: Sequence[int], shared_info: int, config: PvConfig) -> bytes:
    flags = config.flags
    module, length = 0, 0
    if layout.ramdisk is not None:
        # as Xen: the length in whole pages, and a page number instead of an address when it is not mapped
        length = layout.ramdisk.pages << PAGE_SHIFT
        if layout.ramdisk.va is None:
            module = layout.ramdisk.pfn
            flags |= abi.SIF_MOD_START_PFN
        else:
            module = layout.ramdisk.va
    return abi.layout("start_info", _ABI).pack(
        {
            "magic": _MAGIC.encode(),
            "nr_pages": layout.pages,
            "shared_info": shared_info << PAGE_SHIFT,
            "flags": flags,
            "store_mfn": p2m[layout.xenstore.pfn],
            "store_evtchn": config.store_port,
            "console": {"domU": {"mfn": p2m[layout.console.pfn], "evtchn": config.console_port}},
            "pt_base": layout.page_tables.va,
            "nr_pt_frames": layout.page_tables.pages,
            "mfn_list": layout.p2m.va,
            "mod_start": module,
            "mod_len": length,
            "cmd_line": config.cmdline,
            "first_p2m_pfn": layout.p2m.pfn if layout.p2m_frames else 0,
            "nr_p2m_frames": layout.p2m_frames,
        }
    )


def _shared_info() -> bytes:
    """Events are masked for every vcpu until it says otherwise."""
    layout = abi.layout("shared_info", _ABI)
    content = bytearray(layout.size)
    size = abi.layout("vcpu_info", _ABI).size
    mask = abi.layout("vcpu_info", _ABI).offset("evtchn_upcall_mask")
    for vcpu in range(_LEGACY_VCPUS):
        content[layout.offset("vcpu_info") + vcpu * size + mask] = 1
    return bytes(content)


def _context(entry: int, layout: PvLayout, l4: int) -> PvContext:
    assert layout.boot_stack.va is not None and layout.start_info.va is not None
    return PvContext(
        rip=entry,
        rsp=layout.boot_stack.va + PAGE_SIZE,
        rsi=layout.start_info.va,
        rflags=0x200,
        cs=abi.FLAT_KERNEL_CS64,
        ss=abi.FLAT_KERNEL_SS64,
        cr3=l4 << PAGE_SHIFT,
    )
