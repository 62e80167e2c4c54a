"""Call stacks of ARM by call frame information, and where the stack pointer of a caller is, from made-up memory."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from hv.arch.arm import registers, registers32
from hv.debug.symbols import load_symbols
from hv.debug.symbols.cursor import Cursor, Memory
from hv.debug.symbols.stack import unwind
from tests.debug.compiled import ARM32, ARM64, TEXT, compiled

if TYPE_CHECKING:
    from pathlib import Path

AROUND = """\
    .cfi_sections {section}
    .text
    .globl leaf
    .type leaf, %function
leaf:
    .cfi_startproc
{leaf}    .cfi_endproc
    .size leaf, . - leaf
    .globl caller
    .type caller, %function
caller:
    .cfi_startproc
    .cfi_undefined {link}
    bl leaf
    b .
    .cfi_endproc
    .size caller, . - caller
"""
LEAF_64 = """\
    stp x30, x19, [sp, #-32]!
    .cfi_def_cfa_offset 32
    .cfi_offset x30, -32
    .cfi_offset x19, -24
    mov x30, #0
    mov x19, #0
    ldp x30, x19, [sp], #32
    .cfi_def_cfa_offset 0
    .cfi_restore x30
    .cfi_restore x19
    b caller
    ret
"""
LEAF_32 = """\
    push {r4, lr}
    .cfi_def_cfa_offset 8
    .cfi_offset lr, -4
    .cfi_offset r4, -8
    mov lr, #0
    mov r4, #0
    pop {r4, lr}
    .cfi_def_cfa_offset 0
    .cfi_restore lr
    .cfi_restore r4
    b caller
    bx lr
"""
TOP, INSTRUCTIONS = 0x9000, 6


@pytest.mark.parametrize("section", [".debug_frame", ".eh_frame"])
@pytest.mark.parametrize("bits", [64, 32])
def test_call_frame_information(tmp_path: Path, bits: int, section: str) -> None:
    """A leaf without a frame record that uses its link register: in front of, inside and behind its frame."""
    machine, source, record = (
        (ARM64, LEAF_64, registers.RECORD) if bits == 64 else (ARM32, LEAF_32, registers32.RECORD)
    )
    text = AROUND.format(section=section, leaf=source, link=record.link)
    symbols = load_symbols(compiled(tmp_path, "leaf.S", text, machine=machine))
    leaf, caller = symbols.find("leaf"), symbols.find("caller")
    assert leaf is not None and caller is not None and symbols.elf is not None
    section_text = symbols.elf.section(".text")
    assert section_text is not None
    back = caller + 4
    stack = struct.pack("<QQQQ", back, 0x19, 0, 0) if bits == 64 else struct.pack("<II", 0x19, back)

    def read(address: int, length: int) -> bytes | None:
        for start, data in ((TOP - len(stack), stack), (TEXT, section_text.data)):
            if start <= address and address + length <= start + len(data):
                return data[address - start : address - start + length]
        return None

    for number in range(INSTRUCTIONS):
        inside = number in (1, 2, 3)
        found = dict.fromkeys(record.numbers, 0) | {"sp": TOP - len(stack) * inside, record.link: 0 if inside else back}
        frames = unwind(Cursor(leaf + 4 * number, found, True, "here"), symbols, Memory(read), 9, record)
        assert [(frame.pc, frame.sp) for frame in frames[1:]] == [(back, TOP)], number
        assert frames[1].how == ("cfi" if number < INSTRUCTIONS - 1 else "frame pointer"), number
    assert symbols.warnings == []


@pytest.mark.parametrize(("code", "above"), [
    ("fd7bbfa9 fd030091", 16),           # stp x29, x30, [sp, #-16]!; mov x29, sp
    ("fd7bbea9 f44f01a9 fd030091", 32),  # stp x29, x30, [sp, #-32]!; stp x20, x19, [sp, #16]; mov x29, sp
    ("ff8300d1 fd7b01a9 fd430091", 16),  # sub sp, sp, #32; stp x29, x30, [sp, #16]; add x29, sp, #16
    ("fc0f1af8 fd7b01a9 fd430091", 80),  # str x28, [sp, #-96]!; stp x29, x30, [sp, #16]; add x29, sp, #16
    ("e923bf6d fd7bbfa9 fd030091", 32),  # stp d9, d8, [sp, #-16]!; stp x29, x30, [sp, #-16]!; mov x29, sp
    ("ff0740d1 fd7bbfa9 fd030091", 4112),  # sub sp, sp, #1, lsl #12; ...
    ("fd7bbea9 f44f01a9", 32),           # the first instructions of one: sp has moved, there is no record so far
    ("1f2003d5", 0),                     # nop
])  # fmt: skip
def test_where_the_callers_stack_pointer_is(code: str, above: int) -> None:
    assert registers.RECORD.above is not None
    assert registers.RECORD.above(bytes.fromhex(code)) == above
