"""One test for each defect of libunicorn that would corrupt a guest in silence (docs/engine.md numbers them)."""

from __future__ import annotations

import threading
import time

import pytest

from .conftest import CODE, CODE_FRAME, DATA, DATA_FRAME, STACK, Bench

LEAVE = "xor eax, eax\nsyscall\n"
ALIAS = 0x900000


def test_d1_faults_in_a_row_stay_themselves(bench: Bench) -> None:
    bench.lib.bench_skip(bench.c, 2)
    bench.load("ud2\n" * 5 + "hlt; nop\n" * 3 + LEAVE)
    bench.finish()
    assert [t[0] for t in bench.traps()] == [6] * 5 + [13] * 3


def test_d2_a_stop_never_repeats_a_read_modify_write(bench: Bench) -> None:
    bench.load(f"mov rdi, {DATA}\nmov ecx, 20000\n1: add dword ptr [rdi], 1\ndec ecx\njnz 1b\n{LEAVE}")
    total, reason = 0, bench.lib.EXIT_BUDGET
    while reason == bench.lib.EXIT_BUDGET:
        reason, retired = bench.run(7)
        total += retired
    assert (total, int.from_bytes(bench.read(DATA_FRAME << 12, 4), "little")) == (60004, 20000)


def test_d2_a_kick_from_a_thread_stops_between_instructions(bench: Bench) -> None:
    """The kicked run ends with an exact count, and the memory agrees with it."""
    bench.load(f"mov rdi, {DATA}\n1: add dword ptr [rdi], 1\njmp 1b")
    thread = threading.Thread(target=lambda: (time.sleep(0.02), bench.lib.cpu_kick(bench.cpus[0])))
    thread.start()
    total = 0
    for _ in range(10000):
        reason, retired = bench.run(100_000)
        total += retired
        if reason == bench.lib.EXIT_KICK:
            break
    thread.join()
    assert reason in (bench.lib.EXIT_KICK, bench.lib.EXIT_BUDGET)
    assert int.from_bytes(bench.read(DATA_FRAME << 12, 4), "little") == total // 2


def test_d3_nothing_beyond_the_code_is_translated(bench: Bench) -> None:
    bench.map(0, 0, 0)
    bench.map(CODE + 0x1000, 0, 0)
    bench.load(f".org 0xffc\n{LEAVE}")
    bench.lib.cpu_gprs(bench.cpus[0]).rip = CODE + 0xFFC
    assert bench.finish() == 2
    assert bench.traps() == []


def test_d3_address_0_is_code_like_any_other(bench: Bench) -> None:
    """Grub's PV image is linked there. Without exits enabled libunicorn takes 0 for the address to stop at."""
    bench.map(0, CODE_FRAME)
    bench.load(f"mov ebx, 7\n{LEAVE}")
    bench.lib.cpu_gprs(bench.cpus[0]).rip = 0
    assert bench.finish() == 3
    assert bench.reg("rbx") == 7 and bench.traps() == []


@pytest.mark.parametrize("where", [CODE, ALIAS])
def test_d4_d5_every_store_to_code_is_seen(bench: Bench, where: int) -> None:
    """Through the executable mapping and through another one, the first time and each time after."""
    bench.map(ALIAS, CODE_FRAME)
    bench.load(f"""
        mov r12d, 50
        mov rdi, {where} + (patch + 1 - _start)
    1:  call patch
        add rbx, rax
        inc dword ptr [rdi]
        dec r12d
        jnz 1b
        {LEAVE}
    patch:
        mov eax, 100
        ret
    """)
    bench.finish()
    assert bench.reg("rbx") == sum(range(100, 150))


@pytest.mark.parametrize("where", [CODE, ALIAS])
def test_d5_stores_to_code_in_another_page_are_seen_each_time(bench: Bench, where: int) -> None:
    """Fewer than make the frame a mixed one: each call takes the writable translation away, each store the code."""
    bench.map(ALIAS + 0x1000, CODE_FRAME + 1)
    bench.load(f"""
        mov r12d, 4
        mov rdi, {where} + 0x1001
    1:  call patch
        add rbx, rax
        inc dword ptr [rdi]
        dec r12d
        jnz 1b
        {LEAVE}
        .org 0x1000
    patch:
        mov eax, 100
        ret
    """)
    bench.finish()
    assert bench.reg("rbx") == sum(range(100, 104))


def test_a_store_into_the_running_block_takes_effect_at_the_next_instruction(bench: Bench) -> None:
    bench.load(f"""
        mov r12d, 20
    1:  inc byte ptr [patch + 1]
    patch:
        mov al, 0
        movzx eax, al
        add rbx, rax
        dec r12d
        jnz 1b
        {LEAVE}
    """)
    assert bench.finish() == 1 + 20 * 6 + 2
    assert bench.reg("rbx") == sum(range(1, 21))


def test_d6_host_writes_drop_translated_code(bench: Bench) -> None:
    bench.load(f"mov ebx, 1\n{LEAVE}")
    bench.finish()
    bench.write((CODE_FRAME << 12) + 1, b"\x02")
    bench.start()
    bench.finish()
    assert bench.reg("rbx") == 2


