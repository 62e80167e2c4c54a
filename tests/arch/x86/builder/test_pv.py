"""The PV domain builder: the layout, the tables and the start of day, seen as the guest will see them."""

from __future__ import annotations

import gzip
import itertools
import struct
from typing import TYPE_CHECKING, Any

import pytest

from hv import abi
from hv.arch.x86.builder.placement import Placement
from hv.arch.x86.builder.pv import PvConfig, PvDomain, build_pv, unpack_ramdisk
from hv.arch.x86.builder.pv_layout import plan
from hv.builder.image import BuilderError, domain_pages
from hv.builder.load import parse_kernel
from tests.builder.elfwriter import BASE, Load, elf, pv_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 256  # pages
FIRST_MFN = 0x40


class FakeHost:
    """Machine memory as a dictionary of frames. `gap`: frames are not consecutive, as on a used machine."""

    def __init__(self, free: int = 1 << 20, gap: int = 0) -> None:
        self.free = free
        self.gap = gap
        self.frames: dict[int, bytearray] = {}
        self.m2p: dict[int, int] = {}
        self.pinned: list[tuple[int, int]] = []
        self.next = FIRST_MFN
        self.filled: list[int] = []

    def alloc_frames(self, count: int) -> list[int]:
        out = []
        for number in range(min(count, self.free)):
            out.append(self.next)
            self.next += 1 + (1 if self.gap and number % self.gap == 0 else 0)
        return out

    def alloc_shared_frame(self) -> int:
        self.next += 1
        return self.next - 1

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        data = bytes(data)
        while data:
            frame, offset = divmod(address, 4096)
            size = min(len(data), 4096 - offset)
            self.frames.setdefault(frame, bytearray(4096))[offset : offset + size] = data[:size]
            data, address = data[size:], address + size

    def set_m2p(self, mfns: Sequence[int], pfn: int) -> None:
        self.m2p.update({mfn: pfn + number for number, mfn in enumerate(mfns)})

    def fill_hypercall_page(self, mfn: int) -> None:
        self.filled.append(mfn)

    def pin_table(self, mfn: int, level: int) -> None:
        self.pinned.append((mfn, level))

    def frame(self, mfn: int) -> bytes:
        return bytes(self.frames.get(mfn, bytes(4096)))

    def walk(self, cr3: int, va: int) -> list[int]:
        """Entries from the top level down; ends at one that is not present."""
        entries = []
        table = cr3 >> 12
        for level in (4, 3, 2, 1):
            index = va >> 12 + 9 * (level - 1) & 511
            (entry,) = struct.unpack_from("<Q", self.frame(table), index * 8)
            entries.append(entry)
            if not entry & 1:
                break
            table = entry >> 12 & (1 << 40) - 1
        return entries

    def read(self, cr3: int, va: int, size: int) -> bytes:
        entry = self.walk(cr3, va)[-1]
        assert entry & 1, f"{va:#x} is not mapped"
        return self.frame(entry >> 12)[va & 4095 : (va & 4095) + size]


def build(
    kernel: bytes | None = None, pages: int = 32 * MIB, host: FakeHost | None = None, **config: Any
) -> tuple[FakeHost, PvDomain, dict[str, Any]]:
    host = host or FakeHost()
    domain = build_pv(host, parse_kernel("k", kernel or pv_kernel(b"\x90\xf4")), PvConfig(pages, **config))
    start_info = abi.layout("start_info", "x86_64").unpack(
        host.frame(domain.start_info)[: abi.layout("start_info", "x86_64").size]
    )
    return host, domain, start_info


def test_registers_at_the_first_instruction() -> None:
    host, domain, _ = build()
    context = domain.context
    assert context.rip == BASE + 0x100000
    assert host.read(context.cr3, context.rip, 2) == b"\x90\xf4"
    assert (context.cs, context.ss, context.rflags) == (0xE033, 0xE02B, 0x200)
    assert host.read(context.cr3, context.rsi, 14) == b"xen-3.0-x86_64"
    # the stack's page is mapped writable, empty, and what is above it is not the stack's
    assert host.walk(context.cr3, context.rsp - 8)[-1] & 3 == 3
    assert context.rsp == domain.layout.boot_stack.va + 4096  # type: ignore[operator]


