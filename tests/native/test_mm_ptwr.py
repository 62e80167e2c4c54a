"""Writable page tables: a store that the emulator executes does what the processor does on plain memory.

Each instruction is run twice, on a writable page and on a read-only mapping of an L1 table with the same contents.
Registers, flags and memory must agree. Entries stay not-present, so that the page-table code leaves them alone.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest

from hv import abi
from hv._native import ffi, lib
from hv.arch.x86.decode import fill
from isa.x86.decode import decode
from tests.native.ptbench import GUEST_KERNEL, RW, USER, A, Bench, D, P

CODE_VA = 0x10000
TABLE_VA, PLAIN_VA = 0x80000, 0x81000
SLOT = 8                  # the entry under test; the store goes to va + SLOT * 8
ARITHMETIC = 0x8D5
ASSIST = 1 << abi.VMASST_TYPE_writable_pagetables

# name: code. rdi points to the entry, rsi to a source in plain memory.
CODE = {
    "mov64": "48 89 07", "mov32": "89 07", "mov16": "66 89 07", "mov8": "88 07", "mov high byte": "88 27",
    "mov imm": "48 c7 07 fe ff ff ff", "mov imm8": "c6 47 03 5a", "mov sib": "48 89 44 1f 08", "movnti": "48 0f c3 07",
    "xchg64": "48 87 07", "xchg32": "87 07", "xchg8": "86 07", "cmpxchg": "48 0f b1 0f", "cmpxchg32": "0f b1 0f",
    "lock cmpxchg": "f0 48 0f b1 0f", "cmpxchg8b": "0f c7 0f", "xadd": "48 0f c1 07", "xadd32": "f0 0f c1 07",
    "add": "48 01 07", "sub": "48 29 07", "and": "48 21 07", "or": "48 09 07", "xor": "48 31 07",
    "add32": "01 07", "sub32": "29 07", "and32": "21 07", "or16": "66 09 07", "xor8": "30 07", "sub8": "28 07",
    "add8": "00 47 01", "and imm": "48 83 27 fe", "or imm32": "81 4f 04 00 00 00 80", "inc": "ff 47 04",
    "dec": "ff 4f 04", "not": "f7 57 04", "neg": "48 f7 1f", "inc8": "fe 47 02", "neg32": "f7 5f 04",
    "bts": "48 0f ab 07", "btr": "48 0f b3 07", "btc": "48 0f bb 07", "bts32": "0f ab 07", "bts imm": "48 0f ba 2f 2a",
    "lock btr imm": "f0 48 0f ba 37 01", "btc imm": "0f ba 7f 04 1f", "stosq": "48 ab", "stosd": "ab", "stosb": "aa",
    "movsq": "48 a5", "movsd": "a5", "rep stosq": "f3 48 ab", "rep movsq": "f3 48 a5", "fs": "64 48 89 07",
}  # fmt: skip
REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "rip")


class Machine:
    """A bench whose vcpu runs one instruction at a time."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.g = bench, bench.g
        self.table, self.plain = self.g.alloc(), self.g.alloc()
        assert self.g.mmuext((abi.MMUEXT_PIN_L1_TABLE, self.table, 0)) == ("ok", 1)
        assert self.g.update_va(TABLE_VA, self.table << 12 | P) == "ok"
        assert self.g.update_va(PLAIN_VA, self.plain << 12 | P | RW) == "ok"
        self.g.c.vm_assist |= ASSIST
        self.cpu = lib.hv_cpu(bench.hv, self.g.v.slot)
        self.regs = lib.cpu_gprs(self.cpu)
        self.code = b""
        self.exit = ffi.new("struct cpu_exit *")

    def run(self, code: bytes, va: int, word: int, values: dict[str, int], flags: int) -> dict[str, int] | None:
        """Execute `code` with rdi = va + SLOT * 8; the state afterwards, or None when it faulted."""
        frame = self.table if va == TABLE_VA else self.plain
        self.bench.write(frame << 12 | (SLOT - 4) << 3, word.to_bytes(8, "little") * 10)
        if code != self.code:
            self.bench.write(self.g.data[0] << 12, code + b"\x90" * 8)
            self.code = code
        for name, value in values.items():
            setattr(self.regs, name, value)
        self.regs.rdi, self.regs.rip = va + SLOT * 8, CODE_VA
        lib.cpu_set_rflags(self.cpu, 0x202 | flags)
        for _ in range(20):
            reason = lib.hv_run(self.bench.hv, self.g.v.slot, 1, self.exit)
            if reason == lib.EXIT_DECODE:
                insn = decode(bytes(ffi.buffer(self.exit.args))[: self.exit.nr], self.exit.error)
                out = ffi.new("struct insn *")
                fill(out, insn)
                assert lib.hv_decode_add(self.bench.hv, code, insn.length, self.exit.error, out) == 0
            elif reason == lib.EXIT_SHUTDOWN:
                return None
            if self.regs.rip != CODE_VA:
                break
        state = {name: getattr(self.regs, name) for name in REGISTERS}
        state["rdi"] -= va
        state["flags"] = lib.cpu_rflags(self.cpu) & (ARITHMETIC | 0x400)
        words = struct.unpack("<10Q", self.bench.read(frame << 12 | (SLOT - 4) << 3, 80))
        state |= {f"word {slot}": word for slot, word in enumerate(words, SLOT - 4)}
        return state