def test_a_store_of_one_cpu_drops_the_code_of_the_others(bench2: Bench) -> None:
    bench2.load(f"call patch\n{LEAVE}\n.org 0x1000\npatch: mov ebx, 1\nret", cpu=1)
    bench2.finish(cpu=1)
    writer = f"mov byte ptr [{CODE + 0x1001}], 7\n{LEAVE}"
    from .conftest import assemble

    bench2.write((CODE_FRAME + 8) << 12, assemble(writer))
    for value in (7, 7):
        bench2.start(CODE + 0x8000, cpu=0)
        bench2.finish(cpu=0)
        bench2.start(cpu=1)
        bench2.finish(cpu=1)
        assert bench2.reg("rbx", cpu=1) == value
        bench2.write((CODE_FRAME << 12) + 0x1001, b"\x01")


def test_d7_restoring_a_cpu_forgets_its_translations(bench: Bench) -> None:
    bench.load(f"mov rax, [{DATA}]\nmov rbx, rax\n{LEAVE}")
    bench.write(DATA_FRAME << 12, (5).to_bytes(8, "little"))
    bench.write((DATA_FRAME + 1) << 12, (6).to_bytes(8, "little"))
    state = bench.ffi.new("struct x86_state *")
    bench.lib.cpu_get_state(bench.cpus[0], state)
    bench.finish()
    assert bench.reg("rbx") == 5
    table = _leaf_table(bench, DATA)
    bench.write(table, ((DATA_FRAME + 1) << 12 | 7).to_bytes(8, "little"))  # behind everybody's back
    bench.lib.cpu_set_state(bench.cpus[0], state)
    bench.finish()
    assert bench.reg("rbx") == 6


def _leaf_table(bench: Bench, va: int) -> int:
    """Machine address of the level 1 entry of `va`."""
    table = 1
    for level in (3, 2, 1):
        entry = int.from_bytes(bench.read((table << 12) + (va >> 12 + 9 * level & 511) * 8, 8), "little")
        table = entry >> 12 & 0xFFFFFFFFF
    return (table << 12) + (va >> 12 & 511) * 8


def test_d11_a_trap_handler_may_move_the_program_counter(bench: Bench) -> None:
    bench.lib.bench_skip(bench.c, 7)
    bench.load(f"ud2\n mov ebx, 5\n mov ecx, 9\n{LEAVE}")
    assert bench.finish() == 1 + 2
    assert (bench.reg("rbx"), bench.reg("rcx")) == (0, 9)


def test_accessed_and_dirty_bits(bench: Bench) -> None:
    bench.load(f"mov rax, [{DATA}]\nmov [{DATA + 0x1000}], rax\n{LEAVE}")
    bench.finish()
    assert [bench.lib.bench_pte(bench.c, DATA + page * 0x1000) & 0x60 for page in range(3)] == [0x20, 0x60, 0]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("mov rax, [0x10]", 4),
        ("mov [0x10], rax", 6),
        (f"mov [{DATA}], rax", 7),
        (f"mov rax, {DATA + 0x1000}\njmp rax", 0x15),
        (f"mov rax, [{DATA + 0x2000}]", 5),
        ("mov rax, 0x10\njmp rax", 0x14),
    ],
)
def test_page_fault_error_codes(bench: Bench, source: str, error: int) -> None:
    bench.map(DATA, DATA_FRAME, 5)
    bench.map(DATA + 0x1000, DATA_FRAME + 1, 7 | 1 << 63)
    bench.map(DATA + 0x2000, DATA_FRAME + 2, 3)
    bench.load(source)
    assert bench.run()[0] == bench.lib.EXIT_EXCEPTION
    assert (bench.exit.vector, bench.exit.error) == (14, error)


def test_nothing_of_the_host_is_visible(bench: Bench) -> None:
    """rdrand is no instruction, rdtsc is the count, rdpmc and port access fault, cpuid is answered above."""
    bench.lib.bench_skip(bench.c, 3)
    source = "rdrand eax\nmov eax, 7\nmov ecx, 2\ncpuid\nmov esi, edx\nrdpmc\nnop\nin al, 0x70\nnop\nin al, 0x80\n"
    bench.load(source + LEAVE)
    bench.finish()
    assert [t[0] for t in bench.traps()] == [6, 13, 13]
    assert bench.reg("rsi") == 7 * 16 + 2 + 3


def test_state_can_be_taken_and_put_back_exactly(bench: Bench) -> None:
    """All registers, x87 and SSE among them, in the middle of a program: the rest runs as if nothing had been."""
    source = f"""
        fninit; fld1; fldpi; fldl2e
        movd xmm3, esp; pshufd xmm3, xmm3, 0
        stc
        mov ecx, 10
    1:  adc rbx, rcx
        fmul st, st(1)
        dec ecx
        jnz 1b
        fstp qword ptr [{DATA}]
        paddd xmm3, xmm3
        movups [{DATA + 64}], xmm3
        std
        {LEAVE}
    """
    bench.load(source)
    total = bench.finish()
    want = bench.digest()
    for stop in range(1, total, 3):
        bench.write(DATA_FRAME << 12, bytes(128))
        bench.load(source)
        bench.run(stop)
        state = bench.ffi.new("struct x86_state *")
        bench.lib.cpu_get_state(bench.cpus[0], state)
        bench.start(STACK)
        bench.lib.cpu_set_state(bench.cpus[0], state)
        bench.finish()
        assert bench.digest() == want, stop
