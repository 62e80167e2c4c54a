"""AArch64: counts are exact at stops, faults, system calls and returns, and depend on nothing of how blocks are cut."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cffi import FFI

from .arm import ARM64, CODE, DATA, STACK, VECTORS, ArmBench

LIMITS = [1, 2, 7, 512]


def vectors(lower: str, here: str = "b .") -> str:
    """A vector table at VECTORS: what is done about exceptions of EL1 (`here`) and EL0 (`lower`), and EL1's IRQs."""
    return f"""
        .balign 128
        b .
        .space 0x1fc
        {here}
        .balign 128
        add x28, x28, #1
        hvc #2
        eret
        .balign 128
        b .
        .balign 128
        b .
        .balign 128
        {lower}
        """


START = f"""
    mov x0, #{VECTORS & 0xFFFF}
    movk x0, #{VECTORS >> 16}, lsl #16
    msr vbar_el1, x0
    mov x9, #{DATA & 0xFFFF}
    movk x9, #{DATA >> 16}, lsl #16
    mov x0, #{STACK & 0xFFFF}
    movk x0, #{STACK >> 16}, lsl #16
    mov sp, x0
    """

# Go on behind a faulting instruction, or where a system call goes on anyway.
SKIP = """mrs x27, esr_el1
    lsr x27, x27, #26
    cmp x27, #0x15
    b.eq 9f
    mrs x27, elr_el1
    add x27, x27, #4
    msr elr_el1, x27
    add x26, x26, #1
9:  eret"""

# Faults of every kind in a loop, system calls, exclusives, stores to code, reads of the clock.
MIXED = (
    START
    + """
    mov x20, #9
    adr x10, patched
    mov x11, #0x1000
1:  str x20, [x9], #8
    ldr x1, [x9, #-8]
    ldr x2, [x11]
    svc #3
    udf #7
    mrs x3, s3_0_c11_c1_0
    mrs x4, cntvct_el0
    str x4, [x9], #8
    brk #1
    ldxr x5, [x9]
    add x5, x5, x4
    stxr w6, x5, [x9]
    ldr w7, [x10]
    add w7, w7, #32
    str w7, [x10]
patched:
    add x8, x8, #1
    mrs x12, sctlr_el1
    msr sctlr_el1, x12
    tbz x20, #0, 2f
    nop
    nop
2:  subs x20, x20, #1
    b.ne 1b
    hvc #0
    """
)


@pytest.fixture
def arm(engine: tuple[FFI, Any]) -> Iterator[Callable[[int], ArmBench]]:
    """Makes benches, and closes them."""
    made: list[ArmBench] = []

    def make(cpus: int = 1, model: int = ARM64) -> ArmBench:
        made.append(ArmBench(engine, cpus, model))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def program(bench: ArmBench, source: str, lower: str = SKIP, here: str = SKIP) -> ArmBench:
    bench.write(VECTORS, b"")
    bench.load(vectors(lower, here), at=VECTORS)
    bench.load(source)
    return bench


def test_the_count_of_a_program_with_faults_is_that_of_its_instructions(arm: Any) -> None:
    bench = program(arm(), MIXED)
    retired = bench.finish()
    assert bench.reg(26) == 9 * 4
    # An exception counts as one, as its instruction would. Each pass: 21 instructions, five handlers; two more if odd.
    assert retired == 8 + 3 + 9 * (21 + 5 + 4 * 9) + 5 * 2 + 1
    assert [trap[0] for trap in bench.traps()[:5]] == [0x25, 0x15, 0, 0, 0x3C]


def test_stops_at_any_count_change_nothing(arm: Any) -> None:
    whole = program(arm(), MIXED)
    retired, digest, traps = whole.finish(), whole.digest(), whole.traps()
    draw = random.Random(1)
    for limit in LIMITS:
        bench = program(arm(), MIXED)
        bench.lib.machine_set_block_limit(bench.machine, limit)
        done, seen = 0, 0
        while True:
            budget = draw.choice([1, 1, 2, 3, 5, 17, 100])
            reason, ran = bench.run(budget)
            done += ran
            if reason != bench.lib.EXIT_BUDGET:
                break
            assert ran == budget
            seen += 1
            if seen % 13 == 0:
                bench.lib.machine_flush_code(bench.machine)
        assert (reason, done, bench.digest()) == (bench.lib.EXIT_HYPERCALL, retired, digest)
        assert [trap[:3] for trap in bench.traps()] == [trap[:3] for trap in traps]


@pytest.mark.parametrize("limit", LIMITS)
def test_the_hook_on_every_instruction_counts_the_same(arm: Any, limit: int) -> None:
    bench = program(arm(), MIXED)
    bench.lib.machine_set_block_limit(bench.machine, limit)
    bench.lib.machine_count_by_hook(bench.machine)
    assert bench.finish() == bench.lib.machine_hooked(bench.machine)


