"""Page tables of 32-bit guests, edited without a flush: two levels with and without large pages, and PAE.
Walked or shadowed, cut anywhere, with and without shadows: the guest sees the same, and the state hash is the same."""

from __future__ import annotations

import random
import struct
from itertools import pairwise

import pytest

from hv.arch.x86.builder.hvm import build_hvm, start
from hv.arch.x86.paging.guest import guest_walk
from hv.arch.x86.paging.walk import LARGE
from hv.devices.platform import Platform
from hv.hypervisor import Hypervisor
from hv.native import lib
from tests.devices.flat32 import compiled

DONE, INSNS = 0x300100, 60_000
WINDOW, PAE_TOP = 0x40000000, 0x280020
MODES = ["two levels", "two levels with large pages", "PAE"]

PROGRAM = r"""
typedef unsigned int u32;
typedef unsigned long long u64;
#if MODE == 2
typedef u64 pte;
#define LARGE_BYTES 0x200000u
#else
typedef u32 pte;
#define LARGE_BYTES 0x400000u
#endif
enum { P = 1, RW = 2, A = 0x20, D = 0x40, PS = 0x80, FLAGS = P | RW };
enum { BIG = 0x800000, OTHER_BIG = 0xc00000, DATA = 0x290000 };
#define WINDOW 0x40000000u
static volatile u32 *const done = (u32 *)0x300100;
static volatile pte *const l1 = (pte *)0x281000, *const other = (pte *)0x285000, *const copy = (pte *)0x286000;
static u32 root;
#if MODE == 2
static volatile pte *const top = (pte *)0x280020, *const low = (pte *)0x283000, *const l2 = (pte *)0x284000;
#else
static volatile pte *const top = (pte *)0x280000, *const low = (pte *)0x282000, *const l2 = (pte *)0x280000 + 256;
#endif
#define AT(slot) (*(volatile u32 *)(WINDOW + (slot) * 0x1000u))
#define LARGE (*(volatile u32 *)(WINDOW + LARGE_BYTES))
#define CHECK(what) ((what) ? (void)0 : (void)(done[1]++ == 0 ? done[2] = __LINE__ : 0))
static void set(volatile pte *where, u32 to, u32 flags) { *where = (pte)(to | flags); }
static u32 data(u32 i) { return DATA + i * 0x1000; }
static void load_root(u32 to) { __asm__ volatile("movl %0, %%cr3" :: "r"(to) : "memory"); }
static void cr4(u32 clear, u32 bits)
{
    u32 v;
    __asm__ volatile("movl %%cr4, %0; andl %1, %0; orl %2, %0; movl %0, %%cr4"
                     : "=&r"(v) : "ir"(~clear), "ir"(bits) : "memory");
}
static void cr0(u32 clear, u32 bits)
{
    u32 v;
    __asm__ volatile("movl %%cr0, %0; andl %1, %0; orl %2, %0; movl %0, %%cr0"
                     : "=&r"(v) : "ir"(~clear), "ir"(bits) : "memory");
}

static void build(void)
{
    for (u32 i = 0; i < 8; i++) {
        *(volatile u32 *)data(i) = 100 + i;
        set(&l1[i], data(i), FLAGS);
    }
    root = (u32)top;
#if MODE == 2
    set(&top[0], (u32)low, P);
    set(&top[1], (u32)l2, P);
    set(&low[0], 0, FLAGS | PS);
    set(&low[1], 0x200000, FLAGS | PS);
    cr4(0, 0x20);
#else
    for (u32 i = 0; i < 1024; i++)
        set(&low[i], i << 12, FLAGS);
    set(&top[0], (u32)low, FLAGS);
    if (MODE == 1)
        cr4(0, 0x10);
#endif
    set(&l2[0], (u32)l1, FLAGS);
    load_root(root);
    cr0(0, 0x80010000);
}

static void leaves(void)
{
    CHECK(AT(0) == 100 && l1[0] == (data(0) | FLAGS | A) && l2[0] == ((u32)l1 | FLAGS | A));
    AT(0) = 100;
    CHECK(l1[0] == (data(0) | FLAGS | A | D));
    set(&l1[0], data(1), FLAGS | A);
    CHECK(AT(0) == 101 && l1[0] == (data(1) | FLAGS | A));
    AT(0) = 101;
    CHECK(l1[0] == (data(1) | FLAGS | A | D));
    *(volatile unsigned char *)&l1[0] = FLAGS;
    CHECK(AT(0) == 101 && l1[0] == (data(1) | FLAGS | A));
    set(&l1[2], data(2), P);                              /* read-only, which ring 0 does not mind without CR0.WP */
    CHECK(AT(2) == 102);
    cr0(0x10000, 0);
    AT(2) = 112;
    CHECK(l1[2] == (data(2) | P | A | D) && AT(2) == 112);
    cr0(0, 0x10000);
    CHECK(AT(2) == 112);
    set(&l1[2], data(2), FLAGS);
}

static void tables(void)
{
    for (u32 i = 0; i < 8; i++)
        set(&other[i], data(7 - i), FLAGS);
    set(&l2[0], (u32)other, FLAGS);
    CHECK(AT(0) == 107 && l2[0] == ((u32)other | FLAGS | A));
    set(&l2[1], (u32)other, FLAGS);                       /* in two places */
    CHECK(LARGE == 107);
    set(&other[0], data(3), FLAGS);
    CHECK(AT(0) == 103 && LARGE == 103);
    set(&l2[0], (u32)l1, FLAGS);
    CHECK(AT(0) == 101 && LARGE == 103);
    for (u32 i = 0; i < sizeof(pte) * 512 / 4; i++)       /* no table any more */
        ((volatile u32 *)other)[i] = 0x11111111;
    set(&l2[1], 0, 0);
    u32 old = (u32)top & ~0xfffu, new = (u32)copy, offset = (u32)top & 0xfff;
    for (u32 i = 0; i < 1024; i++)
        ((volatile u32 *)new)[i] = ((volatile u32 *)old)[i];
    set((volatile pte *)0x287000, data(5), FLAGS);        /* a window of its own in the second root */
#if MODE == 2
    set((volatile pte *)0x288000, 0x287000, FLAGS);
    set((volatile pte *)(new + offset) + 1, 0x288000, P);
#else
    set((volatile pte *)(new + offset) + 256, 0x287000, FLAGS);
#endif
    for (u32 i = 0; i < 6; i++) {
        load_root(new + offset);
        CHECK(AT(0) == 105);
        load_root(old + offset);
        CHECK(AT(0) == 101);
    }
#if MODE == 2
    set(&top[1], 0x288000, P);                            /* entries at the top are not marked */
    CHECK(AT(0) == 105);
    set(&top[1], (u32)l2, P);
    CHECK(AT(0) == 101 && top[1] == ((u32)l2 | P));
#endif
}

static void large(void)
{
#if MODE != 0
    u32 seen = data(4) | FLAGS;
    cr0(0x80000000, 0);                                   /* paging off: these addresses are memory's own */
    *(volatile u32 *)BIG = seen;
    *(volatile u32 *)(BIG + 4) = 0;
    *(volatile u32 *)OTHER_BIG = 71;
    *(volatile u32 *)(BIG + LARGE_BYTES - 4) = 72;
    cr0(0, 0x80000000);
    set(&l2[1], BIG, FLAGS | PS);
    CHECK(LARGE == seen && l2[1] == (BIG | FLAGS | PS | A));
    CHECK((&LARGE)[LARGE_BYTES / 4 - 1] == 72);
    (&LARGE)[1024] = 5;
    CHECK(l2[1] == (BIG | FLAGS | PS | A | D));
    set(&l2[1], OTHER_BIG, FLAGS | PS);
    CHECK(LARGE == 71);
    (&LARGE)[1025] = 6;
    CHECK(l2[1] == (OTHER_BIG | FLAGS | PS | A | D));
    set(&l2[1], BIG, FLAGS | PS);
    CHECK((&LARGE)[1024] == 5 && (&LARGE)[1025] == 0);
    for (u32 i = 0; MODE == 1 && i < 3; i++) {            /* without CR4.PSE the same entry leads to a table */
        cr4(0x10, 0);
        CHECK(LARGE == 104);
        cr4(0, 0x10);
        CHECK((LARGE & ~(A | D)) == seen);
    }
    set(&l2[1], 0, 0);
#endif
}

/* One frame is a table of entries of both sizes, in turn. What is half of a larger entry was no entry at all. */
static void two_formats(void)
{
#if MODE == 2
    volatile u32 *directory = (volatile u32 *)0x289000;
    directory[0] = FLAGS | PS;
    directory[256] = (u32)l1 | FLAGS;
    CHECK(AT(0) == 101 && AT(1) == 101);
    cr0(0x80000000, 0);
    cr4(0x20, 0x10);
    load_root(0x289000);
    cr0(0, 0x80000000);
    CHECK(AT(0) == 101);
    ((volatile u32 *)l1)[1] = 1;                          /* and there is no memory that high */
    CHECK(AT(0) == 101);
    cr0(0x80000000, 0);
    cr4(0x10, 0x20);
    load_root(root);
    cr0(0, 0x80000000);
    CHECK(AT(1) == 101);                                  /* from here on what was kept is looked at again */
    CHECK(AT(0) == 0xffffffff);
    ((volatile u32 *)l1)[1] = 0;
    CHECK(AT(0) == 101);
#endif
}

static void anything(void)
{
    u32 seed = 5, sum = 0;
    for (u32 round = 0; round < 700; round++) {
        seed = seed * 1664525 + 1013904223;
        u32 slot = seed >> 12 & 7, to = seed >> 16 & 7, kind = seed >> 28 & 3;
        if (kind == 0)
            set(&l1[slot], data(to), FLAGS);
        else if (kind == 1)
            set(&l1[slot], (u32)l1[slot] & ~(A | D), 0);
        else {
            u32 before = (u32)l1[slot], marks = kind == 3 ? A | D : A;
            if (kind == 3)
                AT(slot) = seed;
            sum += AT(slot);
            CHECK(AT(slot) == *(volatile u32 *)(before & ~0xfffu) && l1[slot] == (before | marks));
        }
    }
    done[3] = sum;
}

__asm__(".globl _start\n_start: movl $0x90000, %esp\n jmp work\n");
void work(void)
{
    build();
    leaves();
    tables();
    large();
    two_formats();
    anything();
    done[0] = 1;
    for (;;)
        ;
}
"""


