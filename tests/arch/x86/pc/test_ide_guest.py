"""The IDE controller on a real machine, driven by a program on the emulated processor: the data port that C serves, the
timer, the interrupt line, DMA into guest memory, snapshots in the middle."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

import pytest

from hv.arch.x86.builder.hvm import build_hvm, start
from hv.devices.ata_disk import HardDisk
from hv.devices.atapi import CdRom
from hv.devices.bus import Region
from hv.devices.ide import Ide
from hv.devices.platform import Platform
from hv.domain import Domain
from hv.hypervisor import Hypervisor, Stop
from hv.native import lib
from hv.statehash import state_hash
from tests.devices.ata_driver import MASTERS, disk_of
from tests.devices.flat32 import compiled

CONTENTS = random.Random(13).randbytes(512 * 600)
READ, WRITTEN, BY_DMA, CD, DONE = 0x200000, 0x210000, 0x220000, 0x240000, 0x300000
DEVICE_MEMORY = 0xE0000000

PROGRAM = r"""
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;
static inline void out8(u16 p, u8 v) { __asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(p)); }
static inline void out32(u16 p, u32 v) { __asm__ volatile("outl %0, %1" :: "a"(v), "Nd"(p)); }
static inline u8 in8(u16 p) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(p)); return v; }
static inline void insw(u16 p, void *to, u32 n)
{ __asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(p) : "memory"); }
static inline void outsw(u16 p, const void *from, u32 n)
{ __asm__ volatile("rep outsw" : "+S"(from), "+c"(n) : "d"(p) : "memory"); }

/* The interrupt, as the slave 8259A sees it: input 6 or 7. */
static void wait_interrupt(u16 base)
{
    u8 bit = base == 0x1f0 ? 0x40 : 0x80;
    out8(0xa0, 0x0a);
    while (!(in8(0xa0) & bit))
        ;
    in8(base + 7);
}
static void command(u16 base, u8 device, u32 lba, u8 count, u8 opcode)
{
    out8(base + 6, device);
    out8(base + 2, count);
    out8(base + 3, lba); out8(base + 4, lba >> 8); out8(base + 5, lba >> 16);
    out8(base + 7, opcode);
}
static const u8 packet[12] = { 0x28, 0, 0, 0, 0, 5, 0, 0, 3 };

