"""Accessed and dirty bits of a guest's own page tables: not in read-only memory, and seen by code beside them."""

from __future__ import annotations

import struct
from pathlib import Path

from hv.arch.x86.builder.hvm import build_hvm, start
from hv.devices.platform import Platform
from hv.hypervisor import Hypervisor, Stop
from hv.native import lib
from tests.devices.flat32 import compiled

TABLE, DONE, PAGES = 0x280000, 0x300100, 1024
PRESENT, WRITE, LARGE, ACCESSED = 1, 2, 0x80, 0x20
CODE = 5
"""An entry whose bytes are code as well, of another meaning once it has been accessed."""
XCHG_EAX_EBX, MOV_BL, RET = 0x93, 0xB3, 0xC3

PROGRAM = r"""
typedef unsigned int u32;
static volatile u32 *const done = (u32 *)0x300100;
__asm__(".globl _start\n_start: movl $0x90000, %esp\n jmp work\n");
static u32 run(void)
{
    u32 b = 0x11;
    __asm__ volatile("call *%1" : "+b"(b) : "r"(0x280000 + 4 * 5), "a"(0x22) : "memory");
    return b;
}
void work(void)
{
    __asm__ volatile("movl %%cr4, %%eax; orl $0x10, %%eax; movl %%eax, %%cr4; movl %0, %%cr3;"
                     "movl %%cr0, %%eax; orl $0x80000000, %%eax; movl %%eax, %%cr0" :: "r"(0x280000) : "eax", "memory");
    done[1] = run();
    *(volatile u32 *)(5u << 22);                         /* the entry of its code is accessed */
    done[2] = run();
    done[0] = 1;
    for (;;)
        ;
}
"""


def entries(folder: Path, *, writable: bool) -> tuple[list[int], list[int], tuple[int, int]]:
    """The page directory before and after the program, and what its code in there returned."""
    hv = Hypervisor(memory_mib=8)
    domain = hv.create_domain("pc", memory_mib=8, kind="hvm")
    built = build_hvm(domain, compiled(folder, PROGRAM))
    Platform(domain).reset()
    before = [0] * PAGES
    before[0] = PRESENT | WRITE | LARGE
    before[CODE] = XCHG_EAX_EBX | RET << 8 | RET << 16 | CODE << 28
    domain.write_physical(TABLE, struct.pack(f"<{PAGES}I", *before))
    if not writable:
        frame = domain.frame_of(TABLE >> 12)
        assert frame is not None
        domain.map_frames(TABLE >> 12, [frame], lib.P2M_RAM)
    start(domain, built)
    while not domain.read_physical(DONE, 1)[0]:
        assert hv.run(max_insns=hv.instructions + 1000).stop == Stop.INSNS
        assert hv.instructions < 20_000
    after = struct.unpack(f"<{PAGES}I", domain.read_physical(TABLE, 4 * PAGES))
    first, second = struct.unpack("<II", domain.read_physical(DONE + 4, 8))
    return before, list(after), (first, second)


def test_read_only_tables_stay_as_they_are(tmp_path: Path) -> None:
    before, after, returned = entries(tmp_path, writable=False)
    assert after == before
    assert returned == (0x22, 0x22)


def test_code_in_an_entry_is_translated_anew_when_the_entry_is_accessed(tmp_path: Path) -> None:
    before, after, returned = entries(tmp_path, writable=True)
    assert after[CODE] == before[CODE] | ACCESSED
    assert returned == (0x22, RET)
