"""DWARF call frame information: .debug_frame and .eh_frame, decoded by pyelftools.

Source: DWARF 5, section 6.4; numbers of registers: System V ABI for x86-64, figure 3.36; an architecture that keeps
frame records says its own (hv.arch.mode.FrameRecord).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.debug.symbols.cursor import Cursor, Memory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hv.debug.symbols.elf import ElfFile

HOW = "cfi"
_MAX_STEPS = 4096  # instructions of a description; each may make a row of as many registers


class Registers(NamedTuple):
    """What the descriptions of one architecture speak of: its registers by their numbers, and which is the stack's."""

    names: tuple[str, ...]
    stack: str
    word: int = 8
    """Bytes."""
    marks: int = 0
    """Bits of a return address that are no part of it."""


X86_64 = Registers(
    ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16)), "rip"), "rsp"
)


class Cfi:
    """The descriptions of all functions, by address. `functions`: pyelftools' FDE objects."""

    def __init__(self, functions: Iterable[Any] = ()) -> None:
        self._functions = sorted(functions, key=lambda function: int(function["initial_location"]))
        self._starts = [int(function["initial_location"]) for function in self._functions]

    def caller(self, cursor: Cursor, memory: Memory, known: Registers = X86_64) -> Cursor | None:
        """The caller; the cursor itself as the last one where its return address is said to be undefined; None: there
        is no description, or one by an expression, or memory is missing."""
        function = self._function(cursor.look_up)
        row = None if function is None else _row(function, cursor.look_up)
        if row is None:
            return None
        rule, return_column = row["cfa"], int(function.cie["return_address_register"])
        base = None if rule.reg is None else cursor.registers.get(_name(known, rule.reg))
        if base is None:
            return None
        frame = _Frame((base + rule.offset) & _mask(known), cursor, memory, known)
        # Where nothing is said of it, the return address is where it was: in a link register, if there is one.
        saved, column = row.get(return_column), _name(known, return_column)
        if (saved is None and column not in cursor.registers) or (saved and saved.type == saved.UNDEFINED):
            return cursor._replace(last=True)
        pc = frame.value(saved, column)
        if pc is None:
            return None
        values = {name: frame.value(row.get(number), name) for number, name in enumerate(known.names)}
        stack = known.names.index(known.stack)
        if stack not in row:
            values[known.stack] = frame.cfa
        registers = {
            name: value for name, value in values.items() if value is not None and name not in ("rip", "pc")
        }
        # A signal frame's caller was interrupted: its pc is no return address. .debug_frame has no such mark, but only
        # a trap saves the stack pointer itself.
        interrupted = True in function.cie.augmentation_dict or stack in row
        return Cursor(pc & ~known.marks, registers, interrupted, HOW)

    def _function(self, address: int) -> Any:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._starts[index] + int(self._functions[index]["address_range"]):
            return None
        return self._functions[index]


def _row(function: Any, address: int) -> Any:
    """The rules that hold at `address`: the last row at or before it."""
    if len(function.instructions) + len(function.cie.instructions) > _MAX_STEPS:
        return None
    found = None
    for row in function.get_decoded().table:
        if row["pc"] > address:
            break
        found = row
    return found if found is not None and found.get("cfa") is not None else None


def _name(known: Registers, number: int) -> str:
    """Of a register; "" of one that has none here."""
    return known.names[number] if 0 <= number < len(known.names) else ""


def _mask(known: Registers) -> int:
    return (1 << 8 * known.word) - 1


class _Frame(NamedTuple):
    """What rules are applied to: the canonical frame address (CFA), and what is known of the callee."""

    cfa: int
    cursor: Cursor
    memory: Memory
    known: Registers

    def value(self, rule: Any, name: str) -> int | None:
        """A register of the caller by its rule; None where that is undefined, or an expression."""
        if rule is None or rule.type == rule.SAME_VALUE:
            return self.cursor.registers.get(name)
        if rule.type == rule.OFFSET:
            return self.memory.word(self.cfa + rule.arg, self.known.word)
        if rule.type == rule.VAL_OFFSET:
            return (self.cfa + int(rule.arg)) & _mask(self.known)
        if rule.type == rule.REGISTER:
            return self.cursor.registers.get(_name(self.known, rule.arg))
        return None


def read_cfi(elf: ElfFile) -> Cfi:
    """What .debug_frame and .eh_frame describe. Raises anything when they are damaged."""
    info = elf.dwarf()
    if info is None:
        return Cfi()
    entries = [
        *(info.CFI_entries() if info.has_CFI() else ()),
        *(info.EH_CFI_entries() if info.has_EH_CFI() else ()),
    ]
    return Cfi(entry for entry in entries if getattr(entry, "cie", None) is not None)
