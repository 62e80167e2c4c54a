"""Thousands of updates, most of them nearly valid, by two hostile domains; the books must balance all along."""

from __future__ import annotations

import random
import struct
from collections import Counter

import pytest

from hv import abi
from hv._native import ffi, lib
from tests.native.ptbench import (
    GLOBAL,
    MMU_UPDATE,
    MMUEXT,
    NX,
    PSE,
    REQUESTS,
    RETRY,
    RW,
    SELF,
    USER,
    A,
    Bench,
    D,
    Guest,
    P,
)

FLAGS = [P, P, P, P, P | RW, P | RW | USER, P | USER, P | A | D, P | RW | NX, P | GLOBAL, P | PSE, 0, A | D]
PINS = [
    abi.MMUEXT_PIN_L1_TABLE, abi.MMUEXT_PIN_L2_TABLE, abi.MMUEXT_PIN_L3_TABLE, abi.MMUEXT_PIN_L4_TABLE,
    abi.MMUEXT_UNPIN_TABLE, abi.MMUEXT_UNPIN_TABLE, abi.MMUEXT_CLEAR_PAGE, abi.MMUEXT_NEW_USER_BASEPTR,
]  # fmt: skip


class Fuzzer:
    """Draws operations for one domain. Its spare frames serve as tables of every level and as data."""

    def __init__(self, guest: Guest, other: Guest, rng: random.Random) -> None:
        self.g, self.other, self.rng = guest, other, rng
        self.spare = [guest.alloc() for _ in range(40)]
        self.levels = {frame: rng.randrange(1, 6) for frame in self.spare}
        self.results: Counter[str] = Counter()

    def frame(self, level: int) -> int:
        """A frame that could be meant for this level (5: data), mostly."""
        roll = self.rng.random()
        if roll < 0.05:
            return self.rng.choice([0, 1, self.g.bench.frames - 1, self.g.bench.frames, (1 << 40) - 1])
        if roll < 0.1:
            return self.rng.choice([self.other.l1, self.other.data[0], self.other.l4])
        if roll < 0.2:
            return self.rng.choice([self.g.l1, self.g.l2, self.g.l3, self.g.l4, *self.g.data])
        fitting = [frame for frame in self.spare if self.levels[frame] == level]
        return self.rng.choice(fitting if fitting and roll < 0.9 else self.spare)

    def update(self) -> tuple[int, int]:
        """One request of mmu_update."""
        level = self.rng.randrange(1, 6)
        table = self.frame(level)
        linear = self.rng.random() < 0.3
        target = self.frame(level if linear else level - 1 if level > 1 else 5)
        slot = self.rng.choice([0, 1, 2, 3, 255, 256, 271, 511, self.rng.randrange(512)])
        if (table == self.g.l1 and slot < 64) or (table in (self.g.l2, self.g.l3, self.g.l4) and slot == 0):
            slot = 300                       # keep the bench's own mappings
        command = self.rng.choices([0, 1, 2, 3, 5], [20, 2, 4, 1, 1])[0]
        return table << 12 | slot << 3 | command, target << 12 | self.rng.choice(FLAGS)

    def step(self) -> None:
        """One hypercall, or a frame given back and taken anew."""
        kind = self.rng.random()
        bench = self.g.bench
        if kind < 0.7:
            self.results[self.g.mmu_update([self.update() for _ in range(self.rng.randrange(1, 9))])[0]] += 1
        elif kind < 0.93:
            count = self.rng.randrange(1, 3)
            ops = [(self.rng.choice(PINS), self.frame(self.rng.randrange(1, 5)), 0) for _ in range(count)]
            self.results["ext " + self.g.mmuext(*ops)[0]] += 1
        elif kind < 0.98:
            va = self.rng.choice([0x100000, 0x150000, 0x400000])
            self.results["va " + self.g.update_va(va, self.frame(5) << 12 | self.rng.choice(FLAGS))] += 1
        else:
            i = self.rng.randrange(len(self.spare))
            lib.hv_free_frame(bench.hv, self.spare[i])
            self.spare[i] = self.g.alloc()
            self.levels.setdefault(self.spare[i], self.rng.randrange(1, 6))


