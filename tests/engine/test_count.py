"""The count of retired instructions: exact at every stop, fault and time read, whatever the blocks look like."""

from __future__ import annotations

import random

import pytest

from .conftest import CODE, DATA, Bench

LEAVE = "xor eax, eax\nsyscall\n"

# Faults of many kinds, string instructions, self-modifying code, calls, time reads. r12 is the outer loop.
BUSY = f"""
    mov r12d, 40
outer:
    mov ecx, 5
1:  add rbx, rcx
    dec ecx
    jnz 1b
    ud2
    hlt; nop
    lea rdi, [{DATA}]
    mov ecx, 37
    mov al, 7
    rep stosb
    lea rsi, [{DATA}]
    lea rdi, [{DATA} + 4090]
    mov ecx, 19
    rep movsb
    int 0x80
    rdtsc
    add rbx, rax
    mov eax, 1
    syscall
    inc dword ptr [patch + 1]
patch:
    mov edx, 1000
    add rbx, rdx
    call function
    mov rax, [0x10]; nop
    xor edx, edx
    xor ecx, ecx
    mov eax, 1
    div ecx
    dec r12d
    jnz outer
    {LEAVE}
function:
    push rbx
    pop rbx
    ret
"""


def test_simple_loop_counts_every_instruction(bench: Bench) -> None:
    bench.load(f"mov ecx, 1000\n1: dec ecx\njnz 1b\n{LEAVE}")
    assert bench.finish() == 1 + 2000 + 2


def test_faults_do_not_retire(bench: Bench) -> None:
    bench.lib.bench_skip(bench.c, 2)
    bench.load(f"nop\nnop\nud2\nnop\nhlt; nop\nmov eax, 1\ncpuid\n{LEAVE}")
    assert bench.finish() == 3 + 0 + 2 + 2
    assert [(t[0], t[3]) for t in bench.traps()] == [(6, 2), (13, 3)]


def test_fault_in_the_middle_of_a_block_is_exact(bench: Bench) -> None:
    bench.load(f"nop\nnop\nmov rax, [0x10]\nnop\n{LEAVE}")
    reason, retired = bench.run()
    assert (reason, retired) == (bench.lib.EXIT_EXCEPTION, 2)
    assert (bench.exit.vector, bench.exit.address) == (14, 0x10)


def test_time_read_counts_what_came_before(bench: Bench) -> None:
    bench.load(f"nop\nnop\nrdtsc\nmov ebx, eax\nnop\nrdtsc\nmov ecx, eax\n{LEAVE}")
    bench.finish()
    assert (bench.reg("rbx"), bench.reg("rcx")) == (2, 5)


def test_string_instructions_count_iterations(bench: Bench) -> None:
    bench.load(f"mov ecx, 100\nmov edi, {DATA}\nrep stosb\n{LEAVE}")
    assert bench.finish() == 2 + 101 + 2  # and the look at rcx that ends it


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 7, 11])
def test_budgets_add_up_and_change_nothing(engine: object, budget: int) -> None:
    whole = _straight(engine)
    bench = Bench(engine)  # type: ignore[arg-type]  # the fixture's own type
    bench.lib.bench_skip(bench.c, 2)
    bench.load(PROGRAM)
    total = 0
    while True:
        reason, retired = bench.run(budget)
        total += retired
        if reason == bench.lib.EXIT_HYPERCALL:
            break
        assert (reason, retired) == (bench.lib.EXIT_BUDGET, budget)
    assert (total, bench.digest()) == whole
    bench.close()


PROGRAM = BUSY.replace("mov rax, [0x10]; nop\n", "")


def _straight(engine: object) -> tuple[int, str]:
    bench = Bench(engine)  # type: ignore[arg-type]
    bench.lib.bench_skip(bench.c, 2)
    bench.load(PROGRAM)
    result = bench.finish(), bench.digest()
    bench.close()
    return result


def test_random_budgets_change_nothing(engine: object) -> None:
    whole = _straight(engine)
    for seed in range(5):
        rng = random.Random(seed)
        bench = Bench(engine)  # type: ignore[arg-type]
        bench.lib.bench_skip(bench.c, 2)
        bench.load(PROGRAM)
        total, reason = 0, bench.lib.EXIT_BUDGET
        while reason == bench.lib.EXIT_BUDGET:
            reason, retired = bench.run(rng.randrange(1, 60))
            total += retired
            if rng.random() < 0.05:
                bench.lib.machine_flush_code(bench.machine)
            if rng.random() < 0.05:
                bench.lib.machine_tlb_stale(bench.machine)
        assert (total, bench.digest()) == whole
        bench.close()


@pytest.mark.parametrize("limit", [1, 2, 7, 512])
def test_block_limits_change_nothing(engine: object, limit: int) -> None:
    bench = Bench(engine)  # type: ignore[arg-type]
    bench.lib.bench_skip(bench.c, 2)
    bench.lib.machine_set_block_limit(bench.machine, limit)
    bench.load(PROGRAM)
    assert (bench.finish(), bench.digest()) == _straight(engine)
    bench.close()


def test_count_equals_a_hook_on_every_instruction(engine: object) -> None:
    """On a program full of faults, self-modifying stores and string instructions."""
    plain = _straight(engine)
    bench = Bench(engine)  # type: ignore[arg-type]
    bench.lib.bench_skip(bench.c, 2)
    assert bench.lib.machine_count_by_hook(bench.machine) == 0
    bench.load(PROGRAM)
    assert (bench.finish(), bench.digest()) == plain
    assert bench.lib.machine_hooked(bench.machine) == plain[0]
    bench.close()


def test_a_fetch_fault_belongs_to_the_instruction_that_needs_the_page(bench: Bench) -> None:
    """An instruction that crosses into a page that is not there faults when its turn comes, not with its block."""
    bench.map(CODE + 0x1000, 0, 0)
    bench.load("jmp 1f\n.org 0xff5\n1: nop\nnop\nmov ebx, 7\nmov ebx, 0x11223344")  # the last crosses
    reason, _ = bench.run()
    assert (reason, bench.exit.vector, bench.exit.address) == (bench.lib.EXIT_EXCEPTION, 14, CODE + 0x1000)
    assert bench.reg("rbx") == 7
    assert bench.reg("rip") == CODE + 0xFFC


def test_single_step_of_a_jump_to_itself_retires(bench: Bench) -> None:
    bench.load("pushf\nor dword ptr [rsp], 0x100\npopf\n1: jmp 1b")
    reason, retired = bench.run(8)
    assert (reason, retired) == (bench.lib.EXIT_BUDGET, 8)
    assert [t[0] for t in bench.traps()] == [1] * 5
