"""The page-table half of grant mappings: whose references they are, and what ordinary updates may do to them."""

from __future__ import annotations

import pytest

from hv import abi
from hv._native import lib
from tests.native.ptbench import GLOBAL, GUEST_KERNEL, NX, RW, USER, A, Bench, D, Guest, P

HOST = abi.GNTMAP_host_map
VA = 0x90000


class Mapping:
    """Maps a frame of domain 2 into domain 1 and keeps the maptrack entry that the audit wants to see."""

    def __init__(self, bench: Bench, other: Guest, frame: int, flags: int = HOST, addr: int = VA) -> None:
        self.bench, self.frame, self.flags, self.addr = bench, frame, flags, addr
        g = bench.g
        self.result = lib.mm_map_grant(bench.hv, g.v, addr, flags, frame)
        self.track = bench.maptrack(g.slot, 0)
        if self.result == 0:
            g.c.maptrack_used = 1
            self.track.flags, self.track.frame, self.track.domid = flags, frame, other.domid

    def unmap(self, frame: int | None = None, flags: int | None = None) -> int:
        result = int(lib.mm_unmap_grant(
            self.bench.hv, self.bench.g.v, self.addr, self.flags if flags is None else flags,
            self.frame if frame is None else frame,
        ))  # fmt: skip
        if result == 0:
            self.forget()
        return result

    def forget(self) -> None:
        self.bench.g.c.maptrack_used = 0
        self.track.flags = 0


@pytest.fixture
def other(bench: Bench) -> Guest:
    return bench.second()


@pytest.mark.parametrize(
    ("flags", "entry"),
    [
        (0, P | RW | A | D | NX | USER | GUEST_KERNEL),
        (abi.GNTMAP_readonly, P | A | D | NX | USER | GUEST_KERNEL),
        (abi.GNTMAP_application_map, P | RW | A | D | NX | USER | GLOBAL),
        (5 << 16, P | RW | A | D | NX | USER | GUEST_KERNEL | 5 << 9),
    ],
)
def test_map_and_unmap(bench: Bench, other: Guest, flags: int, entry: int) -> None:
    frame = other.alloc()
    mapping = Mapping(bench, other, frame, HOST | flags)
    assert mapping.result == 0
    assert bench.entry(bench.g.l1, VA >> 12) == frame << 12 | entry
    assert bench.refs(frame) == 2
    assert bench.type_of(frame)[1] == (0 if flags & abi.GNTMAP_readonly else 1)
    assert bench.audit() == ""
    assert mapping.unmap() == 0
    assert bench.entry(bench.g.l1, VA >> 12) == 0
    assert bench.refs(frame) == 1


def test_by_the_address_of_the_entry(bench: Bench, other: Guest) -> None:
    frame, entry = other.alloc(), bench.g.l1 << 12 | 0x90 << 3
    assert Mapping(bench, other, frame, HOST | abi.GNTMAP_contains_pte, entry + 4).result == -1
    assert Mapping(bench, other, frame, HOST | abi.GNTMAP_contains_pte, bench.g.l2 << 12).result == -1
    assert Mapping(bench, other, frame, HOST | abi.GNTMAP_contains_pte, other.l1 << 12).result == -1
    assert Mapping(bench, other, frame, HOST | abi.GNTMAP_contains_pte, 1 << 60).result == -1
    mapping = Mapping(bench, other, frame, HOST | abi.GNTMAP_contains_pte, entry)
    assert mapping.result == 0
    assert mapping.unmap() == 0


def test_page_table_of_the_granter_cannot_be_mapped_writable(bench: Bench, other: Guest) -> None:
    assert Mapping(bench, other, other.l1).result == -1
    mapping = Mapping(bench, other, other.l1, HOST | abi.GNTMAP_readonly)
    assert mapping.result == 0
    assert mapping.unmap() == 0


def test_where_no_table_is(bench: Bench, other: Guest) -> None:
    frame = other.alloc()
    for addr in (0x400000, 0xFFFF800000000000, 0x0000800000000000):
        assert Mapping(bench, other, frame, HOST, addr).result == -1
    assert Mapping(bench, other, bench.frames, HOST).result == -1
    assert bench.refs(frame) == 1