__asm__(".globl _start\n_start: movl $0x90000, %esp\n jmp work\n");
void work(void)
{
    static u32 prd[4] __attribute__((aligned(16)));
    volatile u32 *done = (u32 *)0x300000;
    out8(0xa0, 0x11); out8(0xa1, 0x28); out8(0xa1, 2); out8(0xa1, 1);

    command(0x1f0, 0xe0, 7, 3, 0x20);                    /* READ SECTORS */
    for (u32 i = 0; i < 3; i++) {
        wait_interrupt(0x1f0);
        insw(0x1f0, (u8 *)0x200000 + 512 * i, 256);
    }
    command(0x1f0, 0xe0, 300, 1, 0x20);                  /* READ SECTORS, into a device's memory: two accesses a word */
    wait_interrupt(0x1f0);
    insw(0x1f0, (u8 *)0xe0000000, 256);
    command(0x1f0, 0xe0, 100, 2, 0x30);                  /* WRITE SECTORS */
    while ((in8(0x3f6) & 0x88) != 8)
        ;
    outsw(0x1f0, (u8 *)0x200000, 256);
    wait_interrupt(0x1f0);
    outsw(0x1f0, (u8 *)0x200200, 256);
    wait_interrupt(0x1f0);

    prd[0] = 0x220000; prd[1] = 0x1000; prd[2] = 0x221000; prd[3] = 0x80000000;
    out32(0xc004, (u32)prd);
    out8(0xc000, 8);
    command(0x1f0, 0xe0, 200, 136, 0xc8);                /* READ DMA */
    out8(0xc000, 9);
    wait_interrupt(0x1f0);
    done[1] = in8(0xc002);
    out8(0xc000, 0);

    out8(0x171, 0); out8(0x174, 0); out8(0x175, 8);      /* PACKET: READ(10) in blocks of 2048 bytes */
    out8(0x176, 0xa0); out8(0x177, 0xa0);
    while ((in8(0x376) & 0x88) != 8)
        ;
    outsw(0x170, packet, 6);
    for (u32 i = 0; i < 3; i++) {
        wait_interrupt(0x170);
        insw(0x170, (u8 *)0x240000 + 2048 * i, 1024);
    }
    wait_interrupt(0x170);
    done[2] = in8(0x172);
    done[0] = 1;
    for (;;)
        ;
}
"""


class Machine(NamedTuple):
    hv: Hypervisor
    domain: Domain
    ide: Ide
    device_memory: bytearray


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return compiled(tmp_path_factory.mktemp("program"), PROGRAM)


def machine(folder: Path, program: bytes) -> Machine:
    hv = Hypervisor(memory_mib=8)
    domain = hv.create_domain("pc", memory_mib=8, kind="hvm")
    built = build_hvm(domain, program)
    platform = Platform(domain)
    ide = Ide(platform, (HardDisk(disk_of(folder, CONTENTS)), None, CdRom(disk_of(folder, CONTENTS, "cd"))))
    platform.add(ide)
    device_memory = bytearray(512)

    def take(offset: int, size: int, value: int) -> None:
        device_memory[offset : offset + size] = value.to_bytes(size, "little")

    platform.memory.map(Region("memory", 512, lambda offset, size: 0, take), DEVICE_MEMORY)
    platform.reset()
    lib.hv_hvm_domain(hv.native, domain.c).has_pic = True
    ide.config_write(0x20, 4, MASTERS)
    ide.config_write(4, 2, 5)
    start(domain, built)
    return Machine(hv, domain, ide, device_memory)


def run(pc: Machine) -> None:
    while not pc.domain.read_physical(DONE, 1)[0]:
        assert pc.hv.run(max_insns=pc.hv.instructions + 700).stop == Stop.INSNS
        assert pc.hv.instructions < 2_000_000


def check(pc: Machine) -> None:
    read = pc.domain.read_physical
    assert read(READ, 3 * 512) == CONTENTS[7 * 512 : 10 * 512]
    assert pc.device_memory == CONTENTS[300 * 512 : 301 * 512]
    disk = pc.ide.drives[0]
    assert disk is not None and disk.disk is not None
    assert disk.disk.read(100, 3) == CONTENTS[7 * 512 : 9 * 512] + CONTENTS[102 * 512 : 103 * 512]
    assert read(BY_DMA, 136 * 512) == CONTENTS[200 * 512 : 336 * 512]
    assert read(CD, 3 * 2048) == CONTENTS[5 * 2048 : 8 * 2048]
    assert read(DONE + 4, 1)[0] & 7 == 4 and read(DONE + 8, 1)[0] & 3 == 3


def test_a_driver_on_the_processor(tmp_path: Path, program: bytes) -> None:
    pc = machine(tmp_path, program)
    run(pc)
    check(pc)


def test_snapshots_in_the_middle(tmp_path: Path, program: bytes) -> None:
    """Saved every few thousand instructions; each is run on from, on the same machine, to the same hash."""
    pc = machine(tmp_path, program)
    snapshots = []
    while not pc.domain.read_physical(DONE, 1)[0]:
        snapshots.append(pc.hv.snapshot())
        assert pc.hv.run(max_insns=pc.hv.instructions + 700).stop == Stop.INSNS
    end, expected = pc.hv.instructions, state_hash(pc.hv)
    assert len(snapshots) > 20
    for snapshot in reversed(snapshots):
        pc.hv.restore(snapshot)
        pc.hv.run(max_insns=end)
        assert state_hash(pc.hv) == expected
    check(pc)


def test_two_runs_are_the_same(tmp_path: Path, program: bytes) -> None:
    one, other = machine(tmp_path, program), machine(tmp_path, program)
    run(one)
    while other.hv.instructions < one.hv.instructions:
        other.hv.run(max_insns=min(other.hv.instructions + 97, one.hv.instructions))
    assert state_hash(one.hv) == state_hash(other.hv)
