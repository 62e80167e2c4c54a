"""mmuext_op: pins, base pointers, linear page tables, the LDT, page operations and every refusal."""

from __future__ import annotations

import pytest

from hv import abi
from hv._native import ffi, lib
from tests.native.ptbench import MMUEXT, RW, SELF, Bench, Guest, P, name_of

PIN = {1: abi.MMUEXT_PIN_L1_TABLE, 2: abi.MMUEXT_PIN_L2_TABLE, 3: abi.MMUEXT_PIN_L3_TABLE, 4: abi.MMUEXT_PIN_L4_TABLE}
UNPIN = abi.MMUEXT_UNPIN_TABLE


def tree(g: Guest) -> list[int]:
    """A second L4 with one path down to a page: [page, l1, l2, l3, l4]."""
    frames = [g.alloc() for _ in range(5)]
    for level in range(1, 5):
        g.bench.poke(frames[level], 3, frames[level - 1] << 12 | P | RW)
    return frames


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_pin_and_unpin_each_level(bench: Bench, level: int) -> None:
    frames = tree(bench.g)
    assert bench.g.mmuext((PIN[level], frames[level], 0)) == ("ok", 1)
    for below in range(1, level + 1):
        assert bench.type_of(frames[below]) == (below, 1)
    assert bench.type_of(frames[0]) == (lib.PGT_writable, 1)
    assert bench.audit() == ""
    assert bench.g.mmuext((PIN[level], frames[level], 0)) == ("EINVAL", 0)
    assert bench.g.mmuext((UNPIN, frames[level], 0)) == ("ok", 1)
    assert [bench.type_of(f)[1] for f in frames] == [0] * 5
    assert [bench.refs(f) for f in frames] == [1] * 5
    assert bench.g.mmuext((UNPIN, frames[level], 0)) == ("EINVAL", 0)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_pin_of_the_wrong_thing(bench: Bench, level: int) -> None:
    for mfn in (bench.g.data[0], 0, 1, bench.frames - 1, bench.frames, 1 << 40, (1 << 64) - 1):
        assert bench.g.mmuext((PIN[level], mfn, 0)) == ("EINVAL", 0)
    for other in {1, 2, 3} - {level}:
        assert bench.g.mmuext((PIN[level], (0, bench.g.l1, bench.g.l2, bench.g.l3)[other], 0)) == ("EINVAL", 0)


def test_a_pinned_table_can_be_linked_and_keeps_its_pin(bench: Bench) -> None:
    frames = tree(bench.g)
    assert bench.g.mmuext((PIN[2], frames[2], 0)) == ("ok", 1)
    assert bench.g.mmuext((PIN[4], frames[4], 0)) == ("ok", 1)
    assert bench.type_of(frames[2]) == (lib.PGT_l2, 2)
    assert bench.g.mmuext((UNPIN, frames[4], 0)) == ("ok", 1)
    assert bench.type_of(frames[2]) == (lib.PGT_l2, 1)


def test_new_base_pointers(bench: Bench) -> None:
    g, frames = bench.g, tree(bench.g)
    bench.poke(frames[4], 0, g.l3 << 12 | P | RW)
    assert g.mmuext((abi.MMUEXT_NEW_USER_BASEPTR, frames[4], 0)) == ("ok", 1)
    assert g.v.cr3_user == frames[4] << 12
    assert g.mmuext((abi.MMUEXT_NEW_BASEPTR, frames[4], 0)) == ("ok", 1)
    assert bench.type_of(frames[4]) == (lib.PGT_l4, 2)
    assert bench.type_of(g.l4)[1] == 0
    assert g.mmuext((abi.MMUEXT_NEW_USER_BASEPTR, 0, 0)) == ("ok", 1)
    assert g.mmuext((abi.MMUEXT_NEW_BASEPTR, frames[4], 0)) == ("ok", 1)
    for bad in (0, g.data[0], frames[3], bench.frames):
        assert g.mmuext((abi.MMUEXT_NEW_BASEPTR, bad, 0)) == ("EINVAL", 0)
    assert g.v.cr3_kernel == frames[4] << 12


def test_xen_slots_are_cleared_in_a_new_l4(bench: Bench) -> None:
    """A linear entry would show the processor what lies there."""
    frames = tree(bench.g)
    for slot in range(255, 273):
        bench.poke(frames[4], slot, 1 << 12 | P | RW if slot in range(256, 272) else 0x1000)
    assert bench.g.mmuext((PIN[4], frames[4], 0)) == ("ok", 1)
    assert [bench.entry(frames[4], slot) for slot in range(256, 272)] == [0] * 16
    assert bench.entry(frames[4], 255) == bench.entry(frames[4], 272) == 0x1000


