"""Decoding of the x86 instructions that a hypervisor executes itself: privileged ones, and stores to page tables.

Capstone does the decoding. What comes out is `Instruction`, plain data without a Capstone type in it.
Numbers of registers are those of the encoding (AMD64 APM volume 3, 1.4): rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5,
rsi 6, rdi 7, r8 to r15; ah, ch, dh, bh are 16 to 19.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import capstone
from capstone import x86_const as x86

from isa.code import Decoder

LONGEST = 15
"""Bytes of an instruction at most."""

NO_REGISTER = 0xFF
RIP = 0xFE

SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")
"""Segment registers; the index is their number in encodings."""

OPERATIONS = {
    "clts": "CLTS", "lmsw": "LMSW", "rdmsr": "RDMSR", "wrmsr": "WRMSR", "cpuid": "CPUID", "rdtsc": "RDTSC",
    "rdtscp": "RDTSCP", "rdpmc": "RDPMC", "invlpg": "INVLPG", "invd": "INVD", "wbinvd": "WBINVD", "xsetbv": "XSETBV",
    "hlt": "HLT", "cli": "CLI", "sti": "STI", "swapgs": "SWAPGS", "in": "IN", "out": "OUT",
    "insb": "INS", "insw": "INS", "insd": "INS", "outsb": "OUTS", "outsw": "OUTS", "outsd": "OUTS",
    "mov": "MOV", "movabs": "MOV", "movnti": "MOV", "xchg": "XCHG", "cmpxchg": "CMPXCHG", "cmpxchg8b": "CMPXCHG8B",
    "cmpxchg16b": "CMPXCHG16B", "xadd": "XADD", "add": "ADD", "sub": "SUB", "and": "AND", "or": "OR", "xor": "XOR",
    "inc": "INC", "dec": "DEC", "not": "NOT", "neg": "NEG", "bts": "BTS", "btr": "BTR", "btc": "BTC",
    "stosb": "STOS", "stosw": "STOS", "stosd": "STOS", "stosq": "STOS",
    "movsb": "MOVS", "movsw": "MOVS", "movsd": "MOVS", "movsq": "MOVS",
}  # fmt: skip
"""Capstone's mnemonic to the operation that our emulators know. Everything else is OTHER."""


@dataclass(frozen=True)
class Operand:
    """One operand. `kind`: REGISTER, IMMEDIATE, MEMORY, SYSTEM (control or debug register). Sizes in bytes."""

    kind: str
    size: int
    reg: int = NO_REGISTER
    segment: int = 3
    base: int = NO_REGISTER
    index: int = NO_REGISTER
    scale: int = 1
    value: int = 0


@dataclass(frozen=True)
class Instruction:
    """One instruction. `operation` is OTHER when no emulator of ours knows it; `length` in bytes; `stack`: its
    memory is reached through SS."""

    operation: str
    length: int
    rep: bool = False
    lock: bool = False
    stack: bool = False
    operand_size: int = 8
    address_size: int = 8
    operands: tuple[Operand, ...] = ()


@functools.cache
def disassembler(mode: int) -> Any:
    """Capstone for code of 64, 32 or 16 bits, with details."""
    modes = {64: capstone.CS_MODE_64, 32: capstone.CS_MODE_32, 16: capstone.CS_MODE_16}
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, modes[mode])
    disassembler.detail = True
    return disassembler


def decoder(code: str) -> Decoder:
    """Of "x86_64", "x86_32" or "x86_16"."""
    return Decoder(disassembler(int(code.removeprefix("x86_"))), LONGEST, _target)


def _target(instruction: Any) -> int | None:
    for operand in instruction.operands:
        if operand.type == x86.X86_OP_IMM and instruction.group(x86.X86_GRP_BRANCH_RELATIVE):
            return int(operand.imm) & (1 << 64) - 1
        if operand.type == x86.X86_OP_MEM and operand.mem.base == x86.X86_REG_RIP:
            return int(instruction.address + instruction.size + operand.mem.disp) & (1 << 64) - 1
    return None


