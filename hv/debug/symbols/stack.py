"""The call stack of a stopped vcpu.

Each caller comes from the first method that knows it: DWARF call frame information, Linux's ORC tables, the chain of
frame pointers; at last, a guess by what the stack holds. Nothing of the guest is changed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hv.debug.mode import mode_of, record_of
from hv.debug.symbols.cfi import X86_64, Registers
from hv.debug.symbols.cursor import Cursor, Memory
from hv.debug.symbols.frames import GUESS, POINTER, by_pointer, by_scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from hv.arch.mode import FrameRecord
    from hv.debug.symbols import Symbols
    from hv.debug.symbols.table import Place
    from hv.vcpu import Vcpu

HERE = "here"
_BODY, _PROLOGUE = 4096, 256
"""Bytes of a function that are looked at, and those in which it has made its frame record."""


class Frame(NamedTuple):
    """One call, the innermost first. `how` tells what found it: here, cfi, orc, frame pointer, or guess."""

    pc: int
    """The next instruction; of all but the first frame, the one to return to."""
    sp: int
    """The stack pointer there."""
    place: Place | None
    file: str | None
    """Source file and line of the call, or of the innermost instruction."""
    line: int | None
    how: str

    def __str__(self) -> str:
        mark = "? " if self.how == GUESS else ""
        where = f" ({self.file.rpartition('/')[2]}:{self.line})" if self.file else ""
        return f"{mark}{self.pc:#018x} {self.place or '?'}{where}"


def backtrace(vcpu: Vcpu, symbols: Symbols, limit: int = 32) -> list[Frame]:
    """The call stack of a vcpu that is not running: at most `limit` frames, at least one.

    In guest user mode, of a program that the symbols do not know, and of 16-bit code, whose calls need segments, only
    where it is. Addresses are linear.
    """
    registers, arch, mode = dict(vcpu.registers), vcpu.arch, mode_of(vcpu)
    del registers[arch.PC]
    cursor = Cursor(mode.pc, registers | {arch.STACK: mode.sp}, True, HERE, last=mode.bits == 16)
    return unwind(cursor, symbols, Memory(vcpu.peek), limit, record_of(vcpu, mode))


def unwind(
    cursor: Cursor, symbols: Symbols, memory: Memory, limit: int, record: FrameRecord | None = None
) -> list[Frame]:
    """The frames from `cursor` on. `record`: how they are linked, of code that keeps frame records."""
    way = _way(record)
    stack = record.stack if record else "rsp"
    frames = [_frame(cursor, symbols, stack)]
    seen = {(cursor.pc, cursor.registers.get(stack))}
    while len(frames) < limit and not cursor.last:
        if frames[-1].place is None and not cursor.exact:
            break  # out of what is known: a return address into nowhere leads nowhere
        following = way(cursor, symbols, memory)
        if following is None or (following.pc, following.registers.get(stack)) in seen:
            break
        cursor = following
        seen.add((cursor.pc, cursor.registers.get(stack)))
        frames.append(_frame(cursor, symbols, stack))
    return frames


def _way(record: FrameRecord | None) -> Callable[[Cursor, Symbols, Memory], Cursor | None]:
    """How callers of such code are found. Without a link register, calls leave their return address on the stack."""
    if record is None:
        return _caller
    known = Registers(record.numbers, record.stack, record.word, record.marks)
    return partial(_linked, record=record, known=known) if record.link else partial(_caller, known=known)


def _caller(cursor: Cursor, symbols: Symbols, memory: Memory, known: Registers = X86_64) -> Cursor | None:
    if symbols.at(cursor.look_up) is None:
        return None
    found, table, word = _described(cursor, symbols, memory, known), symbols.table, known.word
    if found is None and known is X86_64:
        found = symbols.orc.caller(cursor, memory)
    return found or by_pointer(cursor, table, memory, word) or by_scan(cursor, table, memory, word)


def _described(cursor: Cursor, symbols: Symbols, memory: Memory, known: Registers) -> Cursor | None:
    """By call frame information: pyelftools decodes a function's when it is first needed, and may not like it."""
    return symbols.guard("call frame information", lambda: symbols.cfi.caller(cursor, memory, known), None)


def _linked(
    cursor: Cursor, symbols: Symbols, memory: Memory, record: FrameRecord, known: Registers
) -> Cursor | None:
    """The caller where frames are linked. At a return no description counts: compilers describe how a frame is made,
    but only those that are asked to how it goes."""
    if symbols.at(cursor.look_up) is None or _returns(cursor, memory, record):
        return by_record(cursor, symbols, memory, record)
    return _described(cursor, symbols, memory, known) or by_record(cursor, symbols, memory, record)


def _returns(cursor: Cursor, memory: Memory, record: FrameRecord) -> bool:
    """Whether the next instruction is the one that returns by the link register."""
    code = record.returns
    return cursor.exact and code != b"" and memory.read(cursor.pc, len(code)) == code


def by_record(cursor: Cursor, symbols: Symbols, memory: Memory, record: FrameRecord) -> Cursor | None:
    """The caller by the frame record in use; of a function that has made none so far, or has none any more, by the
    register that it returns to."""
    registers, mask = cursor.registers, (1 << 8 * record.word) - 1
    symbol, link = symbols.table.at(cursor.look_up), registers.get(record.link)
    code = memory.read(symbol.start, min(cursor.pc - symbol.start, _BODY)) if symbol else None
    above = record.above(code[:_PROLOGUE]) if record.above and code else None
    link = None if link is None else link & ~record.marks
    if cursor.exact and symbol is not None and link is not None and symbols.table.at(link) is not None:
        gone = _returns(cursor, memory, record)
        if gone or (code is not None and not record.uses(code)):
            stack = registers.get(record.stack, 0) + (0 if gone or above is None else above) & mask
            return Cursor(link, registers | {record.stack: stack}, False, POINTER)
    frame = registers.get(record.frame)
    data = memory.read(frame, 2 * record.word) if frame else None
    if frame is None or data is None:
        return None
    older, pc = (int.from_bytes(data[at : at + record.word], "little") for at in (0, record.word))
    stack = frame + (2 * record.word if above is None else above) & mask
    found = registers | {record.frame: older, record.stack: stack}
    return Cursor(pc & ~record.marks, found, False, POINTER, last=older == 0) if pc else None


def _frame(cursor: Cursor, symbols: Symbols, stack: str) -> Frame:
    place = symbols.at(cursor.look_up)
    if place is not None and not cursor.exact:
        place = place._replace(offset=place.offset + 1)
    file, line = symbols.line(cursor.look_up) or (None, None)
    return Frame(cursor.pc, cursor.registers.get(stack, 0), place, file, line, cursor.how)
