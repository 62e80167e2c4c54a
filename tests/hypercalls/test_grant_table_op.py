"""grant_table_op: the call itself, the table and its versions; each status and errno."""

from __future__ import annotations

from typing import Any

import pytest

from hv import abi, grant
from hv.disposition import RETRY
from hv.native import lib
from tests.hypercalls.grant_bench import (
    ACCESS,
    HOST,
    READONLY,
    SELF,
    TRANSITIVE,
    Bench,
)
from tests.hypercalls.lab import ARGUMENT


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_call_checks(bench: Bench) -> None:
    v = bench.user
    for sub in range(14):
        assert bench.call(v, "grant_table_op", [sub, 0, 1 << 31]) == "EINVAL grant_count"
    for sub in (abi.GNTTABOP_dump_table, 13, 99):
        assert bench.call(v, "grant_table_op", [sub, 0, 1]) == "ENOSYS grant_no_subop"
    flagged = abi.GNTTABOP_copy | 1 << 12
    assert bench.call(v, "grant_table_op", [flagged, 0, 1]) == "EINVAL invalid_subop"
    for sub in set(abi.SUBOPS["grant_table_op"]) - {abi.GNTTABOP_dump_table}:
        assert bench.call(v, "grant_table_op", [sub, 0x100_0000, 1]) == "EFAULT bad_guest_pointer", sub
    for sub in ("setup_table", "query_size", "get_status_frames"):
        assert bench.call(v, "grant_table_op", [getattr(abi, f"GNTTABOP_{sub}"), ARGUMENT, 2]) == "EINVAL grant_count"


