"""Copying by grants, and a granter that rewrites its table all the time."""

from __future__ import annotations

import random

import pytest

from hv import abi, grant
from hv.native import lib
from tests.hypercalls.grant_bench import (
    ACCESS,
    READING,
    READONLY,
    SUB_PAGE,
    TRANSITIVE,
    WRITING,
    Bench,
    by_frame,
    by_ref,
)
from tests.hypercalls.lab import Domain


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("version", [1, 2])
def test_copy_by_grant(bench: Bench, version: int) -> None:
    grant.set_version(bench.table, version)
    source, dest = bench.give(8, ACCESS | READONLY), bench.d2.frame()
    bench.write((source << 12) + 100, b"sixteen bytes...")
    before = bench.snapshot()
    assert bench.copy(by_ref(8, 100), by_frame(dest, 200)) == 0
    assert bench.read((dest << 12) + 199, 18) == b"\0sixteen bytes...\0"
    assert bench.copy(by_frame(dest, 200), by_ref(8)) == abi.GNTST_general_error, "granted for reading"
    assert bench.reason == "grant_read_only"
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
    error, denied, nobody = abi.GNTST_general_error, abi.GNTST_permission_denied, abi.GNTST_bad_domain
    cases = [
        (by_ref(8, 4081), by_frame(mine), abi.GNTST_bad_copy_arg, "grant_copy_page"),
        (by_ref(8), by_frame(mine, 4095), abi.GNTST_bad_copy_arg, "grant_copy_page"),
        (by_frame(mine, dom=1), by_ref(8), denied, "grant_copy_foreign_frame"),
        (by_ref(8), by_frame(mine, dom=1), denied, "grant_copy_foreign_frame"),
        (by_ref(8, dom=66), by_frame(mine), nobody, "grant_no_domain"),
        (by_frame(mine), by_ref(8, dom=66), nobody, "grant_no_domain"),
        (by_ref(512), by_frame(mine), abi.GNTST_bad_gntref, "grant_ref_range"),
        (by_ref(9), by_frame(mine), error, "grant_not_given"),
        (by_ref(10), by_frame(mine), abi.GNTST_bad_page, "grant_frame"),
        (by_frame(1 << 40), by_ref(8), abi.GNTST_bad_page, "grant_frame"),
        (by_ref(8), by_frame(bench.d1.frame()), abi.GNTST_bad_page, "grant_frame"),
        (by_frame(mine), by_ref(11), error, "grant_frame_type"),      # a page table is not written to
        (by_ref(8), by_frame(bench.l1), error, "grant_frame_type"),
    ]  # fmt: skip
    before = bench.snapshot()
    for source, dest, status, rule in cases:
        assert (bench.copy(source, dest), bench.reason) == (status, rule), (source, dest)
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
        assert bench.reason == "grant_copy_bounds"
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
    grant.set_version(theirs, 2)
    twice = TRANSITIVE.to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(12)
    theirs.set_raw(22, twice)
    cases = [
        (1, 8, -1, "grant_transitive_domain"), (77, 20, -1, "grant_transitive_domain"),
        (3, 21, -1, "grant_not_given"), (3, 512, abi.GNTST_bad_gntref, "grant_ref_range"),
        (3, 22, -1, "grant_transitive_twice"),
    ]  # fmt: skip
    for dom, ref, status, rule in cases:
        forward(dom, ref)
        assert (bench.copy(by_ref(8), by_frame(mine)), bench.reason) == (status, rule)
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
