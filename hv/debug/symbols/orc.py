"""Linux's ORC tables: for each instruction of the kernel, where its caller's stack pointer, rbp and return address are.

`.orc_unwind_ip` has an int32 an entry (the instruction's distance from the int32 itself, ascending), `.orc_unwind` six
bytes an entry. Source: Linux, arch/x86/include/asm/orc_types.h and arch/x86/kernel/unwind_orc.c. The second byte of the
flags changed with Linux 6.4: the type of an ordinary call went from 0 to 2.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from hv.debug.symbols.cursor import MASK, WORD, Cursor, Memory

if TYPE_CHECKING:
    from hv.debug.symbols.elf import ElfFile

HOW = "orc"
_MAX_ENTRIES = 1 << 22  # Debian's kernel has 385,000
_ENTRY = struct.Struct("<hhBB")  # sp_offset, bp_offset, sp_reg and bp_reg (4 bits each), type and flags
_UNDEFINED, _PREV_SP, _BP, _SP, _BP_INDIRECT, _SP_INDIRECT = 0, 1, 4, 5, 8, 9
_BASES = {2: "rdx", 3: "rdi", _BP: "rbp", _SP: "rsp", 6: "r10", 7: "r13", _BP_INDIRECT: "rbp", _SP_INDIRECT: "rsp"}
_CALL, _REGS, _REGS_PARTIAL = "call", "regs", "regs_partial"
_OLD_TYPES = (3, {0: _CALL, 1: _REGS, 2: _REGS_PARTIAL})  # mask, meaning
_NEW_TYPES = (7, {2: _CALL, 3: _REGS, 4: _REGS_PARTIAL})  # 0: undefined, 1: end of stack
# struct pt_regs (arch/x86/include/asm/ptrace.h): a word each, in this order
_PT_REGS = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "rflags", "rsp", "ss"),
)
_IRET_FRAME = _PT_REGS.index("rip")


class Entry(NamedTuple):
    """One entry: the base register of the previous stack pointer, its offset, those of rbp, and the frame's type
    (None: the stack ends here, or is not known)."""

    sp_register: int
    sp_offset: int
    bp_register: int
    bp_offset: int
    type: str | None


class Orc:
    """The two tables. `address`: where the first int32 of .orc_unwind_ip lies in memory."""

    def __init__(self, ips: bytes = b"", entries: bytes = b"", address: int = 0) -> None:
        count = min(len(ips) // 4, len(entries) // _ENTRY.size, _MAX_ENTRIES)
        self._entries = entries
        offsets = array("i", ips[: 4 * count])
        self._ips = [address + 4 * number + offset for number, offset in enumerate(offsets)]
        order = range(count)
        if self._ips != sorted(self._ips):  # before Linux 5.6 the kernel sorted them when it booted
            order_list = sorted(order, key=self._ips.__getitem__)
            self._ips = [self._ips[number] for number in order_list]
            self._order: range | list[int] = order_list
        else:
            self._order = order
        plain = [flags & 7 for at in order for _, _, base, flags in [self._raw(at)] if base & 15 == _SP]
        self._mask, self._types = _NEW_TYPES if plain.count(2) > plain.count(0) else _OLD_TYPES

    def _raw(self, number: int) -> tuple[int, int, int, int]:
        sp_offset, bp_offset, bases, flags = _ENTRY.unpack_from(self._entries, number * _ENTRY.size)
        return sp_offset, bp_offset, bases, flags

    def entry(self, address: int) -> Entry | None:
        """The entry of the instruction at `address`; None when it lies before all that is known."""
        index = bisect_right(self._ips, address) - 1
        if index < 0:
            return None
        sp_offset, bp_offset, bases, flags = self._raw(self._order[index])
        kind = self._types.get(flags & self._mask) if bases & 15 else None
        return Entry(bases & 15, sp_offset, bases >> 4, bp_offset, kind)

    def caller(self, cursor: Cursor, memory: Memory) -> Cursor | None:
        """The caller; the cursor itself as the last one where the kernel says that the stack ends; None: not known."""
        entry = self.entry(cursor.look_up)
        if entry is None:
            return None
        if entry.type is None:
            return None if cursor.exact else cursor._replace(last=True)
        sp = _previous_sp(entry, cursor, memory)
        if sp is None:
            return None
        if entry.type == _CALL:
            pc = memory.word(sp - WORD)
            registers = {"rsp": sp}
        else:
            registers = _saved(entry.type, sp, memory)
            pc = registers.pop("rip", None)
        bp = registers.get("rbp", cursor.registers.get("rbp"))
        if entry.bp_register == _PREV_SP:
            bp = memory.word(sp + entry.bp_offset)
        elif entry.bp_register == _BP and "rbp" in cursor.registers:
            bp = memory.word(cursor.registers["rbp"] + entry.bp_offset)
        if pc is None:
            return None
        if bp is not None:
            registers["rbp"] = bp
        return Cursor(pc, registers, entry.type != _CALL, HOW)


def _previous_sp(entry: Entry, cursor: Cursor, memory: Memory) -> int | None:
    base = cursor.registers.get(_BASES.get(entry.sp_register, ""))
    if base is None:
        return None
    if entry.sp_register == _SP_INDIRECT:
        value = memory.word(base)
        return None if value is None else (value + entry.sp_offset) & MASK
    sp = (base + entry.sp_offset) & MASK
    return memory.word(sp) if entry.sp_register == _BP_INDIRECT else sp


def _saved(kind: str, sp: int, memory: Memory) -> dict[str, int]:
    """The registers of the interrupted code: all of pt_regs at `sp`, or only what a trap pushes."""
    first = 0 if kind == _REGS else _IRET_FRAME
    values = [memory.word(sp + WORD * number) for number in range(len(_PT_REGS) - first)]
    return {name: value for name, value in zip(_PT_REGS[first:], values, strict=True) if value is not None}


def read_orc(elf: ElfFile) -> Orc:
    """The tables of a kernel; empty ones when it has none. Raises anything when the file is damaged."""
    ips, entries = elf.section(".orc_unwind_ip"), elf.section(".orc_unwind")
    return Orc(ips.data, entries.data, ips.address) if ips and entries else Orc()