@pytest.fixture(scope="module", params=range(len(MODES)), ids=MODES)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return compiled(tmp_path_factory.mktemp("paging"), f"#define MODE {request.param}\n{PROGRAM}")


def machine(program: bytes, paging: str) -> Hypervisor:
    hv = Hypervisor(memory_mib=24, paging=paging)
    domain = hv.create_domain("pc", memory_mib=24, kind="hvm")
    built = build_hvm(domain, program)
    Platform(domain).reset()
    start(domain, built)
    return hv


def verdict(hv: Hypervisor) -> tuple[int, int, int]:
    done, failures, line = struct.unpack("<III", hv.domains[0].read_physical(DONE, 12))
    return done, failures, line


def test_walked(program: bytes) -> None:
    hv = machine(program, "walk")
    hv.run(max_insns=INSNS)
    assert verdict(hv) == (1, 0, 0), "done, failures, line of the first"
    assert hv.audit() == ""


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_shadowed_cut_and_dropped(program: bytes, limit: int) -> None:
    straight = machine(program, "walk")
    straight.run(max_insns=INSNS)
    rng = random.Random(limit)
    hv = machine(program, "shadow")
    lib.machine_set_block_limit(hv.machine, limit)
    while hv.instructions < INSNS:
        hv.run(max_insns=min(INSNS, hv.instructions + rng.randrange(1, 3000)))
        assert hv.audit() == ""
        match rng.randrange(4):
            case 0:
                lib.hv_shadow_drop(hv.native)
            case 1:
                lib.machine_tlb_stale(hv.machine)
            case 2:
                hv.restore(hv.snapshot())
    assert verdict(hv) == (1, 0, 0)
    assert hv.state_hash == straight.state_hash


