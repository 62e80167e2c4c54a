"""Mapping grants: references, pins and page-table entries, and each status."""

from __future__ import annotations

import pytest

from hv import abi, grant
from hv.native import lib
from tests.hypercalls.grant_bench import (
    ACCESS,
    DEVICE,
    FLAGS,
    HOST,
    PTE,
    READING,
    READONLY,
    RO,
    SELF,
    WRITING,
    Bench,
)
from tests.hypercalls.lab import Domain


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("version", [1, 2])
def test_map_and_unmap(bench: Bench, version: int) -> None:
    grant.set_version(bench.table, version)
    frame = bench.give(8)
    before = bench.snapshot()
    status, handle = bench.map(8)
    assert status == 0 and bench.pte(5) >> 12 & 0xFFFFFFFF == frame and bench.pte(5) & 2
    assert bench.table.status(8) & (READING | WRITING) == READING | WRITING
    assert bench.audit() == ""
    assert bench.unmap(handle) == 0 and bench.pte(5) == 0
    assert not bench.table.status(8) & (READING | WRITING)
    assert bench.snapshot() == before and bench.audit() == ""
    assert bench.unmap(handle) == abi.GNTST_bad_handle
    assert bench.reason == "grant_bad_handle"


def test_read_only_mapping(bench: Bench) -> None:
    bench.give(8, ACCESS | READONLY)
    assert bench.map(8)[0] == abi.GNTST_general_error
    status, handle = bench.map(8, HOST | RO)
    assert status == 0 and not bench.pte(5) & 2
    assert bench.table.status(8) & (READING | WRITING) == READING
    assert bench.map(8, HOST, 0x6000)[0] == abi.GNTST_general_error, "in use for reading: writing is judged anew"
    assert bench.unmap(handle) == 0


def test_one_grant_mapped_often(bench: Bench) -> None:
    bench.give(8)
    handles = [bench.map(8, HOST | (RO if i % 2 else 0), 0x1000 * (i + 1))[1] for i in range(6)]
    assert handles == list(range(6)) and bench.audit() == ""
    for i in (0, 2, 4):
        assert bench.unmap(handles[i], 0x1000 * (i + 1)) == 0
    assert bench.table.status(8) & (READING | WRITING) == READING, "the writers are gone"
    assert bench.map(8, HOST | RO, 0)[1] == 0, "the lowest free handle"
    for i in (1, 3, 5):
        assert bench.unmap(handles[i], 0x1000 * (i + 1)) == 0
    assert bench.unmap(0, 0) == 0, "an address of 0 leaves the host mapping alone"
    assert bench.table.status(8) & READING and bench.pte(0)


def test_mapping_by_entry(bench: Bench) -> None:
    frame = bench.give(8)
    at = (bench.l1 << 12) + 8 * 7
    status, handle = bench.map(8, HOST | PTE, at)
    assert status == 0 and bench.pte(7) >> 12 & 0xFFFFFFFF == frame
    assert bench.unmap(handle, at + 8) == abi.GNTST_general_error and bench.pte(7)
    assert bench.reason == "grant_unmap_address"
    assert bench.one("unmap_and_replace", handle=handle, host_addr=at, new_addr=0x1000) == abi.GNTST_general_error
    assert bench.unmap(handle, at) == 0 and not bench.pte(7)


def test_device_mapping(bench: Bench) -> None:
    frame = bench.give(8)
    before = bench.snapshot()
    _, (out,) = bench.gnt("map_grant_ref", {"ref": 8, "flags": DEVICE | HOST, "host_addr": 0x5000, "dom": 1})
    assert out["dev_bus_addr"] == frame << 12 and bench.audit() == ""
    assert bench.unmap(out["handle"], 0x5000, 0x1000) == abi.GNTST_general_error, "not its bus address"
    assert bench.reason == "grant_bus_address"
    assert bench.unmap(out["handle"], 0x5000) == 0 and bench.audit() == "", "the device half is still there"
    assert bench.unmap(out["handle"], 0, frame << 12) == 0
    assert bench.snapshot() == before and bench.unmap(out["handle"]) == abi.GNTST_bad_handle


def test_map_refusals(bench: Bench) -> None:
    bench.give(8)
    bench.give(9, to=1)
    bench.give(10, abi.GTF_accept_transfer)
    bench.give(11, frame=bench.d2.frame())
    bench.give(12, frame=0xFFFF_FFFF)
    bench.give(13, frame=int(bench.d1.c.grant_frame[0]))
    before = bench.snapshot()
    error, bad_page = abi.GNTST_general_error, abi.GNTST_bad_page
    expected = {
        (8, 0, 0x5000, 1): (abi.GNTST_bad_gntref, "grant_map_flags"),
        (8, HOST, 0x5000, 50): (abi.GNTST_bad_domain, "grant_no_domain"),
        (8, HOST, 0x5000, SELF): (abi.GNTST_bad_domain, "grant_no_domain"),     # Xen wants the number
        (512, HOST, 0x5000, 1): (abi.GNTST_bad_gntref, "grant_ref_range"),
        (0xFFFF_FFFF, HOST, 0x5000, 1): (abi.GNTST_bad_gntref, "grant_ref_range"),
        (9, HOST, 0x5000, 1): (error, "grant_not_given"),                       # for somebody else
        (10, HOST, 0x5000, 1): (error, "grant_not_given"),                      # another kind of grant
        (7, HOST, 0x5000, 1): (error, "grant_not_given"),                       # none
        (11, HOST, 0x5000, 1): (bad_page, "grant_frame"),                       # not the granter's
        (12, HOST, 0x5000, 1): (bad_page, "grant_frame"),
        (8, HOST, 0x20_0000, 1): (error, "grant_map_address"),                  # no L1 there
        (8, HOST, abi.HYPERVISOR_VIRT_START, 1): (error, "grant_map_address"),
        (8, HOST | PTE, bench.l1 << 12 | 4, 1): (error, "grant_map_address"),
        (8, HOST | PTE, bench.d1.frame() << 12, 1): (error, "grant_map_address"),
        (8, HOST | DEVICE, 0x20_0000, 1): (error, "grant_map_address"),
    }  # fmt: skip
    before = bench.snapshot()
    for arguments, (status, rule) in expected.items():
        assert (bench.map(*arguments)[0], bench.reason) == (status, rule), arguments
    assert bench.snapshot() == before and bench.audit() == ""
    assert not any(bench.table.status(ref) & (READING | WRITING) for ref in range(7, 14))


