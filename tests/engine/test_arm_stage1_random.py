"""Stage 1 set up at random: TCR, TTBR, SCTLR, MAIR and tables of any bits. What comes is an exception that the
architecture has, with a status that it has, or the access; the same in two runs, however code is cut into blocks."""

from __future__ import annotations

import os
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cffi import FFI

from .arm import ARM32, ARM64, CODE, DATA, DEVICE, FRAMES, RAM, TABLES, VECTORS, ArmBench

TRIES = 2_000 if os.environ.get("XENLAB_LONG_FUZZ") else 40
BUDGET = 300
PAGES = 16
"""Of tables: each entry may lead to any of them."""
PAGE = 4096
RANDOM_BITS = 0.15
SCTLR_M, SCTLR_EE = 1, 1 << 25
SCTLR_ANY = 0x3018_1002
"""A, I, WXN, UWXN, TRE, AFE: taken at random."""
EAE = 1 << 31
PROGRAM = {
    ARM64: """
        1: ldr x1, [x0]
        str x1, [x2]
        at s1e1r, x3
        mrs x4, par_el1
        at s1e0w, x0
        tlbi vmalle1
        ldp x4, x5, [x3]
        ldxr w6, [x2]
        add x0, x0, x7
        ror x2, x2, #9
        eor x3, x3, x0
        cbnz x8, 2f
        b 1b
        2: br x9
    """,
    ARM32: """
        1: ldr r1, [r0]
        str r1, [r2]
        mcr p15, 0, r3, c7, c8, 0
        mrc p15, 0, r4, c7, c4, 0
        mcr p15, 0, r0, c7, c8, 3
        mcr p15, 0, r0, c8, c7, 0
        ldrd r4, r5, [r3]
        ldrt r6, [r2]
        add r0, r0, r7
        ror r2, r2, #9
        eor r3, r3, r0
        cmp r8, #0
        beq 1b
        bx r9
    """,
}
REGIMES = {"aarch64": ARM64, "long": ARM32, "short": ARM32}
ABORTS = {0x20, 0x21, 0x24, 0x25}
CLASSES = ABORTS | {0x00, 0x0E, 0x11, 0x15, 0x22, 0x26}
"""Beside aborts: unknown, illegal state, SVC, alignment of PC and SP. Source: Arm DDI 0487, ESR_EL1.EC."""
STATUSES = {
    *range(0x10),  # address size, translation, access flag, permission, of levels 0 to 3
    0x10, *range(0x14, 0x18),  # external: of the access, of the walk
    0x21,  # alignment
    0x35,  # exclusive access that is not supported
}  # fmt: skip
OF_SHORT = {0x3D, 0x3E, 0x3F}
"""Domain, of levels 1 and 2; and with the short descriptors there may be no status of this form."""
SHORT_STATUSES = {0, 1, 5, 7, 3, 6, 9, 11, 13, 15, 8, 12, 14}
"""Of DFSR and IFSR: none yet; alignment, translation, access flag, domain, permission, external of the access and of
the walk. Source: DDI 0406C, B4.1.51."""