@pytest.fixture
def machine(bench: Bench) -> Iterator[Machine]:
    yield Machine(bench)


@pytest.mark.parametrize("name", CODE)
def test_as_on_plain_memory(machine: Machine, name: str) -> None:
    rng = random.Random(name)
    code = bytes.fromhex(CODE[name])
    compared = 0
    for _ in range(24):
        word = rng.choice([0, 0x1000, 0x7FFFFFFFFFFFFFFE, 0x8000000000000000, rng.getrandbits(63) << 1])
        values = {reg: rng.choice([0, 1, rng.getrandbits(64), rng.getrandbits(31) << 1]) for reg in REGISTERS[:4]}
        values |= {"rbx": 8, "rcx": rng.getrandbits(64) & ~1, "rsi": machine.g.data_va(3) + 64}
        if name.startswith("rep"):
            values["rcx"] = rng.randrange(1, 5)
        if name.startswith("bt") and "imm" not in name:
            values["rax"] = rng.randrange(-200, 320) % (1 << 64)
        if name.startswith("cmpxchg") and rng.random() < 0.5:
            values |= {"rax": word & 0xFFFFFFFF if name.endswith("8b") else word, "rdx": word >> 32}
        if name == "cmpxchg32":                  # the engine clears rax's upper half even when the values agree
            values["rax"] &= 0xFFFFFFFF
        machine.bench.write((machine.g.data[3] << 12) + 64, rng.getrandbits(320).to_bytes(40, "little"))
        flags = rng.choice([0, ARITHMETIC])
        native = machine.run(code, PLAIN_VA, word, values, flags)
        assert native is not None
        if any(native[key] & P for key in native if key.startswith("word")):
            continue                             # a present entry: validated, and perhaps adjusted
        if name in ("and", "or", "xor", "and32", "or16", "xor8", "and imm", "or imm32"):
            native["flags"] &= ~0x10             # AF is undefined
        emulated = machine.run(code, TABLE_VA, word, values, flags)
        assert emulated is not None, (name, values)
        if native["flags"] != emulated["flags"] and "bt" in name:
            native["flags"] &= 1                 # all but CF are undefined
            emulated["flags"] &= 1
        assert emulated == native, name
        compared += 1
    assert compared >= 5


def test_present_entry_is_validated_and_adjusted(machine: Machine) -> None:
    mfn = machine.g.alloc()
    values = {"rax": mfn << 12 | P | RW | A | D}
    state = machine.run(bytes.fromhex("48 89 07"), TABLE_VA, 0, values, 0)
    assert state is not None
    assert state["word 8"] == mfn << 12 | P | RW | A | D | USER | GUEST_KERNEL
    assert machine.bench.refs(mfn) == 2
    assert machine.bench.audit() == ""
    machine.bench.g.mmu_update([(machine.table << 12 | 8 << 3, 0)])


@pytest.mark.parametrize(
    ("what", "code"), [("unaligned", "48 89 47 01"), ("cmpxchg16b", "f0 48 0f c7 0f"), ("sse", "0f 11 07")]
)
def test_left_to_the_guest(machine: Machine, what: str, code: str) -> None:
    assert machine.run(bytes.fromhex(code), TABLE_VA, 0, {"rax": 0, "rdx": 0, "rcx": 0, "rbx": 0}, 0) is None


def test_refused_entry_is_a_page_fault(machine: Machine) -> None:
    values = {"rax": machine.g.l4 << 12 | P | RW}
    assert machine.run(bytes.fromhex("48 89 07"), TABLE_VA, 0, values, 0) is None
    assert machine.bench.entry(machine.table, SLOT) == 0


def test_without_the_assist_it_is_a_page_fault(machine: Machine) -> None:
    machine.g.c.vm_assist = 0
    assert machine.run(bytes.fromhex("48 89 07"), TABLE_VA, 0, {"rax": 0}, 0) is None


def test_other_tables_are_not_served(machine: Machine) -> None:
    """Only L1: a store to an L2 is the guest's fault."""
    machine.g.update_va(TABLE_VA, machine.g.l2 << 12 | P)
    assert machine.run(bytes.fromhex("48 89 07"), TABLE_VA, 0, {"rax": 0}, 0) is None
