"""AArch32 at EL1, as an ARMv7 guest has it: modes, exceptions, both formats of tables, Thumb, counts."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cffi import FFI

from .arm import ARM32, CODE, DATA, RAM, STACK, TABLES, VECTORS, ArmBench

LIMITS = [1, 2, 7, 512]
USR, FIQ, IRQ, SVC, ABT, UND = 0x10, 0x11, 0x12, 0x13, 0x17, 0x1B


@pytest.fixture
def arm(engine: tuple[FFI, Any]) -> Iterator[Callable[[int], ArmBench]]:
    made: list[ArmBench] = []

    def make(cpus: int = 1) -> ArmBench:
        made.append(ArmBench(engine, cpus, ARM32))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


# Each vector counts in its mode's r13 (FIQ, IRQ lower the line). Aborts go on behind the instruction.
HANDLERS = """
    b .
    b undefined
    movs pc, lr
    b prefetch
    b data
    b .
    b interrupt
    b .
undefined: add sp, sp, #1
    movs pc, lr
prefetch: add sp, sp, #1
    movs pc, r11
data: add sp, sp, #1
    subs pc, lr, #4
interrupt: add sp, sp, #1
    hvc #2
    subs pc, lr, #4
"""
START = f"""
    movw r0, #{VECTORS & 0xFFFF}
    movt r0, #{VECTORS >> 16}
    mcr p15, 0, r0, c12, c0, 0
    movw r9, #{DATA & 0xFFFF}
    movt r9, #{DATA >> 16}
    movw sp, #{STACK & 0xFFFF}
    movt sp, #{STACK >> 16}
"""
MIXED = (
    START
    + """
    mov r4, #9
    movw r5, #0x1000
1:  str r4, [r9], #4
    ldr r1, [r5]
    svc #3
    udf #7
    mrrc p15, 1, r6, r7, c14
    str r6, [r9], #4
    push {r4-r7, lr}
    pop {r4-r7, lr}
    mrc p15, 0, r8, c9, c12, 0
    adr r12, thumb
    orr r12, r12, #1
    blx r12
    adr r10, patched
    ldr r2, [r10]
    add r2, r2, #1
    str r2, [r10]
    mcr p15, 0, r2, c7, c5, 0
patched:
    add r3, r3, #1
    movs r4, r4, lsr #0
    subs r4, r4, #1
    bne 1b
    hvc #0
    .thumb
thumb:
    cmp r4, #5
    ite hi
    addhi r0, r0, #1
    strls r0, [r9]
    itt eq
    ldreq r1, [r5]
    moveq r0, #3
    udf #1
    add.w r0, r0, r4, lsl #2
    bx lr
    .arm
