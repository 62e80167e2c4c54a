"""AArch64's stage 1: granules of 4 and 64 KiB, what each fault says, and that nothing stale is ever used."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cffi import FFI

from .arm import ARM64, CODE, DATA, DEVICE, RAM, TABLES, ArmBench

VALID, TABLE, PAGE, USER, READ_ONLY, AF = 1, 3, 3, 1 << 6, 1 << 7, 1 << 10
PXN, UXN = 1 << 53, 1 << 54
LIMITS = [1, 7, 512]
HIGH = 0xFFFF_FF80_0000_0000
AT = 0x7F_0000_0000                      # what the tests map for themselves
KINDS = {12: (25, 0 << 14 | 2 << 30, 1), 16: (22, 1 << 14 | 3 << 30, 2)}      # granule: TnSZ, TG0 and TG1, first level


@pytest.fixture
def arm(engine: tuple[FFI, Any]) -> Iterator[Callable[[int], ArmBench]]:
    made: list[ArmBench] = []

    def make(cpus: int = 1, model: int = ARM64) -> ArmBench:
        made.append(ArmBench(engine, cpus, model))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


class Paging:
    """Tables of one granule in TABLES, with RAM mapped where it is."""

    def __init__(self, bench: ArmBench, granule: int) -> None:
        self.bench, self.granule = bench, granule
        self.size, self.fields, self.first = KINDS[granule]
        self.next = TABLES + (2 << 16)
        self.roots = (TABLES, TABLES + (1 << 16))
        for page in range(0, FRAMES_MAPPED, 1 << granule):
            self.map(RAM + page, RAM + page | AF | PAGE)

    def entry(self, va: int, level: int = 3) -> int:
        """Where the entry for `va` is in the table of `level`; makes the tables above."""
        stride = self.granule - 3
        table = self.roots[va >> 63]
        bits = 64 - self.size
        for at in range(self.first, level + 1):
            shift = self.granule + stride * (3 - at)
            place = table + 8 * ((va & ((1 << bits) - 1)) >> shift)
            bits = shift
            if at == level:
                return place
            if not self.read(place) & VALID:
                self.write(place, self.next | TABLE)
                self.next += 1 << self.granule
            table = self.read(place) & 0xFFFF_FFFF_F000
        raise AssertionError

    def read(self, place: int) -> int:
        return int.from_bytes(self.bench.read(place, 8), "little")

    def write(self, place: int, value: int) -> None:
        self.bench.write(place, struct.pack("<Q", value))

    def map(self, va: int, entry: int, level: int = 3) -> None:
        self.write(self.entry(va, level), entry)

    def on(self, cpu: int = 0, more: int = 0) -> None:
        """Switch the MMU on."""
        state = self.bench.state(cpu)
        state.ttbr0, state.ttbr1 = self.roots
        state.tcr = self.size | self.size << 16 | self.fields | 2 << 32
        state.mair, state.vbar = 0xFF, RAM + 0x800
        state.sctlr |= 1 | more
        self.bench.lib.arm_set_state(self.bench.cpus[cpu], state)


FRAMES_MAPPED = 0x20_0000


def syndrome(ec: int, fsc: int, write: bool = False) -> int:
    return ec << 26 | 1 << 25 | write << 6 | fsc


def booted(bench: ArmBench, granule: int) -> Paging:
    bench.load(".space 0x200\nhvc #0", at=RAM + 0x800)
    return Paging(bench, granule)


@pytest.mark.parametrize("granule", [12, 16])
def test_both_halves_translate(arm: Any, granule: int) -> None:
    bench = arm()
    paging = booted(bench, granule)
    paging.map(HIGH + (3 << granule), DATA | AF | PAGE)
    paging.map(AT, DATA | AF | PAGE)
    large = 2 if granule == 16 else 1
    paging.map(AT + (1 << 30), RAM & -(1 << (29 if granule == 16 else 30)) | AF | VALID, large)
    paging.on()
    bench.load(
        f"ldr x0, 1f\nldr x1, 2f\nldr x2, 3f\nmov x3, #77\nstr x3, [x0]\nldr x4, [x1]\nldr x5, [x2]\nhvc #0\n"
        f".balign 8\n1: .quad {HIGH + (3 << granule)}\n2: .quad {AT}\n3: .quad {AT + (1 << 30) + DATA - RAM}"
    )
    assert bench.finish() == 8
    assert (bench.reg(4), bench.reg(5)) == (77, 77)
    assert bench.read(DATA, 1) == b"M"


# What is in the way of an access to AT, at which level, and the fault status code for it.
FAULTS = {
    "translation": (0, 3, 0x07),
    "translation of a table": (0, 2, 0x06),
    "access flag": (DATA | PAGE, 3, 0x0B),
    "size": (1 << 45 | DATA | AF | PAGE, 3, 0x03),
    "no memory": (0x1000_0000 | AF | PAGE, 3, 0x10),
    "no memory for a table": (0x1000_0000 | TABLE, 2, 0x17),
}


@pytest.mark.parametrize("granule", [12, 16])
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_says_what_it_was(arm: Any, name: str, granule: int) -> None:
    entry, level, fsc = FAULTS[name]
    accesses = (("ldr x1, [x0, #8]", 0x25, False), ("str x1, [x0, #8]", 0x25, True), ("br x0", 0x21, False))
    for instruction, ec, write in accesses:
        bench = arm()
        paging = booted(bench, granule)
        paging.map(AT, DATA | AF | PAGE)
        paging.map(AT, entry, level)
        paging.on()
        bench.load(f"ldr x0, 1f\n{instruction}\nhvc #1\n.balign 8\n1: .quad {AT}")
        bench.finish()
        (trap,) = bench.traps()
        assert trap[:3] == (ec, syndrome(ec, fsc, write), AT + (0 if ec == 0x21 else 8))
        state = bench.state()
        assert (state.esr, state.far, state.elr_el1) == (trap[1], trap[2], trap[4])
        assert state.elr_el1 == (AT if ec == 0x21 else CODE + 4)


@pytest.mark.parametrize(
    ("rights", "kernel", "user"),
    [
        (0, "rwx", "x"), (USER, "rw", "rwx"), (READ_ONLY, "rx", "x"), (USER | READ_ONLY, "rx", "rx"),
        (PXN, "rw", "x"), (UXN, "rwx", ""), (USER | UXN, "rw", "rw"),
    ],
)  # fmt: skip
def test_rights_of_el1_and_el0(arm: Any, rights: int, kernel: str, user: str) -> None:
    for level, allowed in ((1, kernel), (0, user)):
        for letter, instruction in (("r", "ldr x1, [x0]"), ("w", "str x1, [x0]"), ("x", "br x0")):
            bench = arm()
            paging = booted(bench, 12)
            bench.write(RAM + 0xC00, b"\x02\x00\x00\xd4")
            bench.write(DATA, struct.pack("<II", 0xD4000021, 0xD4000021))              # svc #1
            paging.map(CODE, CODE | AF | PAGE | USER | READ_ONLY)
            paging.map(AT, DATA | AF | PAGE | rights)
            paging.on()
            bench.load(f"ldr x0, 1f\n{instruction}\nsvc #1\n.balign 8\n1: .quad {AT}")
            state = bench.state()
            state.pstate = 0x3C0 | level << 2 | level
            bench.lib.arm_set_state(bench.cpus[0], state)
            bench.finish()
            (trap,) = bench.traps()
            fetch = letter == "x"
            ec = (0x20 if fetch else 0x24) + level
            expected = (0x15, syndrome(0x15, 1)) if letter in allowed else (ec, syndrome(ec, 0x0F, letter == "w"))
            assert trap[:2] == expected, (level, letter)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_store_to_a_table_takes_effect_at_once(arm: Any, limit: int) -> None:
    bench = arm()
    paging = booted(bench, 12)
    bench.lib.machine_set_block_limit(bench.machine, limit)
    bench.write(DATA, b"\x01" * 8 + bytes(4088) + b"\x02" * 8)
    paging.map(AT, DATA | AF | PAGE)
    place = paging.entry(AT)
    paging.on()
    bench.load(
        "ldr x0, 1f\nldr x1, 2f\nldr x2, 3f\nldr x3, [x0]\nstr x2, [x1]\nldr x4, [x0]\n"
        f"hvc #0\n.balign 8\n1: .quad {AT}\n2: .quad {place}\n3: .quad {DATA + 4096 | AF | PAGE}"
    )
    assert bench.finish() == 7
    assert (bench.reg(3), bench.reg(4)) == (0x0101010101010101, 0x0202020202020202)


def test_halves_whose_low_bits_are_the_same_are_flushed_alike(arm: Any) -> None:
    bench = arm()
    paging = booted(bench, 12)
    low = HIGH & (1 << 39) - 1 | 5 << 12
    bench.write(DATA, b"\x01" * 8 + bytes(4088) + b"\x02" * 8)
    for va in (low, HIGH + (5 << 12)):
        paging.map(va, DATA | AF | PAGE)
    paging.on()
    places = [paging.entry(low), paging.entry(HIGH + (5 << 12))]
    bench.load(
        "ldr x0, 1f\nldr x1, 2f\nldr x2, 5f\nldr x6, 3f\nldr x7, 4f\nldr x3, [x0]\nldr x4, [x1]\nstr x2, [x6]\n"
        "str x2, [x7]\n"
        "ldr x3, [x0]\nldr x4, [x1]\nhvc #0\n.balign 8\n"
        f"1: .quad {low}\n2: .quad {HIGH + (5 << 12)}\n3: .quad {places[0]}\n4: .quad {places[1]}\n"
        f"5: .quad {DATA + 4096 | AF | PAGE}"
    )
    bench.finish()
    assert (bench.reg(3), bench.reg(4)) == (0x0202020202020202, 0x0202020202020202)


def test_a_tagged_address_is_flushed_too(arm: Any) -> None:
    bench = arm()
    paging = booted(bench, 12)
    bench.write(DATA, b"\x01" * 8 + bytes(4088) + b"\x02" * 8)
    paging.map(AT, DATA | AF | PAGE)
    place = paging.entry(AT)
    paging.on()
    state = bench.state()
    state.tcr |= 1 << 37
    bench.lib.arm_set_state(bench.cpus[0], state)
    bench.load(
        "ldr x0, 1f\nldr x1, 2f\nldr x2, 3f\nldr x3, [x0]\nstr x2, [x1]\nldr x4, [x0]\n"
        f"hvc #0\n.balign 8\n1: .quad {0xA5 << 56 | AT}\n2: .quad {place}\n3: .quad {DATA + 4096 | AF | PAGE}"
    )
    bench.finish()
    assert (bench.reg(3), bench.reg(4)) == (0x0101010101010101, 0x0202020202020202)


def test_another_table_base_is_used_at_once(arm: Any) -> None:
    bench = arm()
    paging = booted(bench, 12)
    bench.write(DATA, b"\x01" * 8 + bytes(4088) + b"\x02" * 8)
    paging.map(HIGH, DATA | AF | PAGE)
    other = TABLES + 0x80000
    paging.roots = (paging.roots[0], other)
    paging.map(HIGH, DATA + 4096 | AF | PAGE)
    paging.roots = (paging.roots[0], TABLES + (1 << 16))
    paging.on()
    bench.load(
        "ldr x0, 1f\nldr x1, 2f\nldr x3, [x0]\nmsr ttbr1_el1, x1\nldr x4, [x0]\nat s1e1r, x0\nmrs x5, par_el1\n"
        f"hvc #0\n.balign 8\n1: .quad {HIGH}\n2: .quad {other}"
    )
    bench.finish()
    assert (bench.reg(3), bench.reg(4)) == (0x0101010101010101, 0x0202020202020202)
    assert bench.reg(5) & 0xFFFF_FFFF_F001 == DATA + 4096


@pytest.mark.parametrize("limit", LIMITS)
def test_code_that_the_host_or_another_cpu_wrote_is_executed(arm: Any, limit: int) -> None:
    bench = arm(2)
    bench.lib.machine_set_block_limit(bench.machine, limit)
    loop = "1: mov x1, #1\nhvc #0\nb 1b"
    bench.load(loop)
    bench.finish()
    assert bench.reg(1) == 1
    bench.write(CODE, struct.pack("<I", 0xD2800041))                                     # mov x1, #2
    bench.finish()
    assert bench.reg(1) == 2
    bench.load(f"ldr x0, 1f\nldr w2, 2f\nstr w2, [x0]\nhvc #0\n.balign 8\n1: .quad {CODE}\n"
        f"2: .word 0xd2800061", at=CODE + 0x4000, cpu=1)
    bench.finish(cpu=1)
    bench.finish()
    assert bench.reg(1) == 3


def test_devices_answer_and_refuse(arm: Any) -> None:
    bench = arm()
    booted(bench, 12)
    bench.load(
        f"mov x0, #{DEVICE}\nldr w1, [x0, #0x24]\nldrb w2, [x0, #3]\nmov x3, #0x5a5a\nstr w3, [x0, #8]\n"
        f"ldr x4, [x0, #0x40]\n"
        "mov x9, #0x40000000\nadd x9, x9, #0x800\nmsr vbar_el1, x9\nldr w5, [x0, #0xf04]\nhvc #1"
    )
    bench.finish()
    assert [bench.reg(n) for n in (1, 2, 4)] == [0x24, 3, 0x44 << 32 | 0x40]
    assert bench.lib.arm_bench_stored(bench.b) == 0x5A5A
    (trap,) = bench.traps()
    assert trap[:3] == (0x25, syndrome(0x25, 0x10), DEVICE + 0xF04)


def test_the_state_goes_to_another_cpu(arm: Any) -> None:
    source = (
        "mov x0, #5\n1: fmov d3, x0\nfadd d4, d3, d3\nmov x1, x4\nsubs x0, x0, #1\nmsr tpidr_el0, x0\n"
        "msr tpidr_el1, x0\nmsr spsel, #0\n"
        "mov sp, x0\nmsr spsel, #1\nldxr x7, [x9]\nb.ne 1b\nhvc #0"
    )

    def prepared(bench: ArmBench) -> None:
        state = bench.state()
        state.x[9], state.cpacr = DATA, 3 << 20
        bench.lib.arm_set_state(bench.cpus[0], state)
        bench.load(source)

    bench = arm(2)
    prepared(bench)
    retired = bench.finish()
    end = bytes(bench.ffi.buffer(bench.state()))
    saved = bench.ffi.new("char[]", bench.lib.cpu_state_bytes(ARM64))
    moved = arm(2)
    prepared(moved)
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


def test_another_cpus_run_opens_the_monitor(arm: Any) -> None:
    bench = arm(2)
    bench.load("ldxr x1, [x9]\nhvc #0\nstxr w2, x1, [x9]\nhvc #0")
    bench.load("hvc #0", at=CODE + 0x1000, cpu=1)
    for others in (False, True):
        bench.lib.cpu_set_pc(bench.cpus[0], CODE)
        bench.lib.arm_set_reg(bench.cpus[0], 9, DATA)
        bench.finish()
        if others:
            bench.lib.cpu_set_pc(bench.cpus[1], CODE + 0x1000)
            bench.finish(cpu=1)
        bench.finish()
        assert bench.reg(2) == others


@pytest.mark.parametrize("limit", LIMITS)
def test_stop_points(arm: Any, limit: int) -> None:
    bench = arm()
    bench.lib.machine_set_block_limit(bench.machine, limit)
    bench.load("mov x0, #0\n1: add x0, x0, #1\nstr x0, [x9]\nldr x1, [x9]\ncmp x0, #5\nb.ne 1b\nhvc #0")
    bench.lib.arm_set_reg(bench.cpus[0], 9, DATA)
    addresses = bench.ffi.new("uint64_t[]", [CODE + 12])
    bench.lib.machine_set_breakpoints(bench.machine, addresses, 1)
    bench.lib.arm_bench_pass(bench.b, 2)
    assert bench.run() == (bench.lib.EXIT_BREAKPOINT, 1 + 2 * 5 + 2)
    assert int(bench.lib.cpu_pc(bench.cpus[0])) == CODE + 12
    bench.lib.machine_set_breakpoints(bench.machine, addresses, 0)
    points = bench.ffi.new("struct watchpoint[]", [{"va": DATA, "bytes": 4, "kinds": bench.lib.WATCH_WRITE, "id": 1}])
    bench.lib.machine_set_watchpoints(bench.machine, points, 1)
    bench.lib.arm_bench_pass(bench.b, 0)
    assert bench.run() == (bench.lib.EXIT_BREAKPOINT, 5)
    assert int(bench.lib.cpu_pc(bench.cpus[0])) == CODE + 12
    bench.lib.machine_set_watchpoints(bench.machine, points, 0)
    assert bench.finish() == 3 + 5 + 1
