"""The call stack of a stopped vcpu.

Each caller comes from the first method that knows it: DWARF call frame information, Linux's ORC tables, the chain of
frame pointers; at last, a guess by what the stack holds. Nothing of the guest is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hv.debug.symbols.cursor import Cursor, Memory
from hv.debug.symbols.frames import GUESS, by_pointer, by_scan

if TYPE_CHECKING:
    from hv.debug.symbols import Symbols
    from hv.debug.symbols.table import Place
    from hv.vcpu import Vcpu

HERE = "here"


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

    In guest user mode, of a program that the symbols do not know, only where it is.
    """
    registers = dict(vcpu.registers)
    return unwind(Cursor(registers.pop("rip"), registers, True, HERE), symbols, Memory(vcpu.peek), limit)


def unwind(cursor: Cursor, symbols: Symbols, memory: Memory, limit: int) -> list[Frame]:
    """The frames from `cursor` on."""
    frames = [_frame(cursor, symbols)]
    seen = {(cursor.pc, cursor.registers.get("rsp"))}
    while len(frames) < limit and not cursor.last:
        if frames[-1].place is None and not cursor.exact:
            break  # out of what is known: a return address into nowhere leads nowhere
        following = _caller(cursor, symbols, memory)
        if following is None or (following.pc, following.registers.get("rsp")) in seen:
            break
        cursor = following
        seen.add((cursor.pc, cursor.registers.get("rsp")))
        frames.append(_frame(cursor, symbols))
    return frames


def _caller(cursor: Cursor, symbols: Symbols, memory: Memory) -> Cursor | None:
    if symbols.at(cursor.look_up) is None:
        return None
    # pyelftools decodes a function's description when it is first needed, and may not like it.
    found = symbols.guard("call frame information", lambda: symbols.cfi.caller(cursor, memory), None)
    if found is None:
        found = symbols.orc.caller(cursor, memory)
    if found is not None:
        return found
    return by_pointer(cursor, symbols.table, memory) or by_scan(cursor, symbols.table, memory)


def _frame(cursor: Cursor, symbols: Symbols) -> Frame:
    place = symbols.at(cursor.look_up)
    if place is not None and not cursor.exact:
        place = place._replace(offset=place.offset + 1)
    file, line = symbols.line(cursor.look_up) or (None, None)
    return Frame(cursor.pc, cursor.registers.get("rsp", 0), place, file, line, cursor.how)
