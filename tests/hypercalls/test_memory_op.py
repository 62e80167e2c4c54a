"""memory_op: reservations, exchange, the questions, and each refusal. Every test ends with clean books."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hv import abi, reservation
from hv.disposition import RETRY
from hv.native import lib
from tests.hypercalls.lab import ARGUMENT, Lab

LIST = 0x5000
NOWHERE = 0xDEAD0000
INVALID = 2**64 - 1


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab(frames=8192)
    lab.d1.c.max_pages = 6000
    yield lab
    assert lab.audit() == ""


def memory(struct: str = "", entries: list[int] | None = None, **fields: Any) -> dict[int, bytearray]:
    """The argument structure at ARGUMENT and a list of frame numbers at LIST (two pages)."""
    page = bytearray(abi.layout(struct).pack(fields) if struct else b"").ljust(4096, b"\0")
    pages = {ARGUMENT >> 12: page, LIST >> 12: bytearray(4096), (LIST >> 12) + 1: bytearray(4096)}
    for i, value in enumerate(entries or []):
        pages[LIST + 8 * i >> 12][8 * i & 4095 : (8 * i & 4095) + 8] = value.to_bytes(8, "little")
    return pages


def listed(pages: dict[int, bytearray], count: int) -> list[int]:
    data = bytes(pages[LIST >> 12]) + bytes(pages[(LIST >> 12) + 1])
    return [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(count)]


def op(lab: Lab, sub: int, pages: dict[int, bytearray], *, start: int = 0, args: list[int] | None = None) -> Any:
    args = args if args is not None else [sub | start << 6, ARGUMENT]
    return lab.call(lab.d1.vcpus[0], "memory_op", args, pages)


def reserve(lab: Lab, sub: int, entries: list[int], order: int = 0, count: int | None = None, **more: int) -> Any:
    """A reservation call: (result, list afterwards, rule that stopped it)."""
    fields = {
        "extent_start": LIST, "nr_extents": len(entries) if count is None else count,
        "extent_order": order, "domid": abi.DOMID_SELF, **more,
    }  # fmt: skip
    pages = memory("xen_memory_reservation", entries, **fields)
    lab.refusals.noted.clear()
    result = op(lab, sub, pages)
    rule = lab.refusals.noted[0].rule if lab.refusals.noted else ""
    return result, listed(pages, len(entries)), rule


def owned(lab: Lab) -> int:
    return int(lab.d1.c.tot_pages)


def test_populate_and_decrease(lab: Lab) -> None:
    before = owned(lab)
    result, frames, rule = reserve(lab, abi.XENMEM_populate_physmap, [100, 200, 300])
    assert (result, rule) == (3, "") and owned(lab) == before + 3
    assert [lib.hv_get_m2p(lab.native, f) for f in frames] == [100, 200, 300]
    assert frames == sorted(frames) and len(set(frames)) == 3
    result, _, rule = reserve(lab, abi.XENMEM_decrease_reservation, frames)
    assert (result, rule) == (3, "") and owned(lab) == before
    assert [lib.hv_get_m2p(lab.native, f) for f in frames] == [INVALID] * 3


def test_extents_are_aligned_contiguous_and_placed_whole(lab: Lab) -> None:
    result, frames, _ = reserve(lab, abi.XENMEM_populate_physmap, [0x1000, 0x2000], order=4)
    assert result == 2 and all(f % 16 == 0 for f in frames)
    assert [lib.hv_get_m2p(lab.native, frames[1] + i) for i in (0, 15)] == [0x2000, 0x200F]
    result, _, _ = reserve(lab, abi.XENMEM_decrease_reservation, frames, order=4)
    assert result == 2


def test_increase_tells_the_frames_or_nothing(lab: Lab) -> None:
    before = owned(lab)
    result, frames, _ = reserve(lab, abi.XENMEM_increase_reservation, [0, 0])
    assert result == 2 and all(frames) and owned(lab) == before + 2
    result, _, rule = reserve(lab, abi.XENMEM_increase_reservation, [], count=3, extent_start=0)
    assert (result, rule) == (3, "") and owned(lab) == before + 5


def test_a_page_table_is_given_back_when_nothing_uses_it(lab: Lab) -> None:
    frame = lab.d1.frame()
    assert lib.hv_pin_table(lab.native, lab.d1.c, frame, 1) == 0
    before = owned(lab)
    assert reserve(lab, abi.XENMEM_decrease_reservation, [frame])[0] == 1 and owned(lab) == before - 1


def test_a_frame_in_use_stays_until_it_is_let_go(lab: Lab) -> None:
    frame, before = lab.d1.frame(), owned(lab)
    assert lib.hv_get_page(lab.native, frame, 1) == 0
    assert reserve(lab, abi.XENMEM_decrease_reservation, [frame])[0] == 1 and owned(lab) == before
    assert reserve(lab, abi.XENMEM_decrease_reservation, [frame])[::2] == (0, "memory_not_owned")
    lib.hv_put_page(lab.native, frame)
    assert owned(lab) == before - 1


@pytest.mark.parametrize("sub", [abi.XENMEM_populate_physmap, abi.XENMEM_increase_reservation])
def test_the_domains_limit_stops_it(lab: Lab, sub: int) -> None:
    lab.d1.c.max_pages = owned(lab) + 2
    assert reserve(lab, sub, [1, 2, 3])[::2] == (2, "memory_limit")


def test_the_machines_end_stops_it(lab: Lab) -> None:
    lab.d1.c.max_pages = 1 << 40
    free = int(lab.state.free_frames)
    lib.hv_alloc_frames(lab.native, 2, free - 1, abi_frames(free))
    assert reserve(lab, abi.XENMEM_populate_physmap, [1, 2])[::2] == (1, "memory_exhausted")


def abi_frames(count: int) -> Any:
    from hv.native import ffi

    return ffi.new("uint64_t[]", count)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"count": 1 << 26}, "memory_too_many_extents"),
        ({"domid": 2}, "other_domain_denied"),
        ({"domid": 9}, "no_such_domain"),
        ({"domid": 0}, "other_domain_denied"),
        ({"order": 10}, "memory_order"),
        ({"order": 0xFFFFFFFF}, "memory_order"),
        ({"mem_flags": 12}, "memory_address_bits"),
        ({"mem_flags": abi.XENMEMF_populate_on_demand}, "memory_on_demand"),
        ({"extent_start": NOWHERE}, "bad_guest_pointer"),
        ({"extent_start": 2**64 - 4}, "bad_guest_pointer"),
    ],
)
def test_what_stops_a_reservation_before_it_begins(lab: Lab, fields: dict[str, int], rule: str) -> None:
    before = owned(lab)
    assert reserve(lab, abi.XENMEM_populate_physmap, [1, 2], **fields)[::2] == (0, rule)
    assert owned(lab) == before


def test_a_wild_argument_is_no_errno_but_nothing_done(lab: Lab) -> None:
    assert lab.call(lab.d1.vcpus[0], "memory_op", [abi.XENMEM_decrease_reservation | 7 << 6, NOWHERE]) == 7


@pytest.mark.parametrize("frame", [0, 1, 8191, 8192, 1 << 40, INVALID])
def test_only_ones_own_frames_can_be_given_back(lab: Lab, frame: int) -> None:
    result, _, rule = reserve(lab, abi.XENMEM_decrease_reservation, [lab.d1.frame(), frame])
    assert result == 1 and rule == ("memory_not_owned" if frame < 8192 else "memory_not_a_frame")


def test_shared_pages_of_xens_stay(lab: Lab) -> None:
    shared = int(lab.d1.c.shared_info_frame)
    assert reserve(lab, abi.XENMEM_decrease_reservation, [shared])[::2] == (0, "memory_not_owned")
    assert reserve(lab, abi.XENMEM_decrease_reservation, [lab.d2.frame()])[::2] == (0, "memory_not_owned")


def test_memory_is_zeroed_between_owners(lab: Lab) -> None:
    frame = lab.d2.frame()
    lab.write(frame << 12, b"secret")
    lib.hv_release_frame(lab.native, lab.d2.c, frame)
    _, frames, _ = reserve(lab, abi.XENMEM_populate_physmap, [1])
    assert frames == [frame] and lab.read(frame << 12, 6) == bytes(6)


def test_below_an_address(lab: Lab) -> None:
    result, frames, rule = reserve(lab, abi.XENMEM_populate_physmap, [1], mem_flags=20)    # 1 MiB
    assert (result, rule) == (1, "") and frames[0] < 256
    count = int(lab.state.frames)
    result, frames, rule = reserve(lab, abi.XENMEM_populate_physmap, list(range(900)), mem_flags=20)
    assert rule == "memory_exhausted" and result < 256 < count


def test_a_long_call_is_continued(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hv.hypercalls.memory_op.BATCH", 4)
    fields = {"extent_start": LIST, "nr_extents": 10, "domid": abi.DOMID_SELF}
    pages = memory("xen_memory_reservation", list(range(10)), **fields)
    args, calls = [abi.XENMEM_populate_physmap, ARGUMENT], 0
    while (result := op(lab, 0, pages, args=args)) is RETRY:
        calls += 1
        assert args[0] == abi.XENMEM_populate_physmap | 4 * calls << 6
    assert (result, calls) == (10, 2) and len(set(listed(pages, 10))) == 10


# ---- exchange ----


def exchange(lab: Lab, source: list[int], target: list[int], orders: tuple[int, int] = (0, 0), **more: Any) -> Any:
    """(result, nr_exchanged, target list). The target list lies behind the source list."""
    at = LIST + 8 * len(source)
    fields: dict[str, Any] = {
        "in": {"extent_start": LIST, "nr_extents": len(source), "extent_order": orders[0], "domid": abi.DOMID_SELF},
        "out": {"extent_start": at, "nr_extents": len(target), "extent_order": orders[1], "domid": abi.DOMID_SELF},
    }
    for path, value in more.items():
        side, _, name = path.partition(".")
        if name:
            fields[side][name] = value
        else:
            fields[path] = value
    pages = memory("xen_memory_exchange", source + target, **fields)
    result = op(lab, abi.XENMEM_exchange, pages)
    done = abi.layout("xen_memory_exchange").unpack(pages[ARGUMENT >> 12])["nr_exchanged"]
    return result, done, listed(pages, len(source) + len(target))[len(source) :]


def test_exchange_single_frames_for_a_contiguous_extent(lab: Lab) -> None:
    old = [lab.d1.frame() for _ in range(4)]
    before = owned(lab)
    result, done, new = exchange(lab, old, [0x700], (0, 2))
    assert (result, done) == (0, 4) and new[0] % 4 == 0 and owned(lab) == before
    assert [lib.hv_get_m2p(lab.native, new[0] + i) for i in range(4)] == [0x700, 0x701, 0x702, 0x703]
    result, done, singles = exchange(lab, new, [1, 2, 3, 4], (2, 0))
    assert (result, done) == (0, 1) and len(set(singles)) == 4 and owned(lab) == before


def test_exchange_works_at_the_limit_of_the_domain(lab: Lab) -> None:
    old = [lab.d1.frame() for _ in range(2)]
    lab.d1.c.max_pages = owned(lab)
    assert exchange(lab, old, [5, 6])[:2] == (0, 2)


def test_exchange_refuses_frames_in_use_and_keeps_them(lab: Lab) -> None:
    free, used = lab.d1.frame(), lab.d1.frame()
    before = owned(lab)
    assert lib.hv_pin_table(lab.native, lab.d1.c, used, 1) == 0
    assert exchange(lab, [free, used], [1, 2])[:2] == ("EINVAL memory_exchange_frame", 1)
    assert exchange(lab, [used, used], [1], (0, 1))[:2] == ("EINVAL memory_exchange_frame", 0)
    twice = lab.d1.frame()
    assert exchange(lab, [twice, twice], [1], (0, 1))[0] == "EINVAL memory_exchange_frame"
    for foreign in (lab.d2.frame(), int(lab.d1.c.shared_info_frame), 0, 8192, INVALID):
        assert exchange(lab, [foreign], [1])[0] == "EINVAL memory_exchange_frame"
    assert owned(lab) == before + 1


def test_exchange_without_memory_gives_everything_back(lab: Lab) -> None:
    old = [lab.d1.frame() for _ in range(2)]
    free = int(lab.state.free_frames)
    lib.hv_alloc_frames(lab.native, 2, free - 1, abi_frames(free))
    assert exchange(lab, old, [1], (0, 1))[0] == "ENOMEM memory_exhausted"
    assert int(lab.state.free_frames) == 1


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"out.extent_order": 10}, "EPERM memory_exchange_order"),
        ({"nr_exchanged": 2}, "EINVAL memory_exchange_sizes"),
        ({"out.domid": 2}, "EINVAL memory_exchange_sizes"),
        ({"out.nr_extents": 2}, "EINVAL memory_exchange_sizes"),
        ({"in.nr_extents": 1 << 63, "out.nr_extents": 1 << 63, "in.extent_order": 1, "out.extent_order": 1},
         "EINVAL memory_exchange_sizes"),
        ({"in.domid": 2, "out.domid": 2}, "EPERM other_domain_denied"),
        ({"in.domid": 77, "out.domid": 77}, "ESRCH no_such_domain"),
        ({"in.extent_start": 1 << 47}, "EFAULT bad_guest_pointer"),
        ({"out.extent_start": 0xFFFF800000000000}, "EFAULT bad_guest_pointer"),
        ({"in.extent_start": NOWHERE}, "EFAULT bad_guest_pointer"),
    ],
)  # fmt: skip
def test_exchange_checks_its_argument(lab: Lab, more: dict[str, int], reason: str) -> None:
    assert exchange(lab, [lab.d1.frame()], [1], **more)[0] == reason


def test_exchange_is_continued(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hv.hypercalls.memory_op.BATCH", 2)
    old = [lab.d1.frame() for _ in range(5)]
    result, done, _ = exchange(lab, old, [1, 2, 3, 4, 5])
    assert (result, done) == (RETRY, 2)
    assert reservation.BATCH == 4096


# ---- questions ----


def test_questions(lab: Lab) -> None:
    d, v = lab.d1.c, lab.d1.vcpus[0]
    assert lab.call(v, "memory_op", [abi.XENMEM_maximum_ram_page, 0]) == 8192
    assert lab.call(v, "memory_op", [abi.XENMEM_maximum_ram_page | 64, 0]) == "EINVAL memory_progress"
    asked = {ARGUMENT >> 12: bytearray(abi.DOMID_SELF.to_bytes(2, "little")).ljust(4096)}
    assert lab.call(v, "memory_op", [abi.XENMEM_current_reservation, ARGUMENT], asked) == d.tot_pages
    assert lab.call(v, "memory_op", [abi.XENMEM_maximum_reservation, ARGUMENT], asked) == 6000
    assert lab.call(v, "memory_op", [abi.XENMEM_maximum_gpfn, ARGUMENT], asked) == 0
    lab.write(lab.d1.shared("arch.max_pfn"), (5000).to_bytes(8, "little"))
    assert lab.call(v, "memory_op", [abi.XENMEM_maximum_gpfn, ARGUMENT], asked) == 4999
    for written, told in ((1 << 63, (1 << 63) - 1), ((1 << 63) + 1, -1 << 63), ((1 << 64) - 1, -2)):
        lab.write(lab.d1.shared("arch.max_pfn"), written.to_bytes(8, "little"))
        assert lab.call(v, "memory_op", [abi.XENMEM_maximum_gpfn, ARGUMENT], asked) == told, "a C long"
    asked[ARGUMENT >> 12][0:2] = b"\2\0"
    assert lab.call(v, "memory_op", [abi.XENMEM_current_reservation, ARGUMENT], asked) == "EPERM other_domain_denied"
    asked[ARGUMENT >> 12][0:2] = b"\x77\0"
    assert lab.call(v, "memory_op", [abi.XENMEM_current_reservation, ARGUMENT], asked) == "ESRCH no_such_domain"
    assert lab.call(v, "memory_op", [abi.XENMEM_current_reservation, NOWHERE]) == "EFAULT bad_guest_pointer"


def test_machine_to_phys_table(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    result, mapping = lab.op(v, "memory_op", abi.XENMEM_machphys_mapping, "xen_machphys_mapping")
    assert result == 0 and mapping["v_start"] == 0xFFFF800000000000 and mapping["max_mfn"] == (0x4000000000 >> 3) - 1
    pages = memory("xen_machphys_mfn_list", max_extents=4, extent_start=LIST)
    assert op(lab, abi.XENMEM_machphys_mfn_list, pages) == 0
    assert listed(pages, 2) == [int(lab.state.m2p_frame), 0]
    assert abi.layout("xen_machphys_mfn_list").unpack(pages[ARGUMENT >> 12])["nr_extents"] == 1
    assert op(lab, abi.XENMEM_machphys_mfn_list, pages, start=1) == "ENOSYS unknown_subop"


def test_a_memory_map_can_be_set_and_read(lab: Lab) -> None:
    v, entry = lab.d1.vcpus[0], abi.layout("e820entry")
    pages = memory("xen_memory_map", nr_entries=5, buffer=LIST)
    assert op(lab, abi.XENMEM_memory_map, pages) == "ENOSYS memory_map_unset"
    regions = [{"addr": 0, "size": 640 << 10, "type": abi.E820_RAM}, {"addr": 1 << 20, "size": 1 << 30, "type": 1}]
    new = memory("xen_foreign_memory_map", domid=abi.DOMID_SELF, map={"nr_entries": 2, "buffer": LIST})
    new[LIST >> 12][0:40] = b"".join(entry.pack(r) for r in regions)
    assert op(lab, abi.XENMEM_set_memory_map, new) == 0
    assert op(lab, abi.XENMEM_memory_map, pages) == 0
    assert abi.layout("xen_memory_map").unpack(pages[ARGUMENT >> 12])["nr_entries"] == 2
    assert [entry.unpack(pages[LIST >> 12], 20 * i) for i in range(2)] == regions
    for fields, reason in [
        ({"domid": 2, "map": {"nr_entries": 1, "buffer": LIST}}, "EPERM other_domain_denied"),
        ({"domid": 1, "map": {"nr_entries": 129, "buffer": LIST}}, "EINVAL memory_map_entries"),
        ({"domid": 1, "map": {"nr_entries": 1, "buffer": NOWHERE}}, "EFAULT bad_guest_pointer"),
    ]:
        assert op(lab, abi.XENMEM_set_memory_map, memory("xen_foreign_memory_map", **fields)) == reason
    assert lab.call(v, "memory_op", [abi.XENMEM_machine_memory_map, ARGUMENT]) == "EPERM memory_control_only"


@pytest.mark.parametrize(
    ("sub", "struct", "fields", "reason"),
    [
        ("add_to_physmap", "xen_add_to_physmap", {"domid": abi.DOMID_SELF, "space": 1}, "EACCES memory_not_translated"),
        ("add_to_physmap", "xen_add_to_physmap", {"domid": 2}, "EPERM other_domain_denied"),
        ("add_to_physmap", "xen_add_to_physmap", {"domid": 99}, "ESRCH no_such_domain"),
        ("add_to_physmap", "xen_add_to_physmap", {"domid": 1, "space": 5}, "EACCES memory_device_space"),
        ("add_to_physmap", "xen_add_to_physmap", {"domid": 1, "space": 4}, "ENOSYS memory_foreign_space"),
        ("add_to_physmap_batch", "xen_add_to_physmap_batch", {"domid": 1}, "EACCES memory_not_translated"),
        ("add_to_physmap_batch", "xen_add_to_physmap_batch", {"domid": 1, "space": 3}, "EOPNOTSUPP memory_range_space"),
        ("add_to_physmap_batch", "xen_add_to_physmap_batch", {"idxs": 1 << 60}, "EFAULT bad_guest_pointer"),
        ("remove_from_physmap", "xen_remove_from_physmap", {"domid": 1, "gpfn": 1 << 50}, "ENOENT memory_no_such_page"),
        ("claim_pages", "xen_memory_reservation", {"nr_extents": 5}, "EPERM memory_control_only"),
        ("claim_pages", "xen_memory_reservation", {"extent_order": 1}, "EINVAL memory_claim"),
        ("get_vnumainfo", "xen_vnuma_topology_info", {"domid": 1}, "EOPNOTSUPP memory_no_vnuma"),
        ("get_vnumainfo", "xen_vnuma_topology_info", {"pad": 1}, "EINVAL memory_reserved_field"),
        ("set_pod_target", "xen_pod_target", {"domid": 1}, "EPERM memory_control_only"),
        ("get_pod_target", "xen_pod_target", {"domid": 44}, "ESRCH no_such_domain"),
        ("acquire_resource", "xen_mem_acquire_resource", {"domid": 1}, "EPERM memory_resource_self"),
        ("acquire_resource", "xen_mem_acquire_resource", {"domid": 2}, "EPERM memory_control_only"),
        ("acquire_resource", "xen_mem_acquire_resource", {"pad": 3}, "EINVAL memory_reserved_field"),
        ("reserved_device_memory_map", "xen_reserved_device_memory_map", {"flags": 2}, "EINVAL memory_reserved_field"),
        ("access_op", "xen_pod_target", {}, "EPERM memory_control_only"),
        ("paging_op", "xen_pod_target", {}, "EOPNOTSUPP memory_not_built_in"),
        ("sharing_op", "xen_pod_target", {}, "EOPNOTSUPP memory_not_built_in"),
    ],
)
def test_refusals(lab: Lab, sub: str, struct: str, fields: dict[str, int], reason: str) -> None:
    number = abi.constant(f"XENMEM_{sub}")
    assert op(lab, number, memory(struct, **fields)) == reason


def test_the_rest(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    result, _ = lab.op(v, "memory_op", abi.XENMEM_remove_from_physmap, "xen_remove_from_physmap",
                       domid=abi.DOMID_SELF, gpfn=lab.d1.frame())  # fmt: skip
    assert result == 0
    result, left = lab.op(v, "memory_op", abi.XENMEM_reserved_device_memory_map,
                          "xen_reserved_device_memory_map", flags=1, nr_entries=7)  # fmt: skip
    assert result == 0 and left["nr_entries"] == 0
    for sub in (abi.XENMEM_get_sharing_freed_pages, abi.XENMEM_get_sharing_shared_pages):
        assert lab.call(v, "memory_op", [sub, 0]) == 0
    for sub in (abi.XENMEM_translate_gpfn_list, 29, 63):
        assert lab.call(v, "memory_op", [sub, 0]) == "ENOSYS unknown_subop"
    late = [abi.XENMEM_add_to_physmap | 1 << 30, ARGUMENT]
    assert lab.call(v, "memory_op", late, memory()) == "EDOM memory_batch_progress"
