"""The state hash digests everything: each field is flipped alone, and each time the hash must differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hv.native import ffi, lib, view
from hv.testing.runner import DomainUnderTest

# Not state: padding, and what the engine's processor does not have in these runs.
CPU_WITHOUT = {"pad", "pad0", "pad1", "cr8", "halted", "pending_exception", "interrupt_shadow"}


@pytest.fixture(scope="module")
def dom() -> DomainUnderTest:
    return DomainUnderTest("grant_self").run()


def _leaves(kind: Any, offset: int = 0, name: str = "") -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of each number in a struct; of arrays the first and the last element."""
    if kind.kind == "struct":
        for field, about in kind.fields:
            yield from _leaves(about.type, offset + about.offset, f"{name}.{field}".lstrip("."))
    elif kind.kind == "array":
        size = ffi.sizeof(kind.item)
        for index in sorted({0, kind.length - 1}):
            yield from _leaves(kind.item, offset + index * size, f"{name}[{index}]")
    else:
        yield name, offset, ffi.sizeof(kind)


def _unseen(hv: Any, memory: memoryview, leaves: list[tuple[str, int, int]]) -> list[str]:
    """The numbers whose lowest or highest bit can change without the hash changing."""
    before = hv.state_hash
    unseen = []
    for name, offset, size in leaves:
        for byte, bit in ((offset, 1), (offset + size - 1, 0x80)):
            memory[byte] ^= bit
            if hv.state_hash == before:
                unseen.append(name)
            memory[byte] ^= bit
    assert hv.state_hash == before
    return unseen


@pytest.mark.parametrize("name", ["hv_state", "domain", "vcpu"])
def test_every_field_of_the_arena_is_digested(dom: DomainUnderTest, name: str) -> None:
    kind = ffi.typeof(f"struct {name}")
    address = {"hv_state": dom.hv.state, "domain": dom.domain.c, "vcpu": dom.domain.vcpus[0].c}[name]
    own = [leaf for leaf in _leaves(kind) if not leaf[0].startswith(("domains", "vcpus"))]
    own = [leaf for leaf in own if not leaf[0].endswith("_offset")]
    assert len(own) >= 15
    # which slots are in use, where the tables lie, and what kind of domain it is, decide what is digested
    deciding = {"frames", "page_offset", "ports", "grant_frames", "maptrack_used", "type", "narrow"}
    own = [leaf for leaf in own if leaf[0] not in deciding]
    assert _unseen(dom.hv, view(address, ffi.sizeof(kind)), own) == []


def test_every_register_is_digested(dom: DomainUnderTest) -> None:
    vcpu = dom.domain.vcpus[0]
    original, kind = vcpu.state(), ffi.typeof("struct x86_state")
    before = dom.state_hash
    unseen = []
    for name, offset, _size in _leaves(kind):
        if name.split(".")[-1] in CPU_WITHOUT or name.startswith(("dr[", "cr", "efer", "segments", "x87[127]")):
            continue  # rules of their own, below
        changed = vcpu.state()
        view(changed, ffi.sizeof(kind))[offset] ^= 1
        if name == "rflags":
            view(changed, ffi.sizeof(kind))[offset] ^= 0x41  # the zero flag: bit 1 is fixed
        vcpu.set_state(changed)
        if dom.state_hash == before:
            unseen.append(name)
        vcpu.set_state(original)
    assert unseen == []
    assert dom.state_hash == before


@pytest.mark.parametrize(
    ("field", "index", "bit"),
    [
        ("cr0", None, 8),
        ("cr2", None, 1 << 40),
        ("cr3", None, 1 << 12),
        ("cr4", None, 4),
        ("efer", None, 1 << 11),
        ("dr", 0, 1),
        ("dr", 3, 1 << 33),
        ("dr", 6, 1),
        ("dr", 7, 1 << 16),
    ],
)
def test_every_control_register_is_digested(dom: DomainUnderTest, field: str, index: int | None, bit: int) -> None:
    vcpu = dom.domain.vcpus[0]
    original, before = vcpu.state(), dom.state_hash
    changed = vcpu.state()
    if index is None:
        setattr(changed, field, getattr(changed, field) ^ bit)
    else:
        getattr(changed, field)[index] ^= bit
    vcpu.set_state(changed)
    assert dom.state_hash != before
    vcpu.set_state(original)
    assert dom.state_hash == before


@pytest.mark.parametrize("part", ["selector", "limit", "attributes", "base"])
@pytest.mark.parametrize("segment", range(8))
def test_every_segment_is_digested(dom: DomainUnderTest, segment: int, part: str) -> None:
    vcpu = dom.domain.vcpus[0]
    original, before = vcpu.state(), dom.state_hash
    changed = vcpu.state()
    setattr(changed.segments[segment], part, getattr(changed.segments[segment], part) ^ 0x100)
    vcpu.set_state(changed)
    assert dom.state_hash != before
    vcpu.set_state(original)
    assert dom.state_hash == before


def test_memory_and_page_info_are_digested(dom: DomainUnderTest) -> None:
    hv = dom.hv
    owned = [frame for frame in range(int(hv.state.frames)) if lib.hv_pages(hv.native)[frame].owner == dom.domain.domid]
    for frame in (owned[0], owned[len(owned) // 2], owned[-1]):
        lib.machine_write_begin(hv.machine, frame)  # as whoever writes to memory says before
        ram = view(lib.machine_frame(hv.machine, frame), 4096)
        assert _unseen(hv, ram, [("first", 0, 1), ("last", 4095, 1)]) == []
        info = view(lib.hv_pages(hv.native) + frame, ffi.sizeof("struct page_info"))
        leaves = [leaf for leaf in _leaves(ffi.typeof("struct page_info")) if leaf[0] != "owner"]
        assert _unseen(hv, info, leaves) == []


def _table(dom: DomainUnderTest, name: str, capacity: int) -> Any:
    """The domain's table of `struct NAME` in the arena."""
    offset = getattr(dom.hv.state, {"active_grant": "grant_offset"}.get(name, f"{name}_offset"))
    base = ffi.cast("char *", lib.machine_arena(dom.hv.machine)) + offset
    return ffi.cast(f"struct {name} *", base) + dom.domain.slot * capacity


@pytest.mark.parametrize(("name", "capacity"), [("evtchn", lib.HV_MAX_PORTS), ("active_grant", lib.HV_MAX_GRANTS)])
def test_tables_are_digested(dom: DomainUnderTest, name: str, capacity: int) -> None:
    kind = ffi.typeof(f"struct {name}")
    entry = _table(dom, name, capacity) + 3
    assert _unseen(dom.hv, view(entry, ffi.sizeof(kind)), list(_leaves(kind))) == []


def test_mapped_grants_are_digested_wherever_their_handle(dom: DomainUnderTest) -> None:
    entry = _table(dom, "maptrack", lib.HV_MAX_MAPTRACK) + 700
    before = dom.state_hash
    entry.flags, dom.domain.c.maptrack_used = 2, 1
    leaves = [leaf for leaf in _leaves(ffi.typeof("struct maptrack")) if leaf[0] != "flags"]
    assert _unseen(dom.hv, view(entry, ffi.sizeof("struct maptrack")), leaves) == []
    entry.flags, dom.domain.c.maptrack_used = 0, 0
    assert dom.state_hash == before


def test_back_ends_are_digested(dom: DomainUnderTest) -> None:
    before = dom.state_hash
    assert sorted(dom.domain.services)
    dom.type("typed but not read")
    assert dom.state_hash != before
