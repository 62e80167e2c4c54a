"""Cached translations of some addresses are dropped: the code that ran there is not found again."""

from __future__ import annotations

import pytest

from .conftest import CODE_FRAME, Bench

WINDOW = 0x40000000
OLD, NEW = CODE_FRAME + 2, CODE_FRAME + 3
CALLS = """
0:  xor edx, edx
1:  call rbx
    add rbx, 4096
    loop 1b
    xor eax, eax
    syscall
    jmp 0b
    .org 0x2000
    add rdx, 1
    ret
    .org 0x3000
    add rdx, 10000
    ret
"""
"""Call the code of RCX pages from RBX on. A further run goes on behind SYSCALL: a fresh start would drop everything."""


def called(bench: Bench, first: int, pages: int = 1) -> int:
    """What the code of these pages adds up to."""
    registers = bench.lib.cpu_gprs(bench.cpus[0])
    registers.rbx, registers.rcx = WINDOW + first * 4096, pages
    bench.finish()
    return bench.reg("rdx")


@pytest.mark.parametrize("pages", [5, 700])
@pytest.mark.parametrize("reach", [0x1000, 0x200000, 1 << 48])
def test_a_page_with_other_code(bench: Bench, pages: int, reach: int) -> None:
    """By indirect calls, whose blocks are remembered by address. Of 700 pages, more than are kept account of, too."""
    for page in range(pages):
        bench.map(WINDOW + page * 4096, OLD)
    bench.load(CALLS)
    assert called(bench, 0, pages) == pages
    for page in (3, 0, pages - 1):
        assert called(bench, page) == 1
        va = WINDOW + page * 4096
        start = va & ~(reach - 1)
        bench.lib.bench_remap(bench.c, bench.cpus[0], va, NEW, start, start + reach)
        assert called(bench, page) == 10000
    assert called(bench, 0, pages) == pages - 3 + 3 * 10000
