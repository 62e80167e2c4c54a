"""grant_table_op: the table, its versions, mapping and copying; each status and errno of each operation."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from hv import abi, grant
from hv.disposition import RETRY
from hv.native import lib
from tests.hypercalls.lab import ARGUMENT, Domain, Lab

SELF = abi.DOMID_SELF
ACCESS, READONLY, SUB_PAGE, TRANSITIVE = (
    abi.GTF_permit_access, abi.GTF_readonly, abi.GTF_sub_page, abi.GTF_transitive,
)  # fmt: skip
READING, WRITING = abi.GTF_reading, abi.GTF_writing
HOST, DEVICE, RO, PTE = (
    abi.GNTMAP_host_map, abi.GNTMAP_device_map, abi.GNTMAP_readonly, abi.GNTMAP_contains_pte,
)  # fmt: skip
FLAGS = 0x67  # a page-table entry: present, writable, user, accessed, dirty


class Bench(Lab):
    """`d1` grants, `d2` uses. d2 has page tables: an L1 that maps linear 0..2 MiB."""

    def __init__(self) -> None:
        super().__init__()
        self.user = self.d2.vcpus[0]
        levels = [self.d2.frame() for _ in range(4)]
        self.l1 = levels[0]
        for lower, upper in pairwise(levels):
            self.write(upper << 12, ((lower << 12) | FLAGS).to_bytes(8, "little"))
        assert lib.hv_set_base_pointer(self.native, self.user.c, levels[3], False) == 0
        self.table = grant.table(self.native, self.d1.c)
        grant.table(self.native, self.d2.c)

    def pte(self, index: int) -> int:
        return int.from_bytes(self.read((self.l1 << 12) + 8 * index, 8), "little")

    def snapshot(self) -> list[tuple[int, int]]:
        # A type lingers when its count is zero, as in Xen; the counts are what must come out even.
        pages = lib.hv_pages(self.native)
        counts = lib.PGT_COUNT_MASK
        return [(pages[i].ref_info, pages[i].type_info & counts) for i in range(self.state.frames)]

    def give(self, ref: int, flags: int = ACCESS, to: int = 2, frame: int | None = None) -> int:
        """Write entry `ref` of d1's table; the frame."""
        frame = self.d1.frame() if frame is None else frame
        data = flags.to_bytes(2, "little") + to.to_bytes(2, "little")
        if self.table.version == 1:
            data += frame.to_bytes(4, "little")
        else:
            data += bytes(4) + frame.to_bytes(8, "little")
        self.table.set_raw(ref, data)
        return frame

    def gnt(self, sub: str, *ops: dict[str, Any], d: Domain | None = None, count: int | None = None) -> Any:
        """One call; the result and the operations as they were left."""
        nr = getattr(abi, f"GNTTABOP_{sub}")
        layout = abi.layout(abi.SUBOPS["grant_table_op"][nr].argument)
        data = b"".join(layout.pack(op) for op in ops)
        memory = {(ARGUMENT >> 12): bytearray(data).ljust(4096, b"\0"), 0x77: bytearray(4096)}
        self.memory = memory
        v = (d or self.d2).vcpus[0]
        result = self.call(v, "grant_table_op", [nr, ARGUMENT, len(ops) if count is None else count], memory)
        page = memory[ARGUMENT >> 12]
        return result, [layout.unpack(page, i * layout.size) for i in range(len(ops))]

    def one(self, sub: str, d: Domain | None = None, **fields: Any) -> Any:
        """A call with one operation: its status, or the errno of the call."""
        result, (out,) = self.gnt(sub, fields, d=d)
        return out["status"] if result == 0 else result

    def map(self, ref: int, flags: int = HOST, at: int = 0x5000, dom: int = 1) -> tuple[int, int]:
        _, (out,) = self.gnt("map_grant_ref", {"ref": ref, "flags": flags, "host_addr": at, "dom": dom})
        return out["status"], out["handle"]

    def unmap(self, handle: int, at: int = 0x5000, bus: int = 0) -> Any:
        return self.one("unmap_grant_ref", handle=handle, host_addr=at, dev_bus_addr=bus)

    def copy(self, source: dict[str, Any], dest: dict[str, Any], length: int = 16, d: Domain | None = None) -> Any:
        flags = (abi.GNTCOPY_source_gref if "ref" in source["u"] else 0) | (
            abi.GNTCOPY_dest_gref if "ref" in dest["u"] else 0
        )
        return self.one("copy", d, source=source, dest=dest, len=length, flags=flags)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def by_ref(ref: int, offset: int = 0, dom: int = 1) -> dict[str, Any]:
    return {"u": {"ref": ref}, "domid": dom, "offset": offset}


