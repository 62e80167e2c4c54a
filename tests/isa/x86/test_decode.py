"""Decoding of privileged instructions and of stores: what the emulators in C are given."""

import pytest

from isa.x86.decode import NO_REGISTER, RIP, Instruction, Operand, decode

SS, DS, ES, GS = 2, 3, 0, 5


def at(code: str, mode: int = 64) -> Instruction:
    return decode(bytes.fromhex(code) + b"\x90" * 4, mode)


def register(number: int, size: int) -> Operand:
    return Operand("REGISTER", size, reg=number)


@pytest.mark.parametrize(
    ("code", "operation", "length"),
    [
        ("0f06", "CLTS", 2), ("0f32", "RDMSR", 2), ("0f30", "WRMSR", 2), ("0f09", "WBINVD", 2), ("0f08", "INVD", 2),
        ("0f01d1", "XSETBV", 3), ("0f01f8", "SWAPGS", 3), ("0f013f", "INVLPG", 3), ("0f33", "RDPMC", 2),
        ("0f31", "RDTSC", 2), ("0f01f9", "RDTSCP", 3), ("f4", "HLT", 1), ("fa", "CLI", 1), ("fb", "STI", 1),
        ("0fa2", "CPUID", 2), ("0f0117", "OTHER", 3),
    ],
)  # fmt: skip
def test_plain_operations(code: str, operation: str, length: int) -> None:
    insn = at(code)
    assert (insn.operation, insn.length) == (operation, length)


def test_control_and_debug_registers_in_both_directions() -> None:
    assert at("0f20d8").operation == "MOV_FROM_CR"
    assert at("0f20d8").operands == (register(0, 8), Operand("SYSTEM", 8, reg=3))
    assert at("440f22c1").operands == (Operand("SYSTEM", 8, reg=8), register(1, 8))  # mov cr8, rcx
    assert at("0f23f8").operation == "MOV_TO_DR"
    assert at("410f21f7").operands == (register(15, 8), Operand("SYSTEM", 8, reg=6))  # mov r15, dr6
    assert at("0f22c0", 32).operands[1] == register(0, 4)


def test_ports_by_immediate_and_by_register() -> None:
    assert at("e4f0").operands == (register(0, 1), Operand("IMMEDIATE", 1, value=0xF0)) or (
        at("e4f0").operands[1].value & 0xFF == 0xF0
    )
    assert at("66ed").operands == (register(0, 2), register(2, 2))
    assert at("ef").operands == (register(2, 2), register(0, 4))


def test_string_io_knows_its_memory_and_its_prefix() -> None:
    insn = at("f36d")
    assert (insn.operation, insn.rep, insn.operands[0].size, insn.operands[0].base) == ("INS", True, 4, 7)
    insn = at("65676e")
    assert (insn.operation, insn.rep, insn.address_size) == ("OUTS", False, 4)
    assert (insn.operands[1].base, insn.operands[1].segment) == (6, GS)


def test_stores_with_every_part_of_an_address() -> None:
    memory = at("488944cb10").operands[0]  # mov [rbx+rcx*8+0x10], rax
    assert (memory.base, memory.index, memory.scale, memory.value) == (3, 1, 8, 0x10)
    memory = at("48c70500000000ffffffff").operands[0]  # mov qword [rip+0], -1
    assert (memory.base, memory.index) == (RIP, NO_REGISTER)
    assert at("48c70500000000ffffffff").operands[1].value == -1
    assert at("f0480fb10f").lock
    assert at("8827").operands[1] == register(16, 1)  # mov [rdi], ah
    assert at("408837").operands[1] == register(6, 1)  # mov [rdi], sil


@pytest.mark.parametrize(
    ("code", "stack"),
    [
        ("8b4500", True),
        ("8b0424", True),
        ("8b00", False),
        ("50", True),
        ("c3", True),
        ("368b00", True),
        ("3e8b4500", False),
    ],
)
def test_which_segment_a_fault_belongs_to(code: str, stack: bool) -> None:
    assert at(code, 32).stack is stack


def test_sse_move_with_the_name_of_a_string_move_is_not_one() -> None:
    assert at("f20f1107").operation == "OTHER"


def test_bytes_that_are_no_instruction() -> None:
    assert decode(b"\x06" + b"\xff" * 14, 64) == Instruction("OTHER", 15)


@pytest.mark.parametrize("code", ["d933", "dd33", "0fae03", "0fae23"])  # fnstenv, fnsave, fxsave, xsave
def test_large_operands_of_what_nobody_emulates_are_left_out(code: str) -> None:
    insn = at(code)
    assert (insn.operation, insn.operand_size, insn.operands) == ("OTHER", 0, ())