def test_start_info() -> None:
    host, domain, info = build(cmdline=b"hello world", store_port=1, console_port=2)
    layout = domain.layout
    assert bytes(info["magic"]).rstrip(b"\0") == b"xen-3.0-x86_64"
    assert info["nr_pages"] == 32 * MIB
    assert info["shared_info"] == domain.shared_info << 12
    assert (info["store_mfn"], info["store_evtchn"]) == (domain.store, 1)
    assert info["console"]["domU"] == {"mfn": domain.console, "evtchn": 2}
    assert info["pt_base"] == layout.page_tables.va
    assert info["nr_pt_frames"] == len(layout.table_frames())
    assert host.walk(domain.context.cr3, info["pt_base"])[-1] >> 12 == domain.l4
    assert bytes(info["cmd_line"]).rstrip(b"\0") == b"hello world"
    assert info["flags"] == info["mod_start"] == info["mod_len"] == info["nr_p2m_frames"] == 0
    assert host.read(domain.context.cr3, info["mfn_list"], 16) == struct.pack("<QQ", FIRST_MFN, FIRST_MFN + 1)


def test_the_order_of_parts_is_xens() -> None:
    _, domain, _ = build(ramdisk=b"x" * 5000)
    layout = domain.layout
    assert layout.ramdisk is not None
    parts = [
        layout.kernel,
        layout.ramdisk,
        layout.p2m,
        layout.start_info,
        layout.xenstore,
        layout.console,
        layout.page_tables,
        layout.boot_stack,
    ]
    for part, following in itertools.pairwise(parts):
        assert part.pfn + part.pages == following.pfn
        assert part.va == BASE + (part.pfn << 12)
    assert layout.kernel.pfn == 0x100


def test_the_mapping_ends_at_4_mib_behind_512_kib_of_padding() -> None:
    for size in range(0, 5 << 20, 700 << 10):
        _, domain, _ = build(ramdisk=b"x" * size)
        (mapping,) = domain.layout.mappings
        end = mapping.va + (mapping.pages << 12)
        assert end % (4 << 20) == 0
        stack = domain.layout.boot_stack
        assert stack.va is not None and (512 << 10) <= end - stack.va - 4096 < (4 << 20) + (512 << 10)


@pytest.mark.parametrize("gap", [0, 3])
def test_every_page_is_mapped_and_only_tables_are_read_only(gap: int) -> None:
    host, domain, _ = build(host=FakeHost(gap=gap))
    tables = domain.layout.table_frames()
    (mapping,) = domain.layout.mappings
    for pfn in range(mapping.pages):
        entries = host.walk(domain.context.cr3, BASE + (pfn << 12))
        assert entries[-1] == domain.p2m[pfn] << 12 | (0x21 if pfn in tables else 0x23)
        assert all(entry & 0xFFF == 0x67 for entry in entries[:3])
    assert host.walk(domain.context.cr3, BASE + (mapping.pages << 12))[-1] == 0
    assert host.pinned == [(domain.l4, 4)]


def test_p2m_and_m2p_agree() -> None:
    host, domain, info = build(host=FakeHost(gap=5))
    assert len(domain.p2m) == 32 * MIB
    for pfn in (0, 1, 511, 512, 32 * MIB - 1):
        va = info["mfn_list"] + 8 * pfn
        (mfn,) = struct.unpack("<Q", host.read(domain.context.cr3, va, 8))
        assert mfn == domain.p2m[pfn] and host.m2p[mfn] == pfn


def test_content_is_the_same_on_scattered_frames() -> None:
    kernel = pv_kernel(bytes(range(256)) * 30)
    for gap in (0, 1, 2, 7):
        host, domain, _ = build(kernel, host=FakeHost(gap=gap))
        got = b"".join(host.read(domain.context.cr3, BASE + 0x100000 + at, 4096) for at in (0, 4096))
        assert got[:4096] == (bytes(range(256)) * 30)[:4096]


def test_a_mapped_ramdisk_is_named_by_its_address() -> None:
    host, domain, info = build(ramdisk=b"R" * 5000)
    assert info["mod_len"] == 8192
    assert host.read(domain.context.cr3, info["mod_start"], 3) == b"RRR"
    assert host.read(domain.context.cr3, info["mod_start"] + 4096 + 903, 2) == b"R\0"


