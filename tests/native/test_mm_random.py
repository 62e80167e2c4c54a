"""Thousands of updates, most of them nearly valid, by two hostile domains; the books must balance all along."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from hv import abi
from hv._native import lib
from tests.native.ptbench import GLOBAL, NX, PSE, RW, USER, A, Bench, D, Guest, P

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


@pytest.mark.parametrize("seed", range(6))
def test_books_balance(seed: int) -> None:
    bench = Bench(1024)
    rng = random.Random(seed)
    second = bench.second()
    fuzzers = [Fuzzer(bench.g, second, rng), Fuzzer(second, bench.g, rng)]
    shapes: Counter[int | str] = Counter()
    for i in range(1500):
        fuzzers[rng.randrange(2)].step()
        if i % 25 == 0:
            assert bench.audit() == "", f"step {i}"
            shapes.update(level for frame in range(bench.frames) for level, count in [bench.type_of(frame)] if count)
            shapes["linear"] += sum(bench.pages[frame].linear_pt_count > 0 for frame in range(bench.frames))
    seen = fuzzers[0].results + fuzzers[1].results
    assert {"ok", "EINVAL", "EBUSY", "ENOSYS", "ext ok", "ext EINVAL", "va ok"} <= set(seen), seen
    assert {1, 2, 3, 4, 7, "linear"} <= set(shapes), shapes
    lib.hv_domain_destroy(bench.hv, second.slot)
    assert bench.audit() == ""
    lib.hv_domain_destroy(bench.hv, bench.g.slot)
    assert bench.audit() == ""
    assert bench.state.free_frames == bench.free_at_start
