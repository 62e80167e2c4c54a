"""mmu_update and update_va_mapping: every update that Xen refuses, and what accepted ones do to the counts."""

from __future__ import annotations

import struct

import pytest

from hv import abi
from hv._native import ffi, lib
from tests.native.ptbench import (
    DONE,
    GLOBAL,
    GUEST_KERNEL,
    NX,
    PCD,
    PSE,
    PWT,
    RW,
    SELF,
    UPDATE_VA_OTHER,
    USER,
    A,
    Bench,
    D,
    P,
    name_of,
)  # fmt: skip

L1_SLOT = 100


def l1_ptr(bench: Bench, slot: int = L1_SLOT) -> int:
    return bench.g.l1 << 12 | slot << 3


def test_writable_mapping_takes_both_references(bench: Bench) -> None:
    mfn = bench.g.alloc()
    assert bench.g.mmu_update([(l1_ptr(bench), mfn << 12 | P | RW | USER)]) == ("ok", 1)
    assert bench.type_of(mfn) == (lib.PGT_writable, 1)
    assert bench.refs(mfn) == 2
    assert bench.g.mmu_update([(l1_ptr(bench), 0)]) == ("ok", 1)
    assert bench.type_of(mfn) == (lib.PGT_writable, 0)
    assert bench.refs(mfn) == 1


def test_read_only_mapping_takes_no_type(bench: Bench) -> None:
    assert bench.g.mmu_update([(l1_ptr(bench), bench.g.l4 << 12 | P | USER)]) == ("ok", 1)
    assert bench.type_of(bench.g.l4) == (lib.PGT_l4, 1)
    assert bench.refs(bench.g.l4) == 3


@pytest.mark.parametrize(
    ("flags", "seen"),
    [
        (P | RW | USER, P | RW | USER | GLOBAL),
        (P | RW, P | RW | USER | GUEST_KERNEL),
        (P | RW | GLOBAL, P | RW | USER | GUEST_KERNEL | GLOBAL),
        (P | USER | NX | 0xE00, P | USER | NX | 0xE00 | GLOBAL),
        (P | USER | GUEST_KERNEL, P | USER | GUEST_KERNEL),
        (A | D, A | D),
    ],
)
def test_l1_entries_are_adjusted(bench: Bench, flags: int, seen: int) -> None:
    mfn = bench.g.alloc()
    assert bench.g.mmu_update([(l1_ptr(bench), mfn << 12 | flags)]) == ("ok", 1)
    assert bench.entry(bench.g.l1, L1_SLOT) == mfn << 12 | seen


def test_preserve_ad_keeps_the_bits(bench: Bench) -> None:
    mfn = bench.g.alloc()
    bench.g.mmu_update([(l1_ptr(bench), mfn << 12 | P | USER | A | D)])
    bench.g.mmu_update([(l1_ptr(bench) | abi.MMU_PT_UPDATE_PRESERVE_AD, mfn << 12 | P | USER)])
    assert bench.entry(bench.g.l1, L1_SLOT) & (A | D) == A | D
    bench.g.mmu_update([(l1_ptr(bench), mfn << 12 | P | USER)])
    assert bench.entry(bench.g.l1, L1_SLOT) & (A | D) == 0


