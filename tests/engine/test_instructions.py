"""Which instructions there are: what CPUID offers to a guest is executed, what it hides is an undefined opcode."""

import pytest

from .conftest import DATA, Bench

LEAVE = "xor eax, eax\nsyscall\n"
UNDEFINED = 6


@pytest.mark.parametrize(
    "source",
    [
        "pcmpistri xmm0, xmm1, 0x1a",
        "pcmpgtq xmm0, xmm1",
        "crc32 eax, ebx",
        "pblendw xmm0, xmm1, 3",
        "ptest xmm0, xmm1",
        "palignr xmm0, xmm1, 4",
        "popcnt eax, ebx",
        f"mov esi, {DATA}\nmovbe eax, [rsi]",
        "pclmulqdq xmm0, xmm1, 0",
        "andn eax, ebx, ecx",
        "bextr eax, ebx, ecx",
        "pdep eax, ebx, ecx",
        "mulx eax, ebx, ecx",
        "shlx eax, ebx, ecx",
        "rorx eax, ebx, 3",
        "mov eax, fs:[rsp]",
        "lzcnt eax, ebx",
        "tzcnt eax, ebx",
        "addsubps xmm0, xmm1",
        f"mov esi, {DATA}\ncmpxchg16b [rsi]",
        "fisttp dword ptr [rsp-8]",
        "cmovz eax, ebx",
    ],
)
def test_offered(bench: Bench, source: str) -> None:
    bench.load(f"{source}\n{LEAVE}")
    bench.finish()
    assert bench.traps() == []


@pytest.mark.parametrize(
    ("source", "length"),
    [
        ("rdrand eax", 3),
        ("rdseed eax", 3),
        ("stac", 3),
        ("adcx eax, ebx", 5),
        ("vaddps xmm0, xmm0, xmm1", 4),
        ("vpaddd xmm0, xmm0, xmm1", 4),
        ("vpshufb xmm0, xmm0, xmm1", 5),
        ("vmovaps xmm0, fs:[rsp]", 6),
        ("vzeroupper", 3),
    ],
)
def test_hidden(bench: Bench, source: str, length: int) -> None:
    bench.lib.bench_skip(bench.c, length)
    bench.load(f"{source}\n{LEAVE}")
    bench.finish()
    assert [trap[0] for trap in bench.traps()] == [UNDEFINED]