def by_frame(frame: int, offset: int = 0, dom: int = SELF) -> dict[str, Any]:
    return {"u": {"gmfn": frame}, "domid": dom, "offset": offset}


# ---- the call itself ----


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
    assert setup(dom=9, nr_frames=1) == abi.GNTST_bad_domain
    assert setup(dom=1, nr_frames=1) == abi.GNTST_permission_denied
    assert bench.one("setup_table", dom=SELF, nr_frames=1, frame_list=0xBAD000) == abi.GNTST_bad_virt_addr
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
    assert bench.one("swap_grant_ref", bench.d1, ref_a=11, ref_b=10) == abi.GNTST_eagain


def test_transfer_is_refused(bench: Bench) -> None:
    assert bench.one("transfer", mfn=bench.d2.frame(), domid=1, ref=1) == abi.GNTST_bad_page


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


# ---- mapping ----


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
    assert bench.one("unmap_and_replace", handle=handle, host_addr=at, new_addr=0x1000) == abi.GNTST_general_error
    assert bench.unmap(handle, at) == 0 and not bench.pte(7)


def test_device_mapping(bench: Bench) -> None:
    frame = bench.give(8)
    before = bench.snapshot()
    _, (out,) = bench.gnt("map_grant_ref", {"ref": 8, "flags": DEVICE | HOST, "host_addr": 0x5000, "dom": 1})
    assert out["dev_bus_addr"] == frame << 12 and bench.audit() == ""
    assert bench.unmap(out["handle"], 0x5000, 0x1000) == abi.GNTST_general_error, "not its bus address"
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
    expected = {
        (8, 0, 0x5000, 1): abi.GNTST_bad_gntref,                  # no kind of mapping
        (8, HOST, 0x5000, 50): abi.GNTST_bad_domain,
        (8, HOST, 0x5000, SELF): abi.GNTST_bad_domain,            # Xen wants the number
        (512, HOST, 0x5000, 1): abi.GNTST_bad_gntref,
        (0xFFFF_FFFF, HOST, 0x5000, 1): abi.GNTST_bad_gntref,
        (9, HOST, 0x5000, 1): abi.GNTST_general_error,            # for somebody else
        (10, HOST, 0x5000, 1): abi.GNTST_general_error,           # another kind of grant
        (7, HOST, 0x5000, 1): abi.GNTST_general_error,            # no grant
        (11, HOST, 0x5000, 1): abi.GNTST_bad_page,                # not the granter's frame
        (12, HOST, 0x5000, 1): abi.GNTST_bad_page,
        (8, HOST, 0x20_0000, 1): abi.GNTST_general_error,         # no L1 there
        (8, HOST, abi.HYPERVISOR_VIRT_START, 1): abi.GNTST_general_error,
        (8, HOST | PTE, bench.l1 << 12 | 4, 1): abi.GNTST_general_error,
        (8, HOST | PTE, bench.d1.frame() << 12, 1): abi.GNTST_general_error,
        (8, HOST | DEVICE, 0x20_0000, 1): abi.GNTST_general_error,
    }  # fmt: skip
    before = bench.snapshot()
    for arguments, status in expected.items():
        assert bench.map(*arguments)[0] == status, arguments
    assert bench.snapshot() == before and bench.audit() == ""
    assert not any(bench.table.status(ref) & (READING | WRITING) for ref in range(7, 14))
    assert bench.refusals.noted, "each has its reason"