def test_each_stop_is_at_the_instruction_that_is_next(arm: Any) -> None:
    bench = program(arm(), MIXED)
    stepped = []
    while True:
        stepped.append(int(bench.lib.cpu_pc(bench.cpus[0])))
        if bench.run(1)[0] != bench.lib.EXIT_BUDGET:
            break
    for count in range(0, len(stepped), 37):
        again = program(arm(), MIXED)
        assert again.run(count) == (again.lib.EXIT_BUDGET, count)
        assert int(again.lib.cpu_pc(again.cpus[0])) == stepped[count]


def test_a_vector_that_faults_does_not_stop_time(arm: Any) -> None:
    for limit in LIMITS:
        bench = arm()
        bench.lib.machine_set_block_limit(bench.machine, limit)
        bench.load("mov x0, #0x1000\nmsr vbar_el1, x0\nudf #0")
        assert bench.run(1000) == (bench.lib.EXIT_BUDGET, 1000)
        assert bench.run(7) == (bench.lib.EXIT_BUDGET, 7)
        assert [trap[0] for trap in bench.traps()[:3]] == [0, 0x21, 0x21]


def test_an_exception_is_taken_with_its_syndrome(arm: Any) -> None:
    bench = program(arm(), MIXED)
    bench.finish()
    abort, call, undefined, register, breakpoint_ = bench.traps()[:5]
    assert abort[:3] == (0x25, 0x25 << 26 | 1 << 25 | 0x10, 0x1000)
    assert call[:2] == (0x15, 0x15 << 26 | 1 << 25 | 3)
    assert undefined[:2] == (0, 1 << 25)
    assert register[:2] == (0, 1 << 25)
    assert breakpoint_[:2] == (0x3C, 0x3C << 26 | 1 << 25 | 1)


def test_an_interrupt_is_taken_as_soon_as_it_is_let(arm: Any) -> None:
    source = START + "hvc #1\nnop\nmov x1, x28\nmsr daifclr, #2\nmov x2, x28\nhvc #1\nmov x3, x28\nhvc #0"
    for limit in LIMITS:
        bench = program(arm(), source)
        bench.lib.machine_set_block_limit(bench.machine, limit)
        retired = bench.finish()
        assert [bench.reg(n) for n in (1, 2, 3)] == [0, 1, 2]
        assert retired == 8 + 8 + 2 * 3


def test_wfi_waits_behind_itself(arm: Any) -> None:
    bench = program(arm(), START + "wfi\nmov x1, #1\nhvc #1\nwfi\nmov x2, #2\nwfe\nyield\nsev\nhvc #0")
    assert bench.run() == (bench.lib.EXIT_IDLE, 9)
    assert int(bench.lib.cpu_pc(bench.cpus[0])) == CODE + 9 * 4
    assert bench.finish() == 8
    assert (bench.reg(1), bench.reg(2)) == (1, 2)


def test_el0_gets_what_is_not_its_own_at_el1(arm: Any) -> None:
    source = START + (
        "mrs x1, sctlr_el1\nbic x1, x1, #0x10000\nmsr sctlr_el1, x1\nadr x0, 1f\nmsr elr_el1, x0\n"
        "mov x0, #0x3c0\nmsr spsr_el1, x0\neret\n"
        "1: mrs x1, cntv_ctl_el0\nmrs x1, sctlr_el1\nwfi\nhvc #3\nmrs x2, ctr_el0\nmrs x3, cntvct_el0\n"
        "mov x0, #1\nsvc #0"
    )
    lower = "cbnz x0, 3f\n" + SKIP + "\n3: hvc #0"
    bench = program(arm(), source.replace("1: mrs", "1: mov x0, #0\nmrs"), lower)
    retired = bench.finish()
    classes = [(trap[0], trap[1] & 0x1FFFFFF) for trap in bench.traps()]
    trapped = 3 << 20 | 1 << 17 | 3 << 14 | 14 << 10 | 1 << 5 | 3 << 1 | 1
    assert classes[:4] == [(0x18, trapped), (0, 0), (1, 0x1E00000 & 0x1FFFFFF), (0, 0)]
    assert classes[4][0] == 0x18 and classes[5] == (0x15, 0)
    # 16 of the start, nine in EL0, five handlers of 10, the last one's 2
    assert retired == 16 + 1 + 8 + 5 * 10 + 2


def test_a_branch_to_no_instruction_is_the_targets_fault(arm: Any) -> None:
    bench = program(arm(), START + "adr x0, 1f + 2\nbr x0\n1: nop\nhvc #0", here="hvc #0")
    assert bench.finish() == 8 + 2 + 1 + 1
    (trap,) = bench.traps()
    assert (trap[0], trap[2], trap[4]) == (0x22, CODE + 10 * 4 + 2, CODE + 10 * 4 + 2)
