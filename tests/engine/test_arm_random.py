"""Instructions at random, in each state and at both levels: each is one step, and the engine can take it."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from cffi import FFI

from .arm import ARM32, ARM64, CODE, VECTORS, ArmBench

WORDS = 512
ROUNDS = 2048 if os.environ.get("XENLAB_LONG_FUZZ") else 24
"""A million instructions of each state, or what takes a moment."""
CHECKS = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 24 | 1 << 25
"""SCTLR's A, SA, SA0, E0E, EE."""
ILLEGAL = 1 << 20


@pytest.fixture
def engines(engine: tuple[FFI, Any]) -> Iterator[dict[int, ArmBench]]:
    made = {model: ArmBench(engine, 1, model) for model in (ARM64, ARM32)}
    yield made
    for bench in made.values():
        bench.close()


def word(draw: random.Random, thumb: bool | None) -> int:
    """An instruction; those of system registers and coprocessors, and plausible ones, come more often than not."""
    drawn, kind = draw.getrandbits(32), draw.random()
    if thumb is None:
        return 0xD5000000 | drawn & 0x3FFFFF if kind < 0.3 else drawn
    if thumb:
        return drawn & 0xFFFF_0000 | 0xEE00 | drawn & 0x1FF if kind < 0.2 else drawn | 0xE000 if kind < 0.7 else drawn
    return 0xEE000000 | drawn & 0xFFFFFF if kind < 0.2 else drawn & 0x0FFFFFFF | 0xE0000000 if kind < 0.8 else drawn


@pytest.mark.parametrize("state", ["aarch64", "arm", "thumb"])
def test_each_is_one_step(engines: dict[int, ArmBench], state: str) -> None:
    draw = random.Random(len(state))
    thumb = None if state == "aarch64" else state == "thumb"
    bench = engines[ARM64 if thumb is None else ARM32]
    lib, cpu = bench.lib, bench.cpus[0]
    may = {lib.EXIT_BUDGET, lib.EXIT_HYPERCALL, lib.EXIT_SHUTDOWN, lib.EXIT_IDLE}
    modes = [0, 5] if thumb is None else [0x10, 0x11, 0x12, 0x13, 0x17, 0x1B, 0x1F]
    fresh = bytes(bench.ffi.buffer(bench.state()))
    for _ in range(ROUNDS):
        words = [word(draw, thumb) for _ in range(WORDS)]
        bench.write(CODE, struct.pack(f"<{WORDS}I", *words))
        for i in range(WORDS):
            now = bench.ffi.from_buffer("struct arm_state *", bytearray(fresh))
            now.pc, now.vbar, now.pstate = CODE + 4 * i, VECTORS, 0x3C0 | draw.choice(modes)
            if thumb is not None:
                now.pstate = now.pstate & ~0x200 | 0x20 * thumb
            now.cpacr, now.fpexc = 0xF << 20, 1 << 30
            if draw.random() < 0.3:  # other checks: alignment, byte order, floating point, illegal state
                now.sctlr ^= draw.getrandbits(32) & CHECKS
                now.cpacr = draw.choice([0, 1, 2, 3]) << 20
                now.sp_el0, now.sp_el1 = draw.getrandbits(32), draw.getrandbits(32)
                now.pstate |= draw.choice([0, 0, 0, ILLEGAL]) if thumb is None else 0
            for n in range(15):
                now.x[n] = draw.getrandbits(32)
            lib.arm_set_state(cpu, now)
            reason, retired = bench.run(1)
            assert reason in may and retired == 1, (hex(words[i]), hex(now.pstate), reason, retired)