def test_a_page_table_cannot_be_mapped_writable(bench: Bench) -> None:
    table = bench.d1.frame()
    assert lib.hv_pin_table(bench.native, bench.d1.c, table, 1) == 0
    bench.give(8, frame=table)
    before = bench.snapshot()
    assert bench.map(8)[0] == abi.GNTST_general_error
    assert bench.map(8, DEVICE)[0] == abi.GNTST_general_error
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
    lib.hv_domain_destroy(bench.native, bench.d1.slot)
    assert bench.audit() == "" and bench.read(frame << 12, 10) == b"still here"
    assert lib.hv_domain_create(bench.native, 1, lib.DOMAIN_PV64, 10) < 0, "its number is not free while frames are"
    assert bench.unmap(handles[0]) == 0 and bench.unmap(handles[1], 0, frame << 12) == 0
    assert bench.d2.c.maptrack_used == 0 and bench.audit() == ""
    assert lib.hv_pages(bench.native)[frame].owner == lib.OWNER_NONE, "the frame is free now"
    again = Domain(bench, 1, 1)
    assert grant.table(bench.native, again.c).active(8).pin == 0


# ---- copying ----


@pytest.mark.parametrize("version", [1, 2])
def test_copy_by_grant(bench: Bench, version: int) -> None:
    grant.set_version(bench.table, version)
    source, dest = bench.give(8, ACCESS | READONLY), bench.d2.frame()
    bench.write((source << 12) + 100, b"sixteen bytes...")
    before = bench.snapshot()
    assert bench.copy(by_ref(8, 100), by_frame(dest, 200)) == 0
    assert bench.read((dest << 12) + 199, 18) == b"\0sixteen bytes...\0"
    assert bench.copy(by_frame(dest, 200), by_ref(8)) == abi.GNTST_general_error, "granted for reading"
    target = bench.give(9)
    before = bench.snapshot()
    assert bench.copy(by_frame(dest, 200), by_ref(9, 4080)) == 0
    assert bench.read((target << 12) + 4080, 16) == b"sixteen bytes..."
    assert bench.copy(by_ref(8, 100), by_ref(9, 0)) == 0, "from grant to grant"
    assert bench.snapshot() == before and not bench.table.status(9) & (READING | WRITING)
    assert bench.table.active(8).pin == bench.table.active(9).pin == 0


def test_copy_refusals(bench: Bench) -> None:
    bench.give(8)
    bench.give(9, to=1)
    bench.give(10, frame=bench.d2.frame())
    table = bench.d1.frame()
    assert lib.hv_pin_table(bench.native, bench.d1.c, table, 1) == 0
    bench.give(11, frame=table)
    mine = bench.d2.frame()
    cases = [
        (by_ref(8, 4081), by_frame(mine), abi.GNTST_bad_copy_arg),
        (by_ref(8), by_frame(mine, 4095), abi.GNTST_bad_copy_arg),
        (by_frame(mine, dom=1), by_ref(8), abi.GNTST_permission_denied),
        (by_ref(8), by_frame(mine, dom=1), abi.GNTST_permission_denied),
        (by_ref(8, dom=66), by_frame(mine), abi.GNTST_bad_domain),
        (by_frame(mine), by_ref(8, dom=66), abi.GNTST_bad_domain),
        (by_ref(512), by_frame(mine), abi.GNTST_bad_gntref),
        (by_ref(9), by_frame(mine), abi.GNTST_general_error),
        (by_ref(10), by_frame(mine), abi.GNTST_bad_page),
        (by_frame(1 << 40), by_ref(8), abi.GNTST_bad_page),
        (by_ref(8), by_frame(bench.d1.frame()), abi.GNTST_bad_page),
        (by_frame(mine), by_ref(11), abi.GNTST_general_error),      # a page table is not written to
        (by_ref(8), by_frame(bench.l1), abi.GNTST_general_error),
    ]
    before = bench.snapshot()
    for source, dest, status in cases:
        assert bench.copy(source, dest) == status, (source, dest)
    assert bench.snapshot() == before
    assert not any(bench.table.status(ref) & (READING | WRITING) for ref in (8, 9, 10, 11))


