"""Callers without tables: by the chain of frame pointers where a function keeps one, else by looking for what a call
instruction has left on the stack."""

from __future__ import annotations

import re

from hv.debug.symbols.cursor import WORD, Cursor, Memory
from hv.debug.symbols.table import Symbol, Table

POINTER, GUESS = "frame pointer", "guess"
_PROLOGUE = re.compile(rb"(?:\xf3\x0f\x1e\xfa)?(\x55)\x48\x89\xe5")  # [endbr64] push %rbp; mov %rsp,%rbp
_POP_RBP, _LEAVES = 0x5D, b"\xc3\xc2\xe9\xeb"  # pop %rbp; then ret, or a jump to what returns instead
#: the end of a call instruction: e8 with a distance, or ff /2 with a register or memory operand of each length
_CALL = re.compile(
    rb"\xe8.{4}\Z|\xff(?:[\xd0-\xd7\x10-\x13\x16\x17]|\x14[^\x25]|[\x50-\x53\x55-\x57].|\x54..|"
    rb"[\x15\x90-\x93\x95-\x97].{4}|[\x14\x94]\x25?.{4,5})\Z",
    re.DOTALL,
)
_CALL_MAX = 7
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


def by_pointer(cursor: Cursor, table: Table, memory: Memory) -> Cursor | None:
    """The caller of a function that begins with `push %rbp; mov %rsp,%rbp`; None: it does not, or the chain ends."""
    symbol = table.at(cursor.look_up)
    rsp, rbp = cursor.registers.get("rsp"), cursor.registers.get("rbp")
    if symbol is None or rsp is None or rbp is None:
        return None
    at = _saved_at(cursor, symbol, rsp, rbp, memory)
    if at is None:
        return None
    slot, caller_rbp = at
    pc = memory.word(slot)
    if pc is None or caller_rbp is None or not return_address(pc, table, memory):
        return None
    # rbp 0: whoever set up the stack says by it that nothing is above the caller
    return Cursor(pc, {"rsp": slot + WORD, "rbp": caller_rbp}, False, POINTER, last=caller_rbp == 0)


def _saved_at(
    cursor: Cursor, symbol: Symbol, rsp: int, rbp: int, memory: Memory
) -> tuple[int, int | None] | None:
    """Where the return address is, and the caller's rbp."""
    found = _PROLOGUE.match(memory.read(symbol.start, 8) or b"")
    if found is None:
        return None
    push = symbol.start + found.start(1)
    if cursor.exact:
        leaving = memory.read(cursor.pc - 1, 2) or b"\0\0"
        if cursor.pc <= push or (leaving[0] == _POP_RBP and leaving[1] in _LEAVES) or leaving[1] == _LEAVES[0]:
            return rsp, rbp
        if cursor.pc == push + 1:
            return rsp + WORD, memory.word(rsp)
    if rbp % WORD or (not 0 <= rbp - rsp < _FRAME_MAX and memory.word(rsp) is not None):
        return None  # where rsp is no stack at all, rbp may still lead to one
    return rbp + WORD, memory.word(rbp)


def by_scan(cursor: Cursor, table: Table, memory: Memory) -> Cursor | None:
    """The next word up the stack that looks like a return address, and the rbp saved below it if it looks like one."""
    rsp = cursor.registers.get("rsp")
    if rsp is None:
        return None
    start = (rsp + WORD - 1) & -WORD
    for number, value in enumerate(memory.words(start, _SCAN_WORDS)):
        if not return_address(value, table, memory):
            continue
        slot = start + WORD * number
        registers = {"rsp": slot + WORD}
        # An rbp that points above the return address is the caller's still. Else it may have been saved below it.
        for rbp in (cursor.registers.get("rbp"), memory.word(slot - WORD)):
            if rbp is not None and not rbp % WORD and 0 < rbp - slot < _FRAME_MAX:
                registers["rbp"] = rbp
                break
        return Cursor(value, registers, False, GUESS)
    return None
