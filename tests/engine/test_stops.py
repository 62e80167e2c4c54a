"""Breakpoints, watchpoints and images on the bare engine: exact, and without a trace in the guest."""

from __future__ import annotations

import random
from typing import Any

import pytest

from .conftest import CODE, DATA, DATA_FRAME, STACK, Bench

LEAVE = "xor eax, eax\nsyscall\n"
LOOP = f"mov rdi, {DATA}\nmov ecx, 50\n1: add dword ptr [rdi], 1\nnop\nmov eax, [rdi]\ndec ecx\njnz 1b\n{LEAVE}"
NEVER = 1 << 60


def breakpoints(bench: Bench, *addresses: int, stops: int = 0) -> int:
    """Set them; let the first `stops` pass."""
    bench.lib.bench_pass(bench.c, stops)
    return int(bench.lib.machine_set_breakpoints(bench.machine, list(addresses), len(addresses)))


def watch(bench: Bench, va: int, size: int, kinds: int, stops: int = 0) -> None:
    bench.lib.bench_pass(bench.c, stops)
    point = bench.ffi.new("struct watchpoint *", {"va": va, "bytes": size, "kinds": kinds, "id": 5})
    assert bench.lib.machine_set_watchpoints(bench.machine, point, 1) == 0


def last(bench: Bench) -> tuple[int, int, Any]:
    """(count, pc, touch) of the last stop point."""
    pc, touch = bench.ffi.new("uint64_t *"), bench.ffi.new("struct touch *")
    return bench.lib.bench_stop(bench.c, pc, touch), pc[0], touch


@pytest.mark.parametrize("block_limit", [0, 1, 3])
def test_a_breakpoint_stops_before_its_instruction(bench: Bench, block_limit: int) -> None:
    bench.lib.machine_set_block_limit(bench.machine, block_limit)
    bench.load(LOOP)
    nop = CODE + 7 + 5 + 3
    breakpoints(bench, nop, stops=4)
    reason, retired = bench.run()
    assert (reason, retired, bench.reg("rip")) == (bench.lib.EXIT_BREAKPOINT, 2 + 4 * 5 + 1, nop)
    assert last(bench)[:2] == (retired, nop)
    assert int.from_bytes(bench.read(DATA_FRAME << 12, 4), "little") == 5
    assert not bench.exit.flags & bench.lib.TRAP_LATE
    breakpoints(bench)
    assert retired + bench.finish() == 2 + 50 * 5 + 2


def test_breakpoints_change_no_count_and_no_result(bench: Bench) -> None:
    bench.load(LOOP)
    want = bench.finish(), bench.digest()
    for addresses in ([CODE], [CODE + 12, CODE + 15, CODE + 16], [CODE + 20, CODE + 13]):
        bench.write(DATA_FRAME << 12, bytes(4))
        bench.start()
        breakpoints(bench, *addresses, stops=NEVER)
        assert (bench.finish(), bench.digest()) == want


def test_more_breakpoints_than_there_may_be(bench: Bench) -> None:
    limit = bench.lib.ENGINE_BREAKPOINTS
    assert breakpoints(bench, *range(limit + 1)) < 0
    for first in (0, 10_000, 20_000):  # planted ones are forgotten, not run out of
        assert breakpoints(bench, *range(first, first + limit)) == 0
    bench.load(LOOP)
    assert breakpoints(bench, CODE + 15) == 0
    assert bench.run()[0] == bench.lib.EXIT_BREAKPOINT


def test_a_breakpoint_behind_a_fault_at_the_same_count_is_late(bench: Bench) -> None:
    bench.lib.bench_skip(bench.c, 2)
    bench.load(f"nop\nud2\nnop\n{LEAVE}")
    breakpoints(bench, CODE + 3)
    reason, retired = bench.run()
    assert (reason, retired, bench.reg("rip")) == (bench.lib.EXIT_BREAKPOINT, 1, CODE + 3)
    assert bench.exit.flags & bench.lib.TRAP_LATE


def test_a_watchpoint_stops_behind_the_access(bench: Bench) -> None:
    bench.load(LOOP)
    watch(bench, DATA + 2, 1, bench.lib.WATCH_WRITE, stops=2)
    reason, retired = bench.run()
    assert (reason, retired) == (bench.lib.EXIT_BREAKPOINT, 2 + 2 * 5 + 1)
    count, _, touch = last(bench)
    assert count == retired
    assert (touch.pc, touch.va, touch.size, touch.kinds, touch.id) == (
        CODE + 12, DATA, 4, bench.lib.WATCH_WRITE, 5,
    )  # fmt: skip
    assert int.from_bytes(bench.read(DATA_FRAME << 12, 4), "little") == 3
    watch(bench, DATA + 2, 1, bench.lib.WATCH_READ)
    assert bench.run() == (bench.lib.EXIT_BREAKPOINT, 2)
    assert last(bench)[2].pc == CODE + 16


def test_watchpoints_beside_the_data_cost_nothing_in_counts(bench: Bench) -> None:
    bench.load(LOOP)
    want = bench.finish(), bench.digest()
    bench.write(DATA_FRAME << 12, bytes(4))
    bench.start()
    watch(bench, DATA + 4, 8, bench.lib.WATCH_WRITE)
    assert (bench.finish(), bench.digest()) == want
    bench.write(DATA_FRAME << 12, bytes(4))
    bench.start()
    watch(bench, DATA, 4, bench.lib.WATCH_READ | bench.lib.WATCH_WRITE, stops=NEVER)
    assert (bench.finish(), bench.digest()) == want