def test_sub_page_grants(bench: Bench) -> None:
    grant.set_version(bench.table, 2)
    frame, mine = bench.d1.frame(), bench.d2.frame()
    head = (ACCESS | SUB_PAGE).to_bytes(2, "little") + (2).to_bytes(2, "little")
    part = head + (100).to_bytes(2, "little") + (50).to_bytes(2, "little") + frame.to_bytes(8, "little")
    bench.table.set_raw(8, part)
    assert bench.map(8)[0] == abi.GNTST_general_error, "for copying only"
    assert bench.copy(by_ref(8, 100), by_frame(mine), 50) == 0
    for offset, length in ((99, 10), (100, 51), (149, 2), (200, 1)):
        assert bench.copy(by_ref(8, offset), by_frame(mine), length) == abi.GNTST_general_error
    assert bench.copy(by_frame(mine), by_ref(8, 149), 1) == 0


def test_transitive_grants(bench: Bench) -> None:
    third = Domain(bench, 3, 1)
    theirs = grant.table(bench.native, third.c)
    frame, mine = third.frame(), bench.d2.frame()
    bench.write(frame << 12, b"from the third..")
    grant.permit(bench.native, third.c, 20, 1, frame)
    grant.set_version(bench.table, 2)

    def forward(dom: int, ref: int) -> None:
        head = TRANSITIVE.to_bytes(2, "little") + (2).to_bytes(2, "little") + dom.to_bytes(2, "little") + bytes(2)
        bench.table.set_raw(8, head + ref.to_bytes(4, "little") + bytes(4))

    forward(3, 20)
    before = bench.snapshot()
    assert bench.copy(by_ref(8), by_frame(mine)) == 0
    assert bench.read(mine << 12, 16) == b"from the third.."
    assert bench.copy(by_frame(mine), by_ref(8)) == 0, "writing through it too"
    assert bench.snapshot() == before and theirs.active(20).pin == bench.table.active(8).pin == 0
    assert bench.map(8)[0] == abi.GNTST_general_error
    for dom, ref, status in ((1, 8, -1), (77, 20, -1), (3, 21, -1), (3, 512, abi.GNTST_bad_gntref)):
        forward(dom, ref)
        assert bench.copy(by_ref(8), by_frame(mine)) == status
        assert not bench.table.status(8) & (READING | WRITING)


def test_hostile_tables_and_operations(bench: Bench) -> None:
    """Random entries, random operations, entries rewritten in between: nothing is leaked and nothing
    breaks."""
    rng = random.Random(11)
    frames = [bench.d1.frame() for _ in range(4)] + [bench.d2.frame() for _ in range(2)]
    for version in (1, 2):
        grant.set_version(bench.table, version)
        size = 8 if version == 1 else 16
        live: list[tuple[int, int]] = []
        for _ in range(400):
            ref = rng.randrange(8, 20)
            flags = rng.choice([0, 1, 1, 1, 2, 3, 5, 0x101, rng.getrandbits(16)])
            entry = flags.to_bytes(2, "little") + rng.choice([1, 2, 2, 2, 9]).to_bytes(2, "little")
            tail = rng.choice([rng.choice(frames), rng.getrandbits(30)]).to_bytes(4, "little")
            bench.table.set_raw(ref, entry + (tail if version == 1 else rng.randbytes(4) + tail + bytes(4)))
            assert len(bench.table.raw(ref)) == size
            at = rng.randrange(1, 16) << 12
            match rng.randrange(4):
                case 0:
                    status, handle = bench.map(ref, rng.choice([1, 2, 2, 3, 6, 7]), at)
                    if status == 0:
                        live.append((handle, at))
                case 1 if live:
                    handle, where = live.pop(rng.randrange(len(live)))
                    m = grant.table(bench.native, bench.d2.c).maptrack(handle)
                    bench.unmap(handle, where, m.frame << 12)
                case 2:
                    bench.copy(by_ref(ref, rng.getrandbits(12)), by_ref(rng.randrange(25)), rng.getrandbits(12))
                case 3:
                    bench.copy(by_frame(rng.choice(frames)), by_ref(ref), rng.getrandbits(11))
        mine = grant.table(bench.native, bench.d2.c)
        for handle in range(200):
            m = mine.maptrack(handle)
            if m.flags:
                bench.unmap(handle, m.host_addr, m.frame << 12)
        assert bench.audit() == ""
        assert not any(bench.table.active(ref).pin for ref in range(bench.table.entries))
