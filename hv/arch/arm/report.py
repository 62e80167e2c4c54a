"""What the report of a crash, and the debugger, say of an ARM vcpu: its registers, and how an address is translated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch.arm.memory import guest_physical, rights
from hv.arch.arm.mode import CPSR_MODE, PSTATE_AARCH32
from hv.native import ffi, lib
from hv.p2m import p2m_entry_text

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

PAGE_FAULTS = (0x20, 0x21, 0x24, 0x25)
"""Exception classes (ESR_EL1.EC) of instruction and data aborts, from below and from the same level."""
_FAULTS = {
    0x00: "address size", 0x04: "translation", 0x08: "access flag", 0x0C: "permission", 0x14: "no memory for the table",
    0x3C: "domain",
}  # fmt: skip
"""Statuses of an abort without their level. Source: DDI 0487, D17.2.37 (DFSC)."""
_LETTERS = (("r", lib.MAP_READ), ("w", lib.MAP_WRITE), ("x", lib.MAP_EXEC))
_CONDITIONS = (("N", 31), ("Z", 30), ("C", 29), ("V", 28))
_STATUS_64 = (*_CONDITIONS, ("SS", 21), ("IL", 20), ("D", 9), ("A", 8), ("I", 7), ("F", 6))
_STATUS_32 = (*_CONDITIONS, ("Q", 27), ("IL", 20), ("E", 9), ("A", 8), ("I", 7), ("F", 6), ("T", 5))
"""Bits of PSTATE, and of CPSR, by name (DDI 0487, C5.2 and G8.2)."""
_MODES = {0x10: "usr", 0x11: "fiq", 0x12: "irq", 0x13: "svc", 0x17: "abt", 0x1B: "und", 0x1F: "sys"}


def register_lines(vcpu: Vcpu) -> list[str]:
    """General registers four a line, the flags by name, system registers."""
    state, width = vcpu.state(), 16 if vcpu.arch.FLAGS == "pstate" else 8
    cells = [f"{name:>4} {value:0{width}x}" for name, value in vcpu.registers.items()]
    lines = ["  " + "  ".join(cells[at : at + 4]) for at in range(0, len(cells), 4)]
    status = int(state.pstate)
    lines.append(f"  {vcpu.arch.FLAGS} {status:08x} {status_text(status)}")
    cells = [f"{name} {vcpu.arch.OF_STATE[name](state):x}" for name in vcpu.arch.REPORTED]
    return lines + ["  " + "  ".join(cells[at : at + 6]) for at in range(0, len(cells), 6)]


def status_text(status: int) -> str:
    """A PSTATE or CPSR in words: the bits that are set, then the exception level and its stack pointer, or the mode."""
    narrow = status & PSTATE_AARCH32
    mode = _MODES.get(status & CPSR_MODE, "no mode") if narrow else f"EL{status >> 2 & 3}{'h' if status & 1 else 't'}"
    named = [name for name, bit in (_STATUS_32 if narrow else _STATUS_64) if status >> bit & 1]
    return " ".join([*named, mode])


def guest_walk(vcpu: Vcpu, address: int) -> list[str]:
    """How an address is translated: by the guest's tables, entry by entry, then by the p2m."""
    ipa, fault = guest_physical(vcpu, address), ffi.new("uint32_t *")
    entries = ffi.new("struct arm_entry[]", int(lib.ARM_WALK_LEVELS))
    count = int(lib.arm_walked(vcpu.cpu, address, entries, fault))
    status = int(fault[0])
    nothing = "the guest's tables map nothing there"
    head = [nothing if ipa is None else f"guest-physical {ipa:#x}, {_who(vcpu, address)}"]
    if status != lib.ARM_NO_FAULT:
        head.append(f"a read faults: {_FAULTS[status & ~3]}, level {status & 3}")
    lines = [f"{address:#x}: {'; '.join(head)}"]
    lines += [
        f"  {_size(1 << entry.shift):>7} by {int(entry.value):#0{2 * entry.bytes + 2}x} at {int(entry.ipa):#x}"
        for entry in entries[0:count]
    ]
    return lines if ipa is None else [*lines, f"-> {p2m_entry_text(vcpu.domain, ipa >> 12)}"]


def _who(vcpu: Vcpu, address: int) -> str:
    """What the kernel and what user mode may do there."""
    both = (("kernel", rights(vcpu, address, False)), ("user", rights(vcpu, address, True)))
    return ", ".join(f"{who} {''.join(name if may & bit else '-' for name, bit in _LETTERS)}" for who, may in both)


def _size(size: int) -> str:
    """Of a power of two of bytes: `4 KiB`."""
    for unit, shift in (("GiB", 30), ("MiB", 20)):
        if size >> shift:
            return f"{size >> shift} {unit}"
    return f"{size >> 10} KiB"


def walk_lines(vcpu: Vcpu, address: int, why: str) -> list[str]:
    """The same, and `why` it is of interest."""
    return [f"page walk: {why}", *(f"   {line}" for line in guest_walk(vcpu, address))]