@pytest.mark.parametrize("level", [2, 3, 4])
def test_linear_entry_to_itself(bench: Bench, level: int) -> None:
    frames = tree(bench.g)
    table = frames[level]
    bench.poke(table, 9, table << 12 | P)
    assert bench.g.mmuext((PIN[level], table, 0)) == ("ok", 1)
    assert bench.type_of(table) == (level, 1)
    assert bench.g.mmu_update([(table << 12 | 9 << 3, 0)]) == ("ok", 1)
    assert bench.g.mmu_update([(table << 12 | 9 << 3, table << 12 | P | RW)]) == ("EINVAL", 0)
    assert bench.g.mmu_update([(table << 12 | 9 << 3, table << 12 | P)]) == ("ok", 1)
    assert bench.audit() == ""
    assert bench.g.mmuext((UNPIN, table, 0)) == ("ok", 1)


@pytest.mark.parametrize("level", [2, 3, 4])
def test_linear_entries_have_no_chains(bench: Bench, level: int) -> None:
    g = bench.g
    a, b, c = (tree(g)[level] for _ in range(3))
    for table in (a, b, c):
        assert g.mmuext((PIN[level], table, 0)) == ("ok", 1)
    assert g.mmu_update([(a << 12 | 9 << 3, b << 12 | P)]) == ("ok", 1)
    assert (bench.pages[a].linear_pt_count, bench.pages[b].linear_pt_count) == (1, -1)
    assert bench.type_of(b) == (level, 2)
    assert g.mmu_update([(b << 12 | 9 << 3, a << 12 | P)]) == ("EINVAL", 0)
    assert g.mmu_update([(b << 12 | 9 << 3, c << 12 | P)]) == ("EINVAL", 0)
    assert g.mmu_update([(c << 12 | 9 << 3, a << 12 | P)]) == ("EINVAL", 0)
    assert g.mmu_update([(c << 12 | 9 << 3, b << 12 | P)]) == ("ok", 1)
    assert bench.audit() == ""
    assert g.mmuext((UNPIN, b, 0)) == ("ok", 1)             # a and c still hold it
    assert bench.type_of(b) == (level, 2)
    assert g.mmuext((UNPIN, a, 0), (UNPIN, c, 0)) == ("ok", 2)
    assert bench.type_of(b)[1] == 0


@pytest.mark.parametrize(
    "cmd",
    ["TLB_FLUSH_LOCAL", "INVLPG_LOCAL", "TLB_FLUSH_MULTI", "INVLPG_MULTI", "TLB_FLUSH_ALL", "INVLPG_ALL"],
)
def test_flushes(bench: Bench, cmd: str) -> None:
    number = int(getattr(abi, f"MMUEXT_{cmd}"))
    bench.second()
    assert bench.g.mmuext((number, 0x1000, bench.g.data_va(0))) == ("ok", 1)
    bad_mask = ("EINVAL", 0) if cmd.endswith("MULTI") else ("ok", 1)
    assert bench.g.mmuext((number, 0x1000, 0x1F0000)) == bad_mask
    bench.g.c.privileged = 1
    assert bench.g.mmuext((number, 0x1000, 0), foreign=2) == ("EPERM", 0)


@pytest.mark.parametrize(
    ("cmd", "error"),
    [
        (abi.MMUEXT_FLUSH_CACHE, "EACCES"),
        (abi.MMUEXT_FLUSH_CACHE_GLOBAL, "EINVAL"),
        (abi.MMUEXT_MARK_SUPER, "EOPNOTSUPP"),
        (abi.MMUEXT_UNMARK_SUPER, "EOPNOTSUPP"),
        (14, "ENOSYS"),
        (21, "ENOSYS"),
        (0xFFFFFFFF, "ENOSYS"),
    ],
)
def test_refused_commands(bench: Bench, cmd: int, error: str) -> None:
    assert bench.g.mmuext((cmd, 0, 0)) == (error, 0)


@pytest.mark.parametrize(
    ("foreign", "error"), [(1, "ESRCH"), (77, "ESRCH"), (2, "EPERM"), (abi.DOMID_IO, "EPERM"), (abi.DOMID_XEN, "EPERM")]
)
def test_foreign_domains(bench: Bench, foreign: int, error: str) -> None:
    other = bench.second()
    assert bench.g.mmuext((PIN[1], other.l1, 0), foreign=foreign)[0] == error