"""
)


def program(bench: ArmBench, source: str) -> ArmBench:
    bench.load(HANDLERS, "arm", VECTORS)
    bench.load(source, "arm")
    return bench


def steps(bench: ArmBench) -> list[int]:
    """The address of each instruction as it is next, one at a time."""
    seen = []
    while True:
        seen.append(int(bench.lib.cpu_pc(bench.cpus[0])))
        reason, _ = bench.run(1)
        if reason != bench.lib.EXIT_BUDGET:
            return seen


def test_counts_and_stops(arm: Any) -> None:
    whole = program(arm(), MIXED)
    retired, digest, traps = whole.finish(), whole.digest(), whole.traps()
    assert {trap[0] for trap in traps} == {0x25, 0x11, 0}
    assert list(whole.state().banked_r13)[:4] != [0, 0, 0, 0]
    assert retired == len(steps(program(arm(), MIXED)))
    draw = random.Random(2)
    for limit in LIMITS:
        bench = program(arm(), MIXED)
        bench.lib.machine_set_block_limit(bench.machine, limit)
        done = 0
        while True:
            budget = draw.choice([1, 2, 3, 5, 17, 100])
            reason, ran = bench.run(budget)
            done += ran
            if reason != bench.lib.EXIT_BUDGET:
                break
            assert ran == budget
        assert (reason, done, bench.digest()) == (bench.lib.EXIT_HYPERCALL, retired, digest)


def test_exceptions_go_to_their_modes(arm: Any) -> None:
    source = START + "movw r5, #0x1000\nldr r1, [r5]\nudf #1\nadr r11, 1f\nbx r5\n1: mrs r1, cpsr\nhvc #0"
    bench = program(arm(), source)
    bench.finish()
    data, undefined, prefetch = bench.traps()
    state = bench.state()
    assert [trap[0] for trap in (data, undefined, prefetch)] == [0x25, 0, 0x21]
    assert (list(state.banked_r13)[2:4], bench.reg(13)) == ([2, 1], STACK)
    assert list(state.banked_r14)[2:4] == [0x1000 + 4, CODE + 10 * 4]
    assert state.far == 0x1000 << 32 | 0x1000                   # IFAR, DFAR
    assert (state.esr, state.ifsr) == (8, 8)
    assert [state.banked_spsr[bank] & 0x1F for bank in (2, 3)] == [SVC, SVC]
    assert bench.reg(1) & 0x1FF == 0x1C0 | SVC & 0x1F | 0 or bench.reg(1) & 0x1F == SVC


def test_an_interrupt_is_taken_as_soon_as_it_is_let(arm: Any) -> None:
    source = (
        START + "hvc #1\nnop\ncps #0x12\nmov r1, sp\ncps #0x13\ncpsie i\ncps #0x12\nmov r2, sp\ncps #0x13\n"
        "wfi\nhvc #0"
    )
    for limit in LIMITS:
        bench = program(arm(), source)
        bench.lib.machine_set_block_limit(bench.machine, limit)
        assert bench.run()[0] == bench.lib.EXIT_IDLE
        bench.finish()
        assert (bench.reg(1), bench.reg(2)) == (0, 1)


def test_each_mode_has_its_registers(arm: Any) -> None:
    modes = [FIQ, IRQ, ABT, UND, SVC]
    fill = "".join(f"cps #{mode}\nmov sp, #{mode}\nmov lr, #{mode + 1}\nmov r1, #{mode}\nmsr spsr_cxsf, r1\n"
        f"" for mode in modes)
    bench = program(arm(), START + "mov r8, #7\n" + fill + "cps #17\nmov r8, #8\ncps #31\nmov sp, #99\n"
        "mov lr, #98\ncps #19\nhvc #0")
    bench.finish()
    state = bench.state()
    assert list(state.banked_r13) == [99, SVC, ABT, UND, IRQ, FIQ]
    assert list(state.banked_r14) == [98, SVC + 1, ABT + 1, UND + 1, IRQ + 1, FIQ + 1]
    assert list(state.banked_spsr)[1:] == [SVC, ABT, UND, IRQ, FIQ]
    assert (state.usr_r8_r12[0], state.fiq_r8_r12[0], bench.reg(8), bench.reg(13)) == (7, 8, 7, SVC)


def test_the_state_goes_to_another_cpu(arm: Any) -> None:
    bench = program(arm(), MIXED)
    retired = bench.finish()
    end = bytes(bench.ffi.buffer(bench.state()))
    moved = program(arm(2), MIXED)
    saved = bench.ffi.new("char[]", bench.lib.cpu_state_bytes(ARM32))
    done, now = 0, 0
    while True:
        reason, ran = moved.run(3, cpu=now)
        done += ran
        if reason != moved.lib.EXIT_BUDGET:
            break
        moved.lib.cpu_save(moved.cpus[now], saved)
        now ^= 1
        moved.lib.cpu_load(moved.cpus[now], saved)
    assert (done, bytes(moved.ffi.buffer(moved.state(now)))) == (retired, end)


# ---- tables ----

AT = 0x7000_0000


def short_tables(bench: ArmBench, entry: int | None, section: int | None = None) -> None:
    """Sections of 1 MiB for RAM; a page at AT, or what `section` says."""
    first, second = TABLES, TABLES + 0x8000
    for at in range(RAM, RAM + 0x0080_0000, 1 << 20):
        bench.write(first + 4 * (at >> 20), struct.pack("<I", at | 3 << 10 | 2))
    bench.write(first + 4 * (AT >> 20), struct.pack("<I", second | 1 << 5 | 1 if section is None else section))
    if entry is not None:
        bench.write(second, struct.pack("<I", entry))


def long_tables(bench: ArmBench, entry: int) -> None:
    """Blocks of 2 MiB for RAM; a page at AT."""
    roots, middle, second, third = TABLES, TABLES + 0x1000, TABLES + 0x2000, TABLES + 0x3000
    for gigabyte in (1,):
        bench.write(roots + 8 * gigabyte, struct.pack("<Q", middle | 3))
    for i, at in enumerate(range(RAM, RAM + 0x0080_0000, 1 << 21)):
        bench.write(middle + 8 * i, struct.pack("<Q", at | 1 << 10 | 1))
    bench.write(middle + 8 * ((AT - RAM) >> 21), struct.pack("<Q", third | 3))
    bench.write(third, struct.pack("<Q", entry))
    assert second


def paged(bench: ArmBench, long: bool) -> None:
    state = bench.state()
    state.ttbr0, state.tcr, state.dacr = TABLES, (1 << 31 if long else 0), 1 | 1 << 2
    state.sctlr |= 1
    bench.lib.arm_set_state(bench.cpus[0], state)


ACCESS = f"movw r0, #0\nmovt r0, #{AT >> 16}\n%s\nhvc #0\n"
SHORT = {
    "page": (DATA | 3 << 4 | 2, None, None),
    "section": (None, RAM | 3 << 10 | 2, None),
    "translation": (0, None, (0x17, 0x17)),
    "section translation": (None, 0, (0x05, 0x05)),
    "permission": (DATA | 2, None, (0x1F, 0x1F)),
    "read only": (DATA | 1 << 4 | 1 << 9 | 2, None, (None, 0x1F)),
    "domain": (None, RAM | 3 << 10 | 2 << 5 | 2, (0x29, 0x29)),
    "no memory": (0x1000_0000 | 3 << 4 | 2, None, (0x18, 0x18)),
}
LONG = {
    "page": (DATA | 1 << 10 | 3, None),
    "translation": (0, (0x207, 0x207)),
    "access flag": (DATA | 3, (0x20B, 0x20B)),
    "read only": (DATA | 1 << 10 | 1 << 7 | 3, (None, 0x20F)),
    "no memory": (0x1000_0000 | 1 << 10 | 3, (0x210, 0x210)),
}


def check(bench: ArmBench, access: str, status: int | None) -> None:
    bench.finish()
    write = 1 << 11 if access.startswith("str") else 0
    traps = bench.traps()
    if status is None:
        assert not traps
        return
    state = bench.state()
    assert (len(traps), state.esr, state.far & 0xFFFF_FFFF) == (1, status | write, AT)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("name", SHORT)
def test_short_descriptors(arm: Any, name: str, write: bool) -> None:
    entry, section, status = SHORT[name]
    access = "str r1, [r0]" if write else "ldr r1, [r0]"
    bench = program(arm(), START + ACCESS % access)
    short_tables(bench, entry, section)
    paged(bench, False)
    check(bench, access, status[write] if status else None)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("name", LONG)
def test_long_descriptors(arm: Any, name: str, write: bool) -> None:
    entry, status = LONG[name]
    access = "str r1, [r0]" if write else "ldr r1, [r0]"
    bench = program(arm(), START + ACCESS % access)
    long_tables(bench, entry)
    paged(bench, True)
    check(bench, access, status[write] if status else None)


@pytest.mark.parametrize("long", [False, True])
def test_a_store_to_a_table_takes_effect_at_once(arm: Any, long: bool) -> None:
    bench = program(arm(), START + ACCESS % "ldr r1, [r0]\nstr r7, [r6]\nldr r2, [r0]")
    bench.write(DATA, b"\x01" * 4 + bytes(4092) + b"\x02" * 4)
    bits = 1 << 10 | 3 if long else 3 << 4 | 2
    if long:
        long_tables(bench, DATA | bits)
    else:
        short_tables(bench, DATA | bits)
    paged(bench, long)
    bench.lib.arm_set_reg(bench.cpus[0], 6, TABLES + (0x3000 if long else 0x8000))
    bench.lib.arm_set_reg(bench.cpus[0], 7, DATA + 4096 | bits)
    bench.finish()
    assert (bench.reg(1), bench.reg(2)) == (0x01010101, 0x02020202)


def test_it_is_a_cortex_a15(arm: Any) -> None:
    source = (
        START + "mrc p15, 0, r1, c0, c0, 0\nmrc p15, 0, r2, c0, c2, 5\nmrc p15, 0, r3, c0, c1, 4\n"
        "mrc p15, 0, r4, c0, c0, 1\nhvc #0"
    )
    bench = program(arm(), source)
    bench.finish()
    assert [bench.reg(n) for n in (1, 2, 3)] == [0x412FC0F1, 0, 0x10201105]
    assert not bench.traps()
