"""Which instructions there are: what CPUID offers to a guest is executed, what it hides is an undefined opcode."""

import pytest

from .conftest import CODE, CODE_FRAME, DATA, Bench

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


@pytest.mark.parametrize(
    "code",
    [
        # what libunicorn's translator aborts on: the bit operations on a register
        "f0 0f a3 f7", "f0 0f ab f7", "f0 0f b3 f7", "f0 0f bb f7", "f0 0f ba e7 01", "f0 0f ba ef 01",
        "66 f0 48 0f ab f7", "f0 f0 f0 f0 f0 f0 f0 f0 f0 f0 f0 f0 0f ab f7",
        # what it executes
        "f0 87 c8", "f0 0f c0 c8", "f0 89 08", "f0 8b 00", "f0 c7 00 01 00 00 00", "f0 0f a3 08", "f0 0f ba 20 01",
        "f0 f7 e0", "f0 d8 c0", "f0 39 08", "f0 90", "f0 83 38 01",
    ],
)  # fmt: skip
def test_lock_is_undefined(bench: Bench, code: str) -> None:
    bench.write(CODE_FRAME << 12, bytes.fromhex(code) + b"\x90" * 16)
    bench.start()
    bench.lib.cpu_gprs(bench.cpus[0]).rax = DATA
    bench.run(3)
    assert [(trap[0], trap[3], trap[4]) for trap in bench.traps()] == [(UNDEFINED, 0, CODE)]


@pytest.mark.parametrize(
    "source",
    [
        "add [rax], ecx", "adc dword ptr [rax], 1", "sub byte ptr [rax], 1", "xor [rax], rcx", "inc dword ptr [rax]",
        "dec byte ptr [rax]", "not dword ptr [rax]", "neg qword ptr [rax]", "bts [rax], ecx", "btr dword ptr [rax], 3",
        "btc [rax], rcx", "xchg [rax], ecx", "xadd [rax], cl", "cmpxchg [rax], ecx", "cmpxchg8b [rax]",
        "cmpxchg16b [rax]", "or qword ptr [rax], 1000",
    ],
)  # fmt: skip
def test_lock_is_allowed(bench: Bench, source: str) -> None:
    bench.load(f"mov eax, {DATA}\nxor ecx, ecx\nlock {source}\n{LEAVE}")
    bench.finish()
    assert bench.traps() == []