def test_clear_and_copy_page(bench: Bench) -> None:
    g = bench.g
    src, dst = g.data[0], g.data[1]
    bench.write(src << 12, b"x" * 4096)
    assert g.mmuext((abi.MMUEXT_COPY_PAGE, dst, src)) == ("ok", 1)
    assert bench.read(dst << 12, 4096) == b"x" * 4096
    assert g.mmuext((abi.MMUEXT_CLEAR_PAGE, src, 0)) == ("ok", 1)
    assert bench.read(src << 12, 4096) == bytes(4096)
    assert g.mmuext((abi.MMUEXT_COPY_PAGE, dst, g.l1)) == ("ok", 1)          # reading a table is no harm
    other = bench.second()
    for bad in (g.l1, g.l4, 0, bench.frames - 1, bench.frames, other.data[0]):
        assert g.mmuext((abi.MMUEXT_CLEAR_PAGE, bad, 0)) == ("EINVAL", 0)
        assert g.mmuext((abi.MMUEXT_COPY_PAGE, bad, src)) == ("EINVAL", 0)
    assert g.mmuext((abi.MMUEXT_COPY_PAGE, dst, other.data[0])) == ("EINVAL", 0)


@pytest.mark.parametrize(
    ("base", "entries", "error"),
    [
        (0x10000, 16, "ok"),
        (0x10000, 8192, "ok"),
        (0x10000, 8193, "EINVAL"),
        (0x10008, 16, "EINVAL"),
        (0xFFFF800000000000, 16, "EINVAL"),
        (0x0000800000000000, 16, "EINVAL"),
        (0xFFFF800000000008, 0, "ok"),
    ],
)
def test_set_ldt(bench: Bench, base: int, entries: int, error: str) -> None:
    assert bench.g.mmuext((abi.MMUEXT_SET_LDT, base, entries))[0] == error
    assert bench.g.v.ldt_entries == (entries if error == "ok" else 0)


def test_operations_outside_guest_memory(bench: Bench) -> None:
    assert name_of(bench.g.call(MMUEXT, 0xFFFF800000000000, 1, 0, SELF)) == "EFAULT"
    assert name_of(bench.g.call(MMUEXT, 0x1F0000, 1, 0, SELF)) == "EFAULT"


def test_many_trees_are_continued(bench: Bench) -> None:
    trees = [tree(bench.g) for _ in range(16)]
    for frames in trees:
        assert bench.g.mmuext((PIN[4], frames[4], 0))[0] == "ok"
    ops = [(UNPIN, frames[4], 0) for frames in trees] + [(PIN[4], frames[4], 0) for frames in trees]
    assert bench.g.mmuext(*(ops * 4), *ops[:16]) == ("ok", 144)
    assert bench.retries >= 1


def test_destroyed_domain_gives_everything_back(bench: Bench) -> None:
    free = bench.state.free_frames
    other = bench.second()
    frames = tree(other)
    bench.poke(frames[4], 9, frames[4] << 12 | P)
    assert other.mmuext((PIN[4], frames[4], 0)) == ("ok", 1)
    assert other.mmuext((abi.MMUEXT_NEW_USER_BASEPTR, frames[4], 0)) == ("ok", 1)
    shared = lib.hv_alloc_shared_frame(bench.hv, 2)
    assert other.update_va(0x90000, shared << 12 | P | RW) == "ok"
    assert other.c.tot_pages == 28 + 5
    assert bench.audit() == ""
    lib.hv_domain_destroy(bench.hv, other.slot)
    assert bench.state.free_frames == free


def test_frames_are_given_lowest_first_and_clean(bench: Bench) -> None:
    a, b, c = (bench.g.alloc() for _ in range(3))
    assert b == a + 1
    assert c == a + 2
    bench.write(b << 12, b"secret")
    lib.hv_set_m2p(bench.hv, [b], 1, 99)
    lib.hv_free_frame(bench.hv, b)
    lib.hv_free_frame(bench.hv, b)                           # a second time is no event
    assert bench.audit() == ""
    assert lib.hv_get_m2p(bench.hv, b) == (1 << 64) - 1
    assert bench.g.alloc() == b
    assert bench.read(b << 12, 6) == bytes(6)
    out = ffi.new("uint64_t[]", bench.frames)
    left = bench.state.free_frames
    assert lib.hv_alloc_frames(bench.hv, 1, bench.frames, out) == left
    assert lib.hv_alloc_frame(bench.hv, 1) == (1 << 64) - 1


def test_a_freed_frame_that_is_mapped_stays(bench: Bench) -> None:
    g = bench.g
    mfn = g.alloc()
    assert g.update_va(0x80000, mfn << 12 | P | RW) == "ok"
    lib.hv_free_frame(bench.hv, mfn)
    assert bench.refs(mfn) == 1
    assert g.alloc() != mfn
    assert g.update_va(0x80000, 0) == "ok"
    assert g.alloc() == mfn