@functools.cache
def _registers() -> dict[int, int]:
    """Capstone's register numbers to those of the encoding, for every width."""
    legacy = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
    names: dict[str, int] = {}
    for number, name in enumerate(legacy):
        names |= {f"r{name}": number, f"e{name}": number, name: number}
    names |= {f"{letter}l": number for number, letter in enumerate("acdb")}
    names |= {f"{name}l": number for number, name in enumerate(legacy) if number >= 4}
    names |= {f"{letter}h": 16 + number for number, letter in enumerate("acdb")}
    for number in range(8, 16):
        names |= {f"r{number}{width}": number for width in ("", "d", "w", "b")}
    names |= {"rip": RIP, "eip": RIP}
    return {getattr(x86, f"X86_REG_{name.upper()}"): number for name, number in names.items()}


@functools.cache
def _system_registers(prefix: str) -> dict[int, int]:
    return {getattr(x86, f"X86_REG_{prefix}{n}"): n for n in range(16)}


@functools.cache
def _segments() -> dict[int, int]:
    return {getattr(x86, f"X86_REG_{name.upper()}"): number for number, name in enumerate(SEGMENTS)}


def _operand(operand: Any, default_segment: int) -> Operand | None:
    """Translate one Capstone operand; None when it is of a kind that no emulator of ours takes."""
    size = int(operand.size)
    if operand.type == x86.X86_OP_IMM:
        return Operand("IMMEDIATE", size, value=int(operand.imm))
    if operand.type == x86.X86_OP_REG:
        for prefix in ("CR", "DR"):
            if operand.reg in _system_registers(prefix):
                return Operand("SYSTEM", size, reg=_system_registers(prefix)[operand.reg])
        number = _registers().get(operand.reg)
        return None if number is None else Operand("REGISTER", size, reg=number)
    if operand.type != x86.X86_OP_MEM:
        return None
    memory = operand.mem
    base = _registers().get(memory.base, NO_REGISTER)
    index = _registers().get(memory.index, NO_REGISTER)
    if (memory.base and base == NO_REGISTER) or (memory.index and index == NO_REGISTER):
        return None
    if base in (4, 5) and default_segment == 3:
        default_segment = SEGMENTS.index("ss")
    segment = _segments().get(memory.segment, default_segment)
    return Operand("MEMORY", size, segment=segment, base=base, index=index, scale=int(memory.scale) or 1,
                   value=int(memory.disp))  # fmt: skip


def _operation(name: str, capstone_insn: Any) -> str:
    """MOV is three operations: to and from control and debug registers, and the ordinary one."""
    operation = OPERATIONS.get(name, "OTHER")
    if operation == "MOV":
        for position, direction in enumerate(("TO", "FROM")):
            if position < len(capstone_insn.operands) and capstone_insn.operands[position].type == x86.X86_OP_REG:
                for prefix in ("CR", "DR"):
                    if capstone_insn.operands[position].reg in _system_registers(prefix):
                        return f"MOV_{direction}_{prefix}"
    return operation


def _through_stack(insn: Any) -> bool:
    """Whether the instruction's memory operand goes through SS: by its base or prefix, or push, pop, call, ret."""
    for operand in insn.operands:
        if operand.type == x86.X86_OP_MEM and insn.id != x86.X86_INS_LEA:
            if operand.mem.segment:
                return bool(operand.mem.segment == x86.X86_REG_SS)
            return _registers().get(operand.mem.base) in (4, 5)
    return str(insn.insn_name()).startswith(("push", "pop", "call", "ret", "enter", "leave"))


def decode(code: bytes, mode: int) -> Instruction:
    """Decode the instruction at the start of `code` in a 64-, 32- or 16-bit code segment (`mode`).

    Bytes that are no instruction, and instructions with operands that no emulator takes, come back as OTHER.
    """
    found = next(disassembler(mode).disasm(code, 0, 1), None)
    if found is None:
        return Instruction("OTHER", len(code))
    prefixes = bytes(found.prefix)
    operands = tuple(_operand(operand, 3) for operand in found.operands)
    operation = _operation(found.insn_name(), found)
    if operation == "MOVS" and len(operands) == 2 and any(operand is None for operand in operands):
        operation = "OTHER"  # movsd of SSE2
    known = tuple(operand for operand in operands if operand is not None)
    if len(known) != len(operands) or len(known) > 3:
        operation = "OTHER"
    if operation == "OTHER":
        known = ()  # whatever they are (fxsave's has 512 bytes), nobody looks at them
    return Instruction(
        operation=operation,
        length=int(found.size),
        rep=0xF3 in prefixes or 0xF2 in prefixes,
        lock=0xF0 in prefixes,
        stack=_through_stack(found),
        operand_size=known[0].size if known else 0,
        address_size=int(found.addr_size),
        operands=known,
    )