# Each update is refused by this rule and changes no count. Values are made of the bench's frames.
REFUSED = {
    "writable mapping of a page table": (lambda b: (l1_ptr(b), b.g.l1 << 12 | P | RW), "l1e_writable"),
    "writable mapping of the L4": (lambda b: (l1_ptr(b), b.g.l4 << 12 | P | RW), "l1e_writable"),
    "a free frame": (lambda b: (l1_ptr(b), (b.frames - 1) << 12 | P), "l1e_owner"),
    "a frame of Xen's": (lambda b: (l1_ptr(b), 0 << 12 | P), "l1e_owner"),
    "no RAM": (lambda b: (l1_ptr(b), b.frames << 12 | P), "l1e_not_ram"),
    "INVALID_MFN": (lambda b: (l1_ptr(b), ((1 << 40) - 1) << 12 | P), "l1e_invalid_mfn"),
    "PAT": (lambda b: (l1_ptr(b), b.g.data[0] << 12 | P | PSE), "pte_flags"),
    "PCD": (lambda b: (l1_ptr(b), b.g.data[0] << 12 | P | PCD), "pte_flags"),
    "PWT": (lambda b: (l1_ptr(b), b.g.data[0] << 12 | P | PWT), "pte_flags"),
    "L2 entry to data in use": (lambda b: (b.g.l2 << 12 | 8, b.g.data[0] << 12 | P), "page_type"),
    "L2 entry to an L3": (lambda b: (b.g.l2 << 12 | 8, b.g.l3 << 12 | P), "page_type"),
    "L2 superpage": (lambda b: (b.g.l2 << 12 | 8, b.g.data[0] << 12 | P | PSE), "pte_flags"),
    "L2 GLOBAL": (lambda b: (b.g.l2 << 12 | 8, b.g.l1 << 12 | P | GLOBAL), "pte_flags"),
    "L2 entry to no RAM": (lambda b: (b.g.l2 << 12 | 8, b.frames << 12 | P), "page_owner"),
    "L3 superpage": (lambda b: (b.g.l3 << 12 | 8, b.g.data[0] << 12 | P | PSE), "pte_flags"),
    "L3 entry to an L1": (lambda b: (b.g.l3 << 12 | 8, b.g.l1 << 12 | P), "page_type"),
    "L4 entry to an L2": (lambda b: (b.g.l4 << 12 | 8, b.g.l2 << 12 | P), "page_type"),
    "L4 entry to Xen's frame": (lambda b: (b.g.l4 << 12 | 8, 1 << 12 | P), "page_owner"),
    "Xen's first L4 slot": (lambda b: (b.g.l4 << 12 | 256 << 3, b.g.l3 << 12 | P), "l4_xen_slot"),
    "Xen's last L4 slot": (lambda b: (b.g.l4 << 12 | 271 << 3, 0), "l4_xen_slot"),
    "writable linear L4": (lambda b: (b.g.l4 << 12 | 8, b.g.l4 << 12 | P | RW), "pte_linear"),
    "writable linear L2": (lambda b: (b.g.l2 << 12 | 8, b.g.l2 << 12 | P | RW), "pte_linear"),
    "entry in a free frame": (lambda b: ((b.frames - 1) << 12, 0), "mmu_update_frame"),
    "entry in Xen's frame": (lambda b: (1 << 12, 0), "mmu_update_frame"),
    "entry beyond RAM": (lambda b: (b.frames << 12, 0), "mmu_update_frame"),
    "M2P of a free frame": (lambda b: ((b.frames - 1) << 12 | abi.MMU_MACHPHYS_UPDATE, 1), "page_owner"),
    "M2P beyond RAM": (lambda b: (1 << 60 | abi.MMU_MACHPHYS_UPDATE, 1), "page_owner"),
    "an unknown command": (lambda b: (l1_ptr(b) | 4, 0), "mmu_update_command"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_update_changes_nothing(bench: Bench, what: str) -> None:
    make, rule = REFUSED[what]
    ptr, val = make(bench)
    bench.refusals()
    before = bench.counts()
    frame = ptr >> 12
    word = bench.entry(frame, (ptr >> 3) & 511) if frame < bench.frames else 0
    assert bench.g.mmu_update([(ptr, val)]) == (abi.RULES[rule].errno, 0)
    assert bench.refusals() == [rule]
    assert bench.counts() == before
    if frame < bench.frames:
        assert bench.entry(frame, (ptr >> 3) & 511) == word


def test_batch_ends_at_the_first_refusal(bench: Bench) -> None:
    good, bad = bench.g.alloc(), bench.g.l4
    updates = [
        (l1_ptr(bench, 100), good << 12 | P | RW),
        (l1_ptr(bench, 101), bad << 12 | P | RW),
        (l1_ptr(bench, 102), good << 12 | P),
    ]
    assert bench.g.mmu_update(updates) == ("EBUSY", 1)
    assert bench.entry(bench.g.l1, 102) == 0


@pytest.mark.parametrize(
    ("foreign", "error"),
    [
        (1, "ESRCH"),                          # the caller's own number is not DOMID_SELF
        (77, "ESRCH"),
        (2, "EPERM"),
        (abi.DOMID_XEN, "EPERM"),
        (SELF | (77 + 1) << 16, "ESRCH"),      # tables of domain 77
        (SELF | (2 + 1) << 16, "EPERM"),
        (SELF | (1 + 1) << 16, "ok"),
        (abi.DOMID_IO, "EBUSY"),               # RAM is not I/O memory
    ],
)
def test_foreign_domains(bench: Bench, foreign: int, error: str) -> None:
    bench.second()
    mfn = bench.g.alloc()
    result, done = bench.g.mmu_update([(l1_ptr(bench), mfn << 12 | P)], foreign)
    assert result == error
    assert done == {"ok": 1, "ESRCH": 0 if foreign >> 16 == 0 else 0xFFFFFFFF}.get(error, 0)


def test_a_foreign_domain_is_out_of_reach(bench: Bench) -> None:
    other = bench.second()
    assert bench.g.mmu_update([(other.l1 << 12 | 800, 0)]) == ("EINVAL", 0)
    assert bench.g.mmu_update([(l1_ptr(bench), other.data[0] << 12 | P)]) == ("EBUSY", 0)
    assert bench.g.mmu_update([(bench.g.l2 << 12 | 8, other.l1 << 12 | P)]) == ("EINVAL", 0)
    assert bench.g.mmu_update([(other.data[0] << 12 | abi.MMU_MACHPHYS_UPDATE, 5)]) == ("EINVAL", 0)


def test_new_table_is_validated_and_put_back(bench: Bench) -> None:
    table, mfn = bench.g.alloc(), bench.g.alloc()
    bench.poke(table, 7, mfn << 12 | P | RW)
    assert bench.g.mmu_update([(bench.g.l2 << 12 | 8, table << 12 | P | RW)]) == ("ok", 1)
    assert bench.type_of(table) == (lib.PGT_l1, 1)
    assert bench.type_of(mfn) == (lib.PGT_writable, 1)
    assert bench.entry(bench.g.l2, 1) & USER
    assert bench.g.mmu_update([(bench.g.l2 << 12 | 8, 0)]) == ("ok", 1)
    assert bench.type_of(table)[1] == 0
    assert bench.refs(mfn) == 1


def test_bad_entry_deep_in_a_tree_rolls_back(bench: Bench) -> None:
    l3, l2, l1, good = (bench.g.alloc() for _ in range(4))
    bench.poke(l3, 5, l2 << 12 | P)
    bench.poke(l2, 6, l1 << 12 | P)
    for slot in range(300):
        bench.poke(l1, slot, good << 12 | P | RW | USER | GLOBAL)
    bench.poke(l1, 300, bench.g.l4 << 12 | P | RW)
    before = [bench.refs(f) for f in range(bench.frames)], [bench.type_of(f)[1] for f in range(bench.frames)]
    assert bench.g.mmu_update([(bench.g.l4 << 12 | 8, l3 << 12 | P)]) == ("EBUSY", 0)
    after = [bench.refs(f) for f in range(bench.frames)], [bench.type_of(f)[1] for f in range(bench.frames)]
    assert before == after


def test_memory_that_is_no_table_is_just_written(bench: Bench) -> None:
    assert bench.g.mmu_update([(bench.g.data[3] << 12 | 16, 0xDEADBEEF)]) == ("ok", 1)
    assert bench.entry(bench.g.data[3], 2) == 0xDEADBEEF
    free_to_use = bench.g.alloc()
    assert bench.g.mmu_update([(free_to_use << 12, bench.g.l4 << 12 | P | RW)]) == ("ok", 1)
    assert bench.type_of(free_to_use)[1] == 0


def test_machphys(bench: Bench) -> None:
    mfn = bench.g.data[4]
    assert bench.g.mmu_update([(mfn << 12 | abi.MMU_MACHPHYS_UPDATE, 0x1234)]) == ("ok", 1)
    assert lib.hv_get_m2p(bench.hv, mfn) == 0x1234


def test_batch_pointer_and_done_pointer(bench: Bench) -> None:
    assert name_of(bench.g.call(1, 0xFFFF800000000000, 1, 0, SELF)) == "EFAULT"
    assert name_of(bench.g.call(1, 0x1F0000, 1, 0, SELF)) == "EFAULT"
    assert name_of(bench.g.call(1, 0x1F0000, 0, 0, SELF)) == "ok"
    assert name_of(bench.g.call(1, bench.g.data_va(0), 1, 0x1F0000, SELF)) in ("EINVAL", "ok")


def test_long_batches_are_continued(bench: Bench) -> None:
    mfn = bench.g.alloc()
    tables = [bench.g.alloc() for _ in range(2)]
    updates = [(bench.g.l2 << 12 | 8, tables[i & 1] << 12 | P) for i in range(250)]
    for table in tables:
        for slot in range(512):
            bench.poke(table, slot, mfn << 12 | P)
    assert bench.g.mmu_update(updates) == ("ok", 250)
    assert bench.retries >= 1


def test_update_va_mapping(bench: Bench) -> None:
    mfn, va = bench.g.alloc(), L1_SLOT << 12
    assert bench.g.update_va(va, mfn << 12 | P | RW, abi.UVMF_INVLPG | abi.UVMF_ALL) == "ok"
    assert bench.entry(bench.g.l1, L1_SLOT) == mfn << 12 | P | RW | USER | GUEST_KERNEL
    assert bench.g.update_va(va, bench.g.l1 << 12 | P | RW) == "EBUSY"
    assert bench.g.update_va(va, 0, abi.UVMF_TLB_FLUSH | abi.UVMF_LOCAL) == "ok"


@pytest.mark.parametrize("va", [0x200000, 0xFFFF800000000000, 0x0000900000000000, 0xFFFF880000000000])
def test_update_va_mapping_without_a_table(bench: Bench, va: int) -> None:
    assert bench.g.update_va(va, 0) == "EINVAL"


def test_update_va_mapping_flush_mask(bench: Bench) -> None:
    assert bench.g.update_va(L1_SLOT << 12, 0, abi.UVMF_INVLPG | bench.g.data_va(0)) == "ok"
    assert bench.g.update_va(L1_SLOT << 12, 0, abi.UVMF_INVLPG | 0x1F0000) == "EFAULT"
    assert bench.g.update_va(L1_SLOT << 12, 0, 0x1F0000) == "ok"


def test_update_va_mapping_through_a_linear_entry(bench: Bench) -> None:
    """With a linear L2 entry the "L1 table" of some addresses is the L2: not for this hypercall."""
    assert bench.g.mmu_update([(bench.g.l2 << 12 | 511 << 3, bench.g.l2 << 12 | P)]) == ("ok", 1)
    assert bench.g.update_va(511 << 21, 0) == "EINVAL"


def test_update_va_mapping_otherdomain(bench: Bench) -> None:
    other = bench.second()
    args = (L1_SLOT << 12, other.data[0] << 12 | P, 0)
    assert name_of(bench.g.call(UPDATE_VA_OTHER, *args, 2)) == "EPERM"
    assert name_of(bench.g.call(UPDATE_VA_OTHER, *args, 1)) == "ESRCH"
    assert name_of(bench.g.call(UPDATE_VA_OTHER, *args, SELF)) == "EBUSY"
    bench.g.c.privileged = 1
    assert name_of(bench.g.call(UPDATE_VA_OTHER, *args, 2)) == "ok"
    assert bench.refs(other.data[0]) == 3


def test_done_is_written_beside_an_error(bench: Bench) -> None:
    bench.g.mmu_update([(l1_ptr(bench), 0), (l1_ptr(bench) | 5, 0)])
    assert bench.read(bench.g.data[DONE] << 12, 4) == b"\1\0\0\0"


def test_copies_follow_the_guests_rights(bench: Bench) -> None:
    g = bench.g
    out = ffi.new("char[8192]")
    ro = g.alloc()
    g.update_va(0x80000, ro << 12 | P)
    assert lib.hv_copy_to_guest(bench.hv, g.v, 0x80000, b"x", 1) < 0
    assert lib.hv_copy_from_guest(bench.hv, g.v, out, 0x80000, 4096) == 0
    assert lib.hv_copy_from_guest(bench.hv, g.v, out, 0x80FFF, 2) < 0
    assert lib.hv_copy_from_guest(bench.hv, g.v, out, 0xFFFF800000000000, 8) < 0
    assert lib.hv_copy_to_guest(bench.hv, g.v, g.data_va(0) + 4090, b"twelve bytes", 12) == 0
    assert bench.read((g.data[0] << 12) + 4090, 6) == b"twelve"
    assert bench.read(g.data[1] << 12, 6) == b" bytes"
    assert bench.entry(g.l1, 0x10) & (A | D) == A | D
    g.v.kernel_mode = 0                        # no user page table: nothing is mapped
    assert lib.hv_copy_from_guest(bench.hv, g.v, out, g.data_va(0), 1) < 0
    g.v.kernel_mode = 1


def test_a_batch_that_moves_the_page_it_is_read_from(bench: Bench) -> None:
    g = bench.g
    page, replaced = g.data[10], g.alloc()
    entry = g.l1 << 12 | 0x1A << 3
    move = struct.pack("<QQ", entry, replaced << 12 | P | RW)
    for frame, slot in ((page, 100), (replaced, 101)):
        bench.write(frame << 12, move + struct.pack("<QQ", l1_ptr(bench, slot), g.data[11] << 12 | P))
    assert name_of(g.call(1, g.data_va(10), 2, 0, SELF)) == "ok"
    assert (bench.entry(g.l1, 100) & P, bench.entry(g.l1, 101) & P) == (0, 1)


def test_tables_of_a_domain_without_a_vcpu(bench: Bench) -> None:
    slot = lib.hv_domain_create(bench.hv, 9, lib.DOMAIN_PV64, 16)
    bench.refusals()
    assert bench.g.mmu_update([(l1_ptr(bench), 0)], SELF | (9 + 1) << 16) == ("EINVAL", 0)
    assert bench.refusals() == ["mmu_update_no_vcpu"]
    lib.hv_domain_destroy(bench.hv, slot)