def play(seed: int, limit: int | None, steps: int = 1500) -> tuple[Bench, Counter[str], list[object]]:
    """One game; with a work limit, hypercalls are interrupted and continued all the time."""
    bench = Bench(1024)
    if limit is not None:
        lib.hv_set_work_limit(bench.hv, limit)
    rng = random.Random(seed)
    second = bench.second()
    fuzzers = [Fuzzer(bench.g, second, rng), Fuzzer(second, bench.g, rng)]
    shapes: Counter[int | str] = Counter()
    for i in range(steps):
        fuzzers[rng.randrange(2)].step()
        if i % 25 == 0:
            assert bench.audit() == "", f"step {i}"
            shapes.update(level for frame in range(bench.frames) for level, count in [bench.type_of(frame)] if count)
            shapes["linear"] += sum(bench.pages[frame].linear_pt_count > 0 for frame in range(bench.frames))
    assert {1, 2, 3, 4, 7, "linear"} <= set(shapes), shapes
    counts: list[object] = [(bench.refs(f), bench.type_of(f), bench.pages[f].owner) for f in range(bench.frames)]
    for guest in (second, bench.g):
        lib.hv_domain_destroy(bench.hv, guest.slot)
        assert bench.audit() == ""
    assert bench.state.free_frames == bench.free_at_start
    return bench, fuzzers[0].results + fuzzers[1].results, counts


@pytest.mark.parametrize("seed", range(6))
def test_books_balance(seed: int) -> None:
    bench, seen, counts = play(seed, None)
    assert {"ok", "EINVAL", "EBUSY", "ENOSYS", "ext ok", "ext EINVAL", "va ok"} <= set(seen), seen
    # Interrupted at every opportunity, all comes out the same.
    interrupted, seen_then, counts_then = play(seed, 0)
    assert interrupted.retries > bench.retries + 200
    assert seen_then == seen
    assert counts_then == counts


class Caller:
    """One vcpu that makes hypercalls entry by entry: between two, others run."""

    def __init__(self, guest: Guest, number: int, fuzzer: Fuzzer) -> None:
        self.g, self.fuzzer = guest, fuzzer
        self.page = REQUESTS + 2 * number
        self.v = guest.v
        if number:
            slot = lib.hv_vcpu_create(guest.bench.hv, guest.slot, number)
            self.v = ffi.addressof(guest.bench.state.vcpus[slot])
            assert lib.hv_set_base_pointer(guest.bench.hv, self.v, guest.l4, False) == 0
        self.args = ffi.new("uint64_t[6]")
        self.nr = 0

    def enter(self) -> bool:
        """Begin a hypercall or carry one on; true when it is over."""
        bench, rng = self.g.bench, self.fuzzer.rng
        if not self.nr:
            if rng.random() < 0.6:
                updates = [self.fuzzer.update() for _ in range(rng.randrange(1, 9))]
                raw, count = b"".join(struct.pack("<QQ", *update) for update in updates), len(updates)
                self.nr = MMU_UPDATE
            else:
                count = rng.randrange(1, 4)
                ops = [(rng.choice(PINS), 0, self.fuzzer.frame(rng.randrange(1, 5)), 0) for _ in range(count)]
                raw = b"".join(struct.pack("<IIQQ", *op) for op in ops)
                self.nr = MMUEXT
            bench.write(self.g.data[self.page] << 12, raw)
            values = (self.g.data_va(self.page), count, self.g.data_va(self.page + 1), SELF)
            self.args[0:4] = values
        result = lib.hv_hypercall(bench.hv, self.v, self.nr, self.args)
        if result != RETRY:
            self.nr = 0
        return bool(result != RETRY)


@pytest.mark.parametrize("seed", range(8))
def test_interrupted_work_of_several_vcpus_meets(seed: int) -> None:
    bench = Bench(1024)
    lib.hv_set_work_limit(bench.hv, 0)
    rng = random.Random(seed)
    second = bench.second()
    callers = []
    for guest, other in ((bench.g, second), (second, bench.g)):
        fuzzer = Fuzzer(guest, other, rng)
        callers += [Caller(guest, 0, fuzzer), Caller(guest, 1, fuzzer)]
    ended = interrupted = partial = 0
    for i in range(2500):
        ended += callers[rng.randrange(4)].enter()
        if i % 3 == 0:
            assert bench.audit() == "", f"entry {i}"
            flags = [bench.pages[frame].ref_info for frame in range(bench.frames)]
            partial += any(info & lib.PGC_PARTIAL for info in flags)
            interrupted += any(caller.v.old_table for caller in callers)
    assert ended > 500
    assert partial > 50
    assert interrupted > 20
    for _ in range(5000):                          # domains go in the middle of it all
        if all(any(caller.v.old_table for caller in callers if caller.g is guest) for guest in (bench.g, second)):
            break
        callers[rng.randrange(4)].enter()
    else:
        pytest.fail("no table was left over")
    for guest in (second, bench.g) if seed & 1 else (bench.g, second):
        lib.hv_domain_destroy(bench.hv, guest.slot)
        assert bench.audit() == ""
    assert bench.state.free_frames == bench.free_at_start
