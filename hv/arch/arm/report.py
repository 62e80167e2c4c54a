"""What the report of a crash, and the debugger, say of an ARM vcpu: its registers, and how an address is translated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch.arm.memory import guest_physical
from hv.p2m import p2m_entry_text

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

PAGE_FAULTS = (0x20, 0x21, 0x24, 0x25)
"""Exception classes (ESR_EL1.EC) of instruction and data aborts, from below and from the same level."""
_STATUS = (("N", 31), ("Z", 30), ("C", 29), ("V", 28), ("D", 9), ("A", 8), ("I", 7), ("F", 6))


def register_lines(vcpu: Vcpu) -> list[str]:
    """General registers four a line, the flags by name, system registers."""
    state, width = vcpu.state(), 16 if vcpu.arch.FLAGS == "pstate" else 8
    cells = [f"{name:>4} {value:0{width}x}" for name, value in vcpu.registers.items()]
    lines = ["  " + "  ".join(cells[at : at + 4]) for at in range(0, len(cells), 4)]
    status = int(state.pstate)
    named = " ".join(name for name, bit in _STATUS if status >> bit & 1)
    lines.append(f"  {vcpu.arch.FLAGS} {status:08x} {named}".rstrip())
    cells = [f"{name} {vcpu.arch.OTHERS[name](vcpu):x}" for name in vcpu.arch.REPORTED]
    return lines + ["  " + "  ".join(cells[at : at + 6]) for at in range(0, len(cells), 6)]


def guest_walk(vcpu: Vcpu, address: int) -> list[str]:
    """How an address is translated: by the guest's tables, then by the p2m."""
    ipa = guest_physical(vcpu, address)
    if ipa is None:
        return [f"{address:#x}: the guest's tables map nothing there"]
    return [f"{address:#x}: guest-physical {ipa:#x}", f"-> {p2m_entry_text(vcpu.domain, ipa >> 12)}"]


def walk_lines(vcpu: Vcpu, address: int, why: str) -> list[str]:
    """The same, and `why` it is of interest."""
    return [f"page walk: {why}", *(f"   {line}" for line in guest_walk(vcpu, address))]
