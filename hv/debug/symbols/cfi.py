"""DWARF call frame information: .debug_frame and .eh_frame, decoded by pyelftools.

Source: DWARF 5, section 6.4; numbers of registers: System V ABI for x86-64, figure 3.36.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from hv.debug.symbols.cursor import MASK, Cursor, Memory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hv.debug.symbols.elf import ElfFile

HOW = "cfi"
_MAX_STEPS = 4096  # instructions of a description; each may make a row of as many registers
_NAMES = ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16)), "rip")
_RSP = _NAMES.index("rsp")


class Cfi:
    """The descriptions of all functions, by address. `functions`: pyelftools' FDE objects."""

    def __init__(self, functions: Iterable[Any] = ()) -> None:
        self._functions = sorted(functions, key=lambda function: int(function["initial_location"]))
        self._starts = [int(function["initial_location"]) for function in self._functions]

    def caller(self, cursor: Cursor, memory: Memory) -> Cursor | None:
        """The caller; the cursor itself as the last one where its return address is said to be undefined; None: there
        is no description, or one by an expression, or memory is missing."""
        function = self._function(cursor.look_up)
        if function is None:
            return None
        row = _row(function, cursor.look_up)
        if row is None:
            return None
        rule = row["cfa"]
        base = cursor.registers.get(_NAMES[rule.reg]) if rule.reg is not None and rule.reg < len(_NAMES) else None
        if base is None:
            return None
        cfa = (base + rule.offset) & MASK
        return_column = int(function.cie["return_address_register"])
        saved = row.get(return_column)
        if saved is None or saved.type == saved.UNDEFINED:
            return cursor._replace(last=True)
        registers = {}
        for number, name in enumerate(_NAMES):
            value = _value(row.get(number), name, cfa, cursor, memory)
            if value is not None:
                registers[name] = value
        if _RSP not in row:
            registers["rsp"] = cfa
        pc = _value(saved, "rip", cfa, cursor, memory)
        registers.pop("rip", None)
        # A signal frame's caller was interrupted: its pc is no return address. .debug_frame has no such mark, but only
        # a trap saves rsp itself.
        interrupted = True in function.cie.augmentation_dict or _RSP in row
        return None if pc is None else Cursor(pc, registers, interrupted, HOW)

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


def _value(rule: Any, name: str, cfa: int, cursor: Cursor, memory: Memory) -> int | None:
    """A register of the caller by its rule; None where that is undefined, or an expression."""
    if rule is None or rule.type == rule.SAME_VALUE:
        return cursor.registers.get(name)
    if rule.type == rule.OFFSET:
        return memory.word(cfa + rule.arg)
    if rule.type == rule.VAL_OFFSET:
        return (cfa + int(rule.arg)) & MASK
    if rule.type == rule.REGISTER and rule.arg < len(_NAMES):
        return cursor.registers.get(_NAMES[rule.arg])
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