def test_long_batches_continue(bench: Bench) -> None:
    layout = abi.layout("gnttab_swap_grant_ref")
    memory = {(ARGUMENT >> 12) + i: bytearray(4096) for i in range(2)}
    count = 300
    for i in range(count):
        memory[1 + i * layout.size // 4096][i * layout.size % 4096 :][:1] = b"\0"
    args = [abi.GNTTABOP_swap_grant_ref, ARGUMENT, count]
    assert bench.call(bench.user, "grant_table_op", args, memory) is RETRY
    assert args[1:3] == [ARGUMENT + 128 * layout.size, count - 128]


# ---- the table ----


def test_setup_table(bench: Bench) -> None:
    def setup(**fields: Any) -> Any:
        return bench.one("setup_table", frame_list=0x77000, **fields)

    assert setup(dom=SELF, nr_frames=3) == 0
    frames = [int.from_bytes(bench.memory[0x77][i : i + 8], "little") for i in (0, 8, 16)]
    assert frames == list(bench.d2.c.grant_frame[0:3]) and len(set(frames)) == 3
    assert setup(dom=2, nr_frames=1) == 0 and bench.d2.c.grant_frames == 3, "a table does not shrink"
    assert setup(dom=SELF, nr_frames=65) == abi.GNTST_general_error
    assert bench.reason == "grant_too_many_frames"
    assert setup(dom=9, nr_frames=1) == abi.GNTST_bad_domain
    assert setup(dom=1, nr_frames=1) == abi.GNTST_permission_denied
    assert bench.reason == "grant_other_domain"
    assert bench.one("setup_table", dom=SELF, nr_frames=1, frame_list=0xBAD000) == abi.GNTST_bad_virt_addr
    assert bench.reason == "grant_frame_list"
    assert setup(dom=SELF, nr_frames=64) == 0
    assert grant.table(bench.native, bench.d2.c).entries == 64 * 512


def test_query_size(bench: Bench) -> None:
    _, (out,) = bench.gnt("query_size", {"dom": SELF})
    assert (out["status"], out["nr_frames"], out["max_nr_frames"]) == (0, 1, 64)
    assert bench.one("query_size", dom=1) == abi.GNTST_permission_denied
    assert bench.one("query_size", dom=44) == abi.GNTST_bad_domain


def test_versions(bench: Bench) -> None:
    def set_version(version: int) -> tuple[Any, int]:
        result, (out,) = bench.gnt("set_version", {"version": version}, d=bench.d1)
        return result, out["version"]

    bench.give(1)
    bench.give(20)
    assert set_version(3) == ("EINVAL grant_version_unknown", 1)
    assert set_version(2) == (0, 2)
    assert bench.table.entry(1).kind == ACCESS and bench.table.entry(20).flags == 0, "only reserved entries are kept"
    result, (out,) = bench.gnt("get_version", {"dom": SELF}, d=bench.d1)
    assert (result, out["version"]) == (0, 2)
    assert bench.gnt("get_version", {"dom": 1})[0] == "EPERM other_domain_denied"
    assert bench.gnt("get_version", {"dom": 50})[0] == "ESRCH grant_no_domain"
    bench.give(20)
    status, handle = bench.map(20, HOST)
    assert status == 0 and set_version(1) == ("EBUSY grant_version_in_use", 2)
    bench.unmap(handle)
    bench.give(2, TRANSITIVE)
    assert set_version(1) == ("ERANGE grant_version_entry", 2)
    bench.give(2, ACCESS, frame=1 << 33)
    assert set_version(1) == ("ERANGE grant_version_entry", 2)
    bench.give(2, 0, frame=0)
    assert set_version(1) == (0, 1) and bench.table.entry(1).kind == ACCESS
    assert bench.audit() == ""


def test_status_frames(bench: Bench) -> None:
    def ask(**fields: Any) -> Any:
        return bench.one("get_status_frames", frame_list=0x77000, **fields)

    assert ask(dom=SELF, nr_frames=1) == abi.GNTST_general_error, "version 1 has none"
    bench.gnt("set_version", {"version": 2})
    assert ask(dom=SELF, nr_frames=1) == 0
    assert int.from_bytes(bench.memory[0x77][0:8], "little") == bench.d2.c.grant_status_frame[0]
    assert ask(dom=SELF, nr_frames=2) == abi.GNTST_general_error
    assert ask(dom=1, nr_frames=1) == abi.GNTST_permission_denied
    assert ask(dom=9, nr_frames=1) == abi.GNTST_bad_domain
    bad = bench.one("get_status_frames", dom=SELF, nr_frames=1, frame_list=0xBAD000)
    assert bad == abi.GNTST_bad_virt_addr
    bench.gnt("setup_table", {"dom": SELF, "nr_frames": 9, "frame_list": 0x77000})
    assert bench.d2.c.grant_status_frames == 2


def test_swap(bench: Bench) -> None:
    a, b = bench.give(10), bench.give(11, ACCESS | READONLY)
    assert bench.one("swap_grant_ref", bench.d1, ref_a=10, ref_b=11) == 0
    assert (bench.table.entry(10).frame, bench.table.entry(11).frame) == (b, a)
    assert bench.one("swap_grant_ref", bench.d1, ref_a=10, ref_b=512) == abi.GNTST_bad_gntref
    assert bench.one("swap_grant_ref", bench.d1, ref_a=512, ref_b=1) == abi.GNTST_bad_gntref
    bench.map(11)
    assert bench.one("swap_grant_ref", bench.d1, ref_a=10, ref_b=11) == abi.GNTST_eagain
    assert bench.reason == "grant_swap_in_use"
    assert bench.one("swap_grant_ref", bench.d1, ref_a=11, ref_b=10) == abi.GNTST_eagain


def test_transfer_is_refused(bench: Bench) -> None:
    assert bench.one("transfer", mfn=bench.d2.frame(), domid=1, ref=1) == abi.GNTST_bad_page
    assert bench.reason == "grant_transfer"


def test_cache_flush(bench: Bench) -> None:
    clean, invalidate = abi.GNTTAB_CACHE_CLEAN, abi.GNTTAB_CACHE_INVAL

    def flush(frame: int, op: int = clean, offset: int = 0, length: int = 64) -> Any:
        a = {"dev_bus_addr": frame << 12}
        return bench.gnt("cache_flush", {"a": a, "op": op, "offset": offset, "length": length})[0]

    mine, theirs = bench.d2.frame(), bench.give(9)
    assert flush(mine) == 0 and flush(mine, clean | invalidate) == 0
    assert flush(mine, invalidate) == "EOPNOTSUPP grant_cache_invalidate"
    assert flush(mine, clean | abi.GNTTAB_CACHE_SOURCE_GREF) == "EOPNOTSUPP grant_cache_by_ref"
    assert flush(mine, 4) == "EINVAL grant_cache_op"
    assert flush(mine, clean, 4096, 0) == "EINVAL grant_cache_range"
    assert flush(mine, clean, 4000, 97) == "EINVAL grant_cache_range"
    assert flush(1 << 40) == "EINVAL grant_cache_frame"
    assert flush(theirs) == "EINVAL grant_cache_frame"
    assert bench.map(9)[0] == 0 and flush(theirs) == 0
    assert flush(int(bench.state.frames) - 1) == "EPERM grant_cache_owner"


def test_no_handle_and_no_memory(bench: Bench) -> None:
    bench.give(8)
    mine = grant.table(bench.native, bench.d2.c)
    mine.maptrack(0).next = lib.HV_MAX_MAPTRACK  # as if all below were in use
    assert bench.map(8)[0] == abi.GNTST_no_device_space and bench.reason == "grant_no_handle"
    while lib.hv_alloc_frame(bench.native, 2) != 2**64 - 1:
        pass
    status = bench.one("setup_table", dom=SELF, nr_frames=9, frame_list=0x77000)
    assert status == abi.GNTST_general_error and bench.reason == "grant_no_memory"
    assert bench.gnt("set_version", {"version": 2})[0] == "ENOMEM grant_no_memory" and mine.version == 1


def test_mapped_status_frames_stay(bench: Bench) -> None:
    t = grant.table(bench.native, bench.d2.c)
    grant.set_version(t, 2)
    assert lib.hv_get_page(bench.native, int(t.d.grant_status_frame[0]), 2) == 0  # as a mapping does
    assert bench.gnt("set_version", {"version": 1})[0] == "EBUSY grant_status_mapped" and t.version == 2
    lib.hv_put_page(bench.native, int(t.d.grant_status_frame[0]))
    assert bench.gnt("set_version", {"version": 1})[0] == 0 and bench.audit() == ""
