"""Callers without tables: by the chain of frame pointers where a function keeps one, else by looking for what a call
instruction has left on the stack."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from hv.debug.symbols.cursor import MASK, WORD, Cursor, Memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hv.debug.symbols.table import Symbol, Table

POINTER, GUESS = "frame pointer", "guess"
_PROLOGUE = re.compile(rb"(\x55)\x48?\x89\xe5")  # push %rbp; mov %rsp,%rbp, or the same of 32 bits
_ENDBR = b"\xf3\x0f\x1e\xfa"  # endbr64 may stand before it
_BODY = 4096  # bytes of a function in which it is looked for
_POP_RBP, _LEAVES = 0x5D, b"\xc3\xc2\xe9\xeb"  # pop %rbp; then ret, or a jump to what returns instead
#: the end of a call instruction: e8 with a distance, or ff /2 with a register or memory operand of each length
_CALL = re.compile(
    rb"\xe8.{4}\Z|\xff(?:[\xd0-\xd7\x10-\x13\x16\x17]|\x14[^\x25]|[\x50-\x53\x55-\x57].|\x54..|"
    rb"[\x15\x90-\x93\x95-\x97].{4}|[\x14\x94]\x25?.{4,5})\Z",
    re.DOTALL,
)
_CALL_MAX = 7
_DIRECT = struct.Struct("<Bi")
_SCAN_WORDS = 2048  # a stack of 16 KiB, as Linux has it
_FRAME_MAX = 1 << 16


def behind_call(pc: int, memory: Memory) -> bool:
    """Whether the instruction before `pc` is a call, as far as its bytes tell."""
    data = memory.read(pc - _CALL_MAX, _CALL_MAX) if pc >= _CALL_MAX else None
    return data is not None and _CALL.search(data) is not None


def return_address(value: int, table: Table, memory: Memory) -> bool:
    """Whether `value` points behind a call instruction in a function that is known."""
    symbol = table.at(value - 1)
    return symbol is not None and symbol.code and behind_call(value, memory)


def calls(pc: int, function: int, memory: Memory) -> bool:
    """Whether the instruction before `pc` is a direct call of `function`."""
    data = memory.read(pc - _DIRECT.size, _DIRECT.size) if pc >= _DIRECT.size else None
    if data is None:
        return False
    opcode, distance = _DIRECT.unpack(data)
    return bool(opcode == 0xE8 and (pc + distance) & MASK == function)


def by_pointer(cursor: Cursor, table: Table, memory: Memory, word: int = WORD) -> Cursor | None:
    """The caller of a function that keeps a frame pointer, or that was called a moment ago; None: it is neither.
    `word`: bytes of a return address."""
    symbol = table.at(cursor.look_up)
    rsp, rbp = cursor.registers.get("rsp"), cursor.registers.get("rbp")
    if symbol is None or rsp is None or rbp is None:
        return None
    for found in _candidates(cursor, symbol, rsp, rbp, memory, word):
        pc = memory.word(found.slot, word)
        if pc is None or found.rbp is None or not return_address(pc, table, memory):
            continue
        if found.sure or calls(pc, symbol.start, memory):
            # rbp 0: whoever set up the stack says by it that nothing is above the caller
            return Cursor(pc, {"rsp": found.slot + word, "rbp": found.rbp}, False, POINTER, last=found.rbp == 0)
    return None


class _Candidate(NamedTuple):
    """Where a return address may be, and the caller's rbp then. Not `sure`: only if it is a call of this function."""

    slot: int
    rbp: int | None
    sure: bool


def _candidates(
    cursor: Cursor, symbol: Symbol, rsp: int, rbp: int, memory: Memory, word: int
) -> Iterator[_Candidate]:
    """The most credible first."""
    body = memory.read(symbol.start, min(symbol.end - symbol.start, _BODY)) or b""
    prologue = _PROLOGUE.search(body)
    push = symbol.start + prologue.start(1) if prologue else None
    if cursor.exact:
        leaving = memory.read(cursor.pc - 1, 2) or b"\0\0"
        if (leaving[0] == _POP_RBP and leaving[1] in _LEAVES) or leaving[1] == _LEAVES[0]:
            yield _Candidate(rsp, rbp, True)
        if push is not None and cursor.pc == push + 1:
            yield _Candidate(rsp + word, memory.word(rsp, word), True)
        if push is not None and cursor.pc <= push:
            yield _Candidate(rsp, rbp, push == symbol.start + len(_ENDBR) or push == symbol.start)
    # Where rsp is no stack at all, rbp may still lead to one.
    if push is None or rbp % word or (not 0 <= rbp - rsp < _FRAME_MAX and memory.word(rsp, word) is not None):
        chain = None
    else:
        chain = _Candidate(rbp + word, memory.word(rbp, word), True)
    if cursor.exact:
        # A compiler may set up the frame late ("shrink wrapping"), and leave it early: then rsp has the return address.
        if chain is not None:
            yield chain._replace(sure=False)
        yield _Candidate(rsp, rbp, False)
    if chain is not None:
        yield chain


def _words_above(rsp: int, memory: Memory, word: int) -> Iterator[tuple[int, int]]:
    """Words of the stack with their addresses, the nearest first: every word from rsp on and, if that is not
    aligned, the aligned ones as well."""
    starts = sorted({rsp, (rsp + word - 1) & -word})
    found = [memory.words(start, _SCAN_WORDS, word) for start in starts]
    for number in range(max(map(len, found))):
        for start, words in zip(starts, found, strict=True):
            if number < len(words):
                yield start + word * number, words[number]


def by_scan(cursor: Cursor, table: Table, memory: Memory, word: int = WORD) -> Cursor | None:
    """The next word up the stack that looks like a return address, and the rbp saved below it if it looks like one."""
    rsp = cursor.registers.get("rsp")
    if rsp is None:
        return None
    # Calls and pushes go by words from rsp, but whoever moved it by less may have done so since, and not before.
    for slot, value in _words_above(rsp, memory, word):
        if not return_address(value, table, memory):
            continue
        registers = {"rsp": slot + word}
        # An rbp that points above the return address is the caller's still. Else it may have been saved below it.
        for rbp in (cursor.registers.get("rbp"), memory.word(slot - word, word)):
            if rbp is not None and not rbp % word and 0 < rbp - slot < _FRAME_MAX:
                registers["rbp"] = rbp
                break
        return Cursor(value, registers, False, GUESS)
    return None