def test_a_page_table_cannot_be_mapped_writable(bench: Bench) -> None:
    table = bench.d1.frame()
    assert lib.hv_pin_table(bench.native, bench.d1.c, table, 1) == 0
    bench.give(8, frame=table)
    before = bench.snapshot()
    assert bench.map(8)[0] == abi.GNTST_general_error
    assert bench.map(8, DEVICE)[0] == abi.GNTST_general_error
    assert bench.reason == "grant_frame_type"
    assert bench.snapshot() == before
    assert bench.map(8, HOST | RO)[0] == 0 and bench.audit() == ""


def test_a_grant_in_use_cannot_be_bent(bench: Bench) -> None:
    frame = bench.give(8)
    _, handle = bench.map(8)
    bench.give(8, ACCESS | READONLY, to=9)  # the granter rewrites the entry, frame and all
    status, second = bench.map(8, HOST, 0x6000)
    assert status == 0 and bench.pte(6) >> 12 & 0xFFFFFFFF == frame, "what was agreed on holds"
    assert bench.unmap(second, 0x6000) == bench.unmap(handle) == 0
    assert bench.map(8)[0] == abi.GNTST_general_error and bench.audit() == ""


def test_pin_counters_do_not_overflow(bench: Bench) -> None:
    bench.give(8)
    handles = [bench.map(8, DEVICE | RO)[1] for _ in range(128)]
    assert bench.map(8, DEVICE | RO)[0] == abi.GNTST_general_error
    assert bench.reason == "grant_in_use"
    assert bench.table.active(8).pin == 128 << 16
    for handle in handles:
        assert bench.unmap(handle, 0, int(bench.table.entry(8).frame) << 12) == 0
    assert bench.table.active(8).pin == 0


def test_unmap_and_replace(bench: Bench) -> None:
    bench.give(8)
    own = bench.d2.frame()
    entry = (own << 12) | FLAGS
    assert lib.hv_get_page(bench.native, own, 2) == 0
    assert lib.hv_get_page_type(bench.native, bench.d2.c, own, lib.PGT_writable) == 0
    bench.write((bench.l1 << 12) + 8 * 9, entry.to_bytes(8, "little"))
    _, handle = bench.map(8)
    assert bench.one("unmap_and_replace", handle=handle, host_addr=0x5000, new_addr=0x9000) == 0
    assert bench.pte(5) == entry and bench.pte(9) == 0 and bench.audit() == ""
    gone = bench.one("unmap_and_replace", handle=handle, host_addr=0x5000, new_addr=0x9000)
    assert gone == abi.GNTST_bad_handle


def test_unmap_at_the_wrong_place(bench: Bench) -> None:
    bench.give(8)
    _, handle = bench.map(8)
    assert bench.unmap(handle, 0x6000) == abi.GNTST_general_error
    assert bench.unmap(1 << 31) == abi.GNTST_bad_handle
    assert bench.table.status(8) & READING and bench.unmap(handle) == 0


def test_map_to_self(bench: Bench) -> None:
    t = grant.table(bench.native, bench.d2.c)
    frame = bench.d2.frame()
    grant.permit(bench.native, bench.d2.c, 8, 2, frame)
    status, handle = bench.map(8, dom=2)
    assert status == 0 and t.status(8) & WRITING
    assert bench.unmap(handle) == 0 and bench.audit() == ""


def test_the_user_goes(bench: Bench) -> None:
    bench.give(8)
    bench.map(8, DEVICE | RO)
    bench.map(8, HOST)
    lib.hv_domain_destroy(bench.native, bench.d2.slot)
    assert bench.table.active(8).pin == 0 and not bench.table.status(8) & (READING | WRITING)
    assert bench.audit() == ""


def test_the_granter_goes(bench: Bench) -> None:
    frame = bench.give(8)
    bench.write(frame << 12, b"still here")
    handles = [bench.map(8, HOST)[1], bench.map(8, DEVICE)[1]]
    other = bench.map(8, DEVICE)[1]
    lib.hv_domain_destroy(bench.native, bench.d1.slot)
    assert bench.audit() == "" and bench.read(frame << 12, 10) == b"still here"
    assert lib.hv_domain_create(bench.native, 1, lib.DOMAIN_PV64, 10) < 0, "its number is not free while frames are"
    assert bench.unmap(other, 0, frame << 12) == 0
    assert bench.audit() == "", "the type reference went with the mapping, whoever owns the frame"
    assert bench.unmap(handles[0]) == 0 and bench.unmap(handles[1], 0, frame << 12) == 0
    assert bench.d2.c.maptrack_used == 0 and bench.audit() == ""
    assert lib.hv_pages(bench.native)[frame].owner == lib.OWNER_NONE, "the frame is free now"
    again = Domain(bench, 1, 1)
    assert grant.table(bench.native, again.c).active(8).pin == 0