def test_an_access_that_faults_was_none(bench: Bench) -> None:
    """A store over the end of the mapped pages touches the last bytes, and does not complete."""
    end = DATA + 64 * 4096
    bench.lib.bench_skip(bench.c, 3)
    bench.load(f"mov rdi, {end - 4}\nmov [rdi], rax\nnop\n{LEAVE}")
    watch(bench, end - 4, 4, bench.lib.WATCH_WRITE)
    assert bench.finish() == 2 + 2
    assert [trap[0] for trap in bench.traps()] == [14]


def test_an_instruction_that_stores_twice_is_executed_once(bench: Bench) -> None:
    """CMPXCHG16B compares again if it is executed again: not even a watchpoint on its upper half may make it."""
    bench.load(
        f"mov rdi, {DATA}\nxor eax, eax\nxor edx, edx\nmov ebx, 1\nmov ecx, 2\nlock cmpxchg16b [rdi]\nsetz sil\n{LEAVE}"
    )
    want = bench.finish(), bench.digest()
    for offset in (0, 7, 8, 15):
        for kinds in (bench.lib.WATCH_WRITE, bench.lib.WATCH_READ | bench.lib.WATCH_WRITE):
            bench.write(DATA_FRAME << 12, bytes(16))
            bench.start()
            watch(bench, DATA + offset, 1, kinds, stops=NEVER)
            assert (bench.finish(), bench.digest()) == want
            assert last(bench)[0] == 6


def test_an_access_tells_of_all_the_watchpoints_that_it_touches(bench: Bench) -> None:
    bench.load(f"mov rdi, {DATA}\npush qword ptr [rdi]\n{LEAVE}")
    points = bench.ffi.new("struct watchpoint[3]", [
        {"va": STACK + 0xfff8, "bytes": 1, "kinds": bench.lib.WATCH_WRITE, "id": 0},
        {"va": DATA + 1, "bytes": 1, "kinds": bench.lib.WATCH_READ, "id": 1},
        {"va": DATA, "bytes": 8, "kinds": bench.lib.WATCH_READ, "id": 2},
    ])  # fmt: skip
    bench.lib.bench_pass(bench.c, 0)
    assert bench.lib.machine_set_watchpoints(bench.machine, points, 3) == 0
    assert bench.run() == (bench.lib.EXIT_BREAKPOINT, 2)
    assert bench.lib.bench_touches(bench.c) == 3
    assert last(bench)[2].id == 1


# ---- images ----


def save(bench: Bench) -> Any:
    out = bench.ffi.new("struct image **")
    span = bench.ffi.new("struct arena_span *", {"offset": 0, "bytes": 4096})
    assert bench.lib.machine_save(bench.machine, span, 1, out) == 0
    return bench.ffi.gc(out[0], bench.lib.image_release)


def load(bench: Bench, image: Any) -> None:
    span = bench.ffi.new("struct arena_span *", {"offset": 0, "bytes": 4096})
    assert bench.lib.machine_load(bench.machine, image, span, 1) == 0


def test_memory_comes_back_from_any_image_to_any_other(bench: Bench) -> None:
    rng = random.Random(1)
    arena = bench.ffi.buffer(bench.lib.machine_arena(bench.machine), 4096)
    images = []
    for _ in range(40):
        for _ in range(rng.randrange(20)):
            bench.write(rng.randrange(0x100, 0x7F0) << 12, rng.choice([bytes(4096), rng.randbytes(4096)]))
        arena[rng.randrange(4096)] = rng.randbytes(1)
        if images and rng.random() < 0.3:
            load(bench, rng.choice(images)[0])
        images.append((save(bench), bench.read(0, 2048 << 12), bytes(arena)))
    for image, memory, arena_bytes in rng.sample(images, len(images)):
        load(bench, image)
        assert bench.read(0, 2048 << 12) == memory
        assert bytes(arena) == arena_bytes
    held = bench.lib.image_held(images[0][0])
    newest = images[-1][0]
    load(bench, newest)
    images.clear()
    assert bench.lib.image_held(newest) < held


def test_code_that_an_image_brings_back_is_executed(bench: Bench) -> None:
    bench.load(f"mov ebx, 1\n{LEAVE}")
    first = save(bench)
    bench.finish()
    bench.load(f"mov ebx, 2\n{LEAVE}")
    second = save(bench)
    bench.finish()
    for image, value in ((first, 1), (second, 2), (first, 1)):
        load(bench, image)
        bench.start()
        bench.finish()
        assert bench.reg("rbx") == value


def test_an_image_of_another_size_is_refused(bench: Bench) -> None:
    out = bench.ffi.new("struct image **")
    assert bench.lib.image_create(out, 100, 4096) == 0
    assert bench.lib.machine_load(bench.machine, out[0], bench.ffi.NULL, 0) < 0
    assert bench.lib.image_set(out[0], 101, bytes(4096)) < 0
    bench.lib.image_release(out[0])