def test_walks_laid_open(program: bytes) -> None:
    """The debugger's view: entries as they lie in memory, shadows that lead to the same frames as guest and p2m."""
    hv = machine(program, "shadow")
    hv.run(max_insns=INSNS)
    domain, vcpu = hv.domains[0], hv.domains[0].vcpus[0]
    kept = []
    code = vcpu.registers["rip"]
    for address in (code, *(WINDOW + slot * 0x1000 for slot in range(9))):
        walk = guest_walk(vcpu, address)
        size = 4 if walk.levels == 2 else 8
        assert walk.levels == (3 if walk.root == PAE_TOP else 2)
        for step, table in zip(walk.steps, walk.tables, strict=True):
            offset = step.slot * size + (walk.root % 0x1000 if step.level == walk.levels else 0)
            assert domain.read_physical(step.table * 0x1000 + offset, size) == step.entry.to_bytes(size, "little")
            assert domain.frame_of(step.table) == table
        assert walk.mapped == (address != WINDOW + 8 * 0x1000)
        if not walk.mapped:
            assert not walk.steps[-1].present
            continue
        last = walk.steps[-1]
        if not last.entry & LARGE:
            assert walk.gfn == last.entry >> 12
        assert walk.p2m >> lib.P2M_FRAME_SHIFT == domain.frame_of(walk.gfn)
        for above, below in pairwise(walk.shadows):
            assert above.to == below.number and above.level == below.level + 1
        if walk.shadows[-1].level == 1 and walk.shadows[-1].rights:
            kept.append(address)
            assert walk.shadows[-1].to == domain.frame_of(walk.gfn)
    assert code in kept and len(kept) > 2
    lib.hv_shadow_drop(hv.native)
    assert guest_walk(vcpu, code).shadows == ()