class Setup:
    """One configuration: what memory and registers are."""

    def __init__(self, draw: random.Random, regime: str) -> None:
        self.draw, self.regime = draw, regime
        self.narrow = REGIMES[regime] == ARM32
        self.tables = b"".join(self.table(page) for page in range(PAGES))
        self.registers = self.control()

    def entry(self, page: int, index: int) -> int:
        """Plausible: identity, a table, somewhere; or any bits."""
        draw, size = self.draw, 4 if self.regime == "short" else 8
        if draw.random() < RANDOM_BITS:
            return draw.getrandbits(8 * size)
        to = draw.choice((TABLES + PAGE * draw.randrange(PAGES), RAM, CODE, DATA, DEVICE, draw.getrandbits(40) & -PAGE))
        if self.regime == "short":
            near = (index << 20) & 0xFFF0_0000 if draw.random() < 0.5 else to
            return near & -1024 & 0xFFFF_FFFF | draw.getrandbits(10) & 0x1FC | draw.choice((1, 2, 2, 3)) | 0xC00
        flags = 1 << 10 | draw.choice((1, 3, 3)) | draw.getrandbits(12) & 0x3FC
        return to & 0xFFFF_FFFF_F000 | flags | (draw.getrandbits(64) & 0xFFF0 << 48 if draw.random() < 0.2 else 0)

    def table(self, page: int) -> bytes:
        size = 4 if self.regime == "short" else 8
        entries = [self.entry(page, index) for index in range(PAGE // size)]
        if self.draw.random() < 0.7 and self.regime != "short":  # a block that maps RAM where it is, for code to run
            entries[1] = RAM | 0x401 | self.draw.choice((0, 0, 0x40))
        if self.regime == "short" and self.draw.random() < 0.7:
            entries[RAM >> 20 & 0x3FF] = RAM | 0xC02
        return struct.pack(f"<{len(entries)}{'I' if size == 4 else 'Q'}", *entries)

    def control(self) -> dict[str, int]:
        draw = self.draw
        sctlr = SCTLR_M | draw.getrandbits(32) & SCTLR_ANY | (SCTLR_EE if draw.random() < 0.05 else 0)
        tcr = draw.getrandbits(64) if draw.random() < 0.3 else 0
        if self.narrow:
            tcr = (tcr & 0x7FFF_FFFF) | (EAE if self.regime == "long" else 0)
        elif draw.random() < 0.7:
            tcr = tcr & ~0x3F & ~(0x3F << 16) & ~(0xC000_0080) | 25 | 25 << 16 | 2 << 30 | 2 << 32
        roots = [TABLES + PAGE * draw.randrange(PAGES) for _ in range(2)]
        if draw.random() < 0.1:
            roots[0] |= draw.getrandbits(64)
        return {
            "sctlr": sctlr, "tcr": tcr, "ttbr0": roots[0], "ttbr1": roots[1], "mair": draw.getrandbits(64),
            "dacr": draw.choice((0x5555_5555, 0xFFFF_FFFF, draw.getrandbits(32))),
        }  # fmt: skip

    def registers_of_the_program(self) -> list[int]:
        some = (RAM, CODE, DATA, TABLES, DEVICE, RAM + 0x7FFFFD, self.draw.getrandbits(64), 0xFFFF_FF80_4000_0000)
        width, draw = 32 if self.narrow else 64, self.draw
        first = [draw.choice((draw.getrandbits(39), *some)) & (1 << width) - 1 for _ in range(8)]
        return [*first, draw.randrange(2), draw.choice(some) & (1 << width) - 1]

    def load(self, bench: ArmBench, fresh: bytes, registers: list[int], mode: int) -> None:
        bench.write(TABLES, self.tables)
        bench.write(DATA, bytes(PAGE))
        state = bench.ffi.from_buffer("struct arm_state *", bytearray(fresh))
        for name, value in self.registers.items():
            setattr(state, name, value)
        for number, value in enumerate(registers):
            state.x[number] = value
        state.pc, state.vbar, state.pstate = CODE, VECTORS, 0x3C0 | mode
        bench.lib.arm_set_state(bench.cpus[0], state)


@pytest.fixture
def make(engine: tuple[FFI, Any]) -> Iterator[Callable[[int], ArmBench]]:
    made: list[ArmBench] = []

    def one(model: int) -> ArmBench:
        made.append(ArmBench(engine, 1, model))
        return made[-1]

    yield one
    for bench in made:
        bench.close()


def outcome(bench: ArmBench) -> tuple[Any, ...]:
    """Run: how it ended, and what everything was then, with the first exceptions of this run."""
    bench.lib.arm_bench_forget(bench.b)
    reason, retired = bench.run(BUDGET)
    return reason, retired, tuple(bench.traps()), bytes(bench.ffi.buffer(bench.state())), bench.read(DATA, PAGE)


@pytest.mark.parametrize("regime", REGIMES)
def test_any_configuration(make: Callable[[int], ArmBench], regime: str) -> None:
    model = REGIMES[regime]
    draw, seen = random.Random(regime), Counter[Any]()
    for trial in range(TRIES):
        if trial % 50 == 0:  # memory that a program has written over is no longer as it was
            benches = [make(model), make(model)]
            benches[1].lib.machine_set_block_limit(benches[1].machine, 1)
            for bench in benches:
                bench.load(PROGRAM[model], "arm" if model == ARM32 else "aarch64")
            fresh = bytes(benches[0].ffi.buffer(benches[0].state()))
        setup, mode = Setup(draw, regime), draw.choice((0x13, 0x13, 0x1F, 0x10) if model == ARM32 else (5, 5, 4, 0))
        registers = setup.registers_of_the_program()
        for bench in benches:
            setup.load(bench, fresh, registers, mode)
        first, second = (outcome(bench) for bench in benches)
        assert first == second, (trial, setup.registers)
        lib = benches[0].lib
        assert first[0] in (lib.EXIT_BUDGET, lib.EXIT_HYPERCALL, lib.EXIT_IDLE) and first[1] == BUDGET, first[:3]
        for vector, syndrome, _, when, _ in first[2]:
            status = syndrome & 0x3F if vector in ABORTS else 0
            assert vector in CLASSES and status in STATUSES | (OF_SHORT if regime == "short" else set()), hex(syndrome)
            seen[vector, status] += 1
            seen["went on"] += when > 3
        if regime == "short":
            state = benches[0].state()
            for status in (state.esr, state.ifsr):
                assert (status & 0xF | status >> 6 & 0x10) in SHORT_STATUSES, hex(status)
                seen[status & 0xF] += 1
    assert seen["went on"] > TRIES // 4 and len(seen) > 10, seen
    assert FRAMES * PAGE > TABLES - RAM + PAGES * PAGE
