"""REP MOVS and REP STOS: many iterations at once give what one at a time gives: memory, registers and the count."""

from __future__ import annotations

import random
from typing import Any

import pytest

from .conftest import CODE, DATA, DATA_FRAME, Bench

LEAVE = "xor eax, eax\nsyscall\n"
PAGES = 5
ALIAS = 0x700000
"""The same frames again, one page further."""
SUFFIX = {1: "b", 2: "w", 4: "d", 8: "q"}


def program(seed: int) -> str:
    """String instructions of all kinds over PAGES pages and their alias: near and far, overlapping, backwards."""
    rng = random.Random(seed)
    lines = [f"mov rbx, {DATA}\nmov ecx, {PAGES}\n1: mov [rbx], rbx\nadd rbx, 4096\nloop 1b"]
    for _ in range(30):
        size = rng.choice((1, 2, 4, 8))
        count = rng.choice((0, 1, 3, 5, 6, 40, 700, 2000)) // rng.choice((1, size))
        span = count * size + 8
        back = rng.random() < 0.15
        low = span if back else 0
        high = PAGES * 4096 - (8 if back else span)
        to = rng.randrange(low, high)
        source = rng.choice((rng.randrange(low, high), min(max(to + rng.randrange(-40, 40), low), high)))
        lines.append(f"mov edi, {rng.choice((DATA, ALIAS)) + to}\nmov esi, {DATA + source}\nmov ecx, {count}")
        lines.append(f"mov rax, {rng.getrandbits(63)}\n{'std' if back else 'cld'}")
        lines.append(f"rep {rng.choice(('movs', 'stos'))}{SUFFIX[size]}\nadd rbx, rdi\nadd rbx, rsi")
    return "\n".join(lines) + f"\ncld\n{LEAVE}"


def run(engine: Any, source: str, *, limit: int = 0, budgets: random.Random | None = None) -> tuple[int, str]:
    bench = Bench(engine)
    for page in range(PAGES + 1):
        bench.map(ALIAS + page * 4096, DATA_FRAME + page + 1)
    bench.lib.machine_set_block_limit(bench.machine, limit)
    bench.load(source)
    total, reason = 0, bench.lib.EXIT_BUDGET
    while reason == bench.lib.EXIT_BUDGET:
        reason, retired = bench.run(budgets.randrange(1, 900) if budgets else 1 << 40)
        total += retired
    assert reason == bench.lib.EXIT_HYPERCALL
    result = total, bench.digest()
    bench.close()
    return result


@pytest.mark.parametrize("seed", range(6))
def test_at_once_as_one_by_one(engine: object, seed: int) -> None:
    source = program(seed)
    slow = run(engine, source, limit=(1, 7, 512)[seed % 3])
    assert run(engine, source) == slow
    assert run(engine, source, budgets=random.Random(seed)) == slow


def test_the_fault_comes_at_its_element(bench: Bench) -> None:
    bench.map(DATA + 0x3000, 0, 0)
    bench.load(f"mov edi, {DATA + 5}\nmov ecx, 4096\nmov eax, 0x55\nrep stosq")
    reason, retired = bench.run()
    whole = (0x3000 - 5) // 8
    assert (reason, retired) == (bench.lib.EXIT_EXCEPTION, 3 + whole)
    assert bench.exit.address == DATA + 0x3000  # the element over the end wrote nothing before the fault
    assert (bench.reg("rcx"), bench.reg("rdi")) == (4096 - whole, DATA + 5 + 8 * whole)


def test_code_that_is_written_over_is_forgotten(bench: Bench) -> None:
    """A copy over a function that has run: what runs then is the copy."""
    bench.load(f"""
        call victim
        mov edi, OFFSET victim
        mov esi, OFFSET better
        mov ecx, 64
        rep movsb
        call victim
        {LEAVE}
        .org 0x2000
    victim: mov ebx, 1
        ret
        .org 0x2040
    better: add ebx, 41
        ret
        .org 0x20a0
    """)
    bench.finish()
    assert bench.reg("rbx") == 42


def to_the_next_stop(bench: Bench) -> tuple[int, int]:
    bench.lib.bench_pass(bench.c, 0)
    return bench.run(1 << 20)


def test_watchpoints_and_breakpoints_stop_at_their_element(bench: Bench) -> None:
    """In pages that were written before, so that all could go at once."""
    bytes_ = 12288
    bench.load(f"2: mov edi, {DATA}\nmov ecx, {bytes_}\nrep stosb\njmp 2b")
    once = 2 + bytes_ + 2         # and the look at rcx that ends it, and the jump
    assert bench.run(once) == (bench.lib.EXIT_BUDGET, once)
    point = bench.ffi.new(
        "struct watchpoint *", {"va": DATA + 5000, "bytes": 1, "kinds": bench.lib.WATCH_WRITE, "id": 1}
    )
    assert bench.lib.machine_set_watchpoints(bench.machine, point, 1) == 0
    assert to_the_next_stop(bench) == (bench.lib.EXIT_BREAKPOINT, 2 + 5001)
    assert bench.reg("rcx") == bytes_ - 5001
    assert bench.lib.machine_set_watchpoints(bench.machine, point, 0) == 0
    assert bench.lib.machine_set_breakpoints(bench.machine, [CODE + 10], 1) == 0
    assert to_the_next_stop(bench) == (bench.lib.EXIT_BREAKPOINT, 0)
    bench.lib.bench_pass(bench.c, 7)
    assert bench.run(1 << 20) == (bench.lib.EXIT_BREAKPOINT, 7)  # the breakpoint is there for each element
    assert bench.reg("rcx") == bytes_ - 5008