def test_mod_start_pfn_and_init_p2m() -> None:
    kernel = pv_kernel(mod_start_pfn=1, init_p2m=0x8000000000)
    host, domain, info = build(kernel, ramdisk=b"R" * 5000)
    layout = domain.layout
    mapped = layout.mappings[0].pages
    assert info["flags"] == abi.SIF_MOD_START_PFN == 8
    assert info["mod_start"] == mapped and info["mod_len"] == 8192
    assert host.frame(domain.p2m[mapped])[:3] == b"RRR"
    assert info["mfn_list"] == 0x8000000000
    assert info["first_p2m_pfn"] == mapped + 2
    # 32 MiB: 16 pages of p2m; an L3, an L2 and an L1 to map them, for the top-level table is there
    assert (layout.p2m.pages, info["nr_p2m_frames"]) == (16, 19)
    assert host.read(domain.context.cr3, 0x8000000000, 8) == struct.pack("<Q", FIRST_MFN)
    assert info["nr_pt_frames"] == layout.page_tables.pages == len(layout.table_frames()) - 3


def test_a_kernel_at_address_0() -> None:
    """As grub's: VIRT_BASE 0, no hypercall page."""
    kernel = pv_kernel(virt_base=0, entry=0x100000, hypercall_page=None)
    host, domain, _ = build(kernel)
    assert host.read(domain.context.cr3, 0x100000, 1) == b"\xf4" and domain.hypercall_page == 0


def test_events_are_masked_in_shared_info() -> None:
    host, domain, _ = build()
    info = host.frame(domain.shared_info)
    size = abi.layout("vcpu_info", "x86_64").size
    assert [info[vcpu * size + 1] for vcpu in range(32)] == [1] * 32
    assert sum(info) == 32


def test_the_hypercall_page_is_filled_where_the_note_says() -> None:
    host, domain, _ = build()
    assert domain.hypercall_page == BASE + 0x101000
    assert host.filled == [domain.p2m[0x101]]


def test_a_gzip_ramdisk_is_unpacked_and_others_are_not() -> None:
    assert unpack_ramdisk(gzip.compress(b"cpio")) == b"cpio"
    for raw in (
        b"070701",
        b"\x1f\x8bbroken",
        gzip.compress(b"one") + gzip.compress(b"two"),
        gzip.compress(b"x")[:-1],
    ):
        assert unpack_ramdisk(raw) == raw


def test_building_is_deterministic() -> None:
    first, second = (build(host=FakeHost(gap=9), ramdisk=b"R" * 9999)[0].frames for _ in range(2))
    assert first == second and list(first) == list(second)


def error_of(**changes: Any) -> str:
    with pytest.raises(BuilderError) as caught:
        build(**changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_kernel_larger_than_memory_says_what_would_do() -> None:
    text = error_of(pages=2 * MIB)
    assert (
        text
        == "k: it does not fit into 2 MiB of memory (kernel 12 KiB, ramdisk 0 KiB); give --memory 4 or more"
    )
    build(pages=4 * MIB)
    text = error_of(pages=8 * MIB, ramdisk=b"x" * (20 << 20))
    assert "ramdisk 20480 KiB); give --memory 24 or more" in text
    build(pages=24 * MIB, ramdisk=b"x" * (20 << 20))


def test_more_memory_than_the_machine_has() -> None:
    assert "--memory: 32 MiB is more than the 16 MiB that are free" in error_of(host=FakeHost(free=16 * MIB))


def test_other_refusals() -> None:
    assert "--cmdline: its 1024 bytes do not fit" in error_of(cmdline=b"x" * 1024)
    assert "no Xen kernel" in error_of(kernel=elf([Load(0x1000, b"code")], entry=0x1000))
    high = (1 << 64) - (4 << 20)
    assert "leaves the address space" in error_of(
        kernel=pv_kernel(virt_base=high, entry=high + 0x100000, hypercall_page=None), ramdisk=b"x" * (3 << 20)
    )
    for memory in (0, -1, 1 << 40):
        with pytest.raises(BuilderError, match="--memory: .* MiB is no size for a domain"):
            domain_pages(memory)
    assert domain_pages(3) == 768


def test_a_p2m_that_would_run_into_the_kernel() -> None:
    place = Placement(0x100000, 0x100000, 0x100000, 0x101000, 0x100000, None, 0xFF000, False)
    with pytest.raises(BuilderError, match="p2m of 16 pages at INIT_P2M 0xff000 runs into VIRT_BASE"):
        plan("k", place, 32 * MIB, 0)