def test_what_was_mapped_there_is_put_back(bench: Bench, other: Guest) -> None:
    frame, was = other.alloc(), bench.g.alloc()
    assert bench.g.update_va(VA, was << 12 | P | RW) == "ok"
    mapping = Mapping(bench, other, frame)
    assert bench.refs(was) == 1
    assert mapping.unmap() == 0


def test_unmap_of_something_else(bench: Bench, other: Guest) -> None:
    frame = other.alloc()
    mapping = Mapping(bench, other, frame)
    assert mapping.unmap(frame=frame + 1) == -1
    assert mapping.unmap(flags=HOST | abi.GNTMAP_readonly) == -1
    assert bench.refs(frame) == 2
    assert mapping.unmap() == 0
    assert mapping.unmap() == -1


def test_overwriting_drops_the_references_once(bench: Bench, other: Guest) -> None:
    frame = other.alloc()
    mapping = Mapping(bench, other, frame)
    assert bench.g.update_va(VA, 0) == "ok"
    assert bench.refs(frame) == 1
    assert mapping.unmap() == -1
    assert bench.refs(frame) == 1
    mapping.forget()


def test_the_entry_cannot_be_copied(bench: Bench, other: Guest) -> None:
    frame = other.alloc()
    mapping = Mapping(bench, other, frame)
    entry = bench.entry(bench.g.l1, VA >> 12)
    assert bench.g.update_va(VA + 4096, entry) == "EBUSY"
    assert bench.g.update_va(VA, entry & ~RW) == "EBUSY"
    assert bench.g.update_va(VA, entry & ~(A | D)) == "ok"          # flags that need no reference
    assert mapping.unmap() == 0


def test_replace_moves_a_mapping(bench: Bench, other: Guest) -> None:
    frame, mine = other.alloc(), bench.g.alloc()
    mapping = Mapping(bench, other, frame)
    assert bench.g.update_va(0xA0000, mine << 12 | P | RW) == "ok"
    assert lib.mm_replace_grant(bench.hv, bench.g.v, VA, 0xA0000, HOST, frame) == 0
    mapping.forget()
    assert bench.entry(bench.g.l1, 0xA0) == 0
    assert bench.entry(bench.g.l1, VA >> 12) >> 12 & 0xFFFFF == mine
    assert bench.refs(mine) == 2
    assert bench.refs(frame) == 1


def test_replace_that_fails_drops_what_it_took(bench: Bench, other: Guest) -> None:
    frame, mine = other.alloc(), bench.g.alloc()
    assert bench.g.update_va(0xA0000, mine << 12 | P | RW) == "ok"
    assert lib.mm_replace_grant(bench.hv, bench.g.v, VA, 0xA0000, HOST, frame) == -1
    assert bench.refs(mine) == 1
    assert lib.mm_replace_grant(bench.hv, bench.g.v, VA, 0x400000, HOST, frame) == -1


def test_granted_frame_outlives_its_domain(bench: Bench, other: Guest) -> None:
    frame = other.alloc()
    bench.write(frame << 12, b"still here")
    mapping = Mapping(bench, other, frame)
    lib.hv_domain_destroy(bench.hv, other.slot)
    assert bench.read(frame << 12, 10) == b"still here"
    assert bench.audit() == ""
    free = bench.state.free_frames
    assert mapping.unmap() == 0
    assert bench.state.free_frames == free + 1


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("granter_first", [False, True])
def test_device_mapping_when_domains_go(bench: Bench, other: Guest, readonly: bool, granter_first: bool) -> None:
    """A device mapping is held by the maptrack entry alone."""
    frame = other.alloc()
    assert lib.hv_get_page(bench.hv, frame, other.domid) == 0
    if not readonly:
        assert lib.hv_get_page_type(bench.hv, other.c, frame, lib.PGT_writable) == 0
    bench.g.c.maptrack_used = 1
    track = bench.maptrack(bench.g.slot, 0)
    track.flags = abi.GNTMAP_device_map | (abi.GNTMAP_readonly if readonly else 0)
    track.frame, track.domid = frame, other.domid
    assert bench.audit() == ""
    for guest in (other, bench.g) if granter_first else (bench.g, other):
        lib.hv_domain_destroy(bench.hv, guest.slot)
        assert bench.audit() == ""
    assert bench.state.free_frames == bench.free_at_start
