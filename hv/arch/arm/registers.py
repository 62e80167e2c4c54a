"""The registers of an AArch64 vcpu: their names, and the values of those that a debugger names."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hv.arch.mode import FrameRecord
from hv.native import lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

GENERAL = (*(f"x{number}" for number in range(31)), "sp", "pc")
PC, STACK, FLAGS = "pc", "sp", "pstate"
STATE = "struct arm_state"
"""The whole architectural state (native/engine/engine.h)."""
HYPERCALL_BYTES = 4
"""Of HVC, behind which the program counter stands while a hypercall is carried out."""


def words_of(code: bytes) -> tuple[int, ...]:
    """Code as instructions of 32 bits; what is left over at the end is none."""
    return struct.unpack(f"<{len(code) // 4}I", code[: len(code) & -4])


def _uses_record(code: bytes) -> bool:
    """ADD of x29 from SP; else BL or BLR, behind which x30 is another (DDI 0487, C6.2.4, C6.2.34, C6.2.35)."""
    return any(
        word & 0xFF80_03FF == 0x9100_03FD or word >> 26 == 0x25 or word & 0xFFFF_FC1F == 0xD63F_0000
        for word in words_of(code)
    )


def _above_record(code: bytes) -> int:
    """A function moves SP down, then stores the record anywhere in what it has got: what SUB and pre-indexed STP and
    STR have taken, less the distance that ADD of x29 from SP names (DDI 0487, C6.2)."""
    taken = 0
    for word in words_of(code):
        if word & 0xFF80_03FF == 0x9100_03FD:
            return taken - (word >> 10 & 0xFFF)
        if word & 0xFF80_03FF == 0xD100_03FF:
            taken += (word >> 10 & 0xFFF) << 12 * (word >> 22 & 1)
        elif word & 0xFFC0_03E0 == 0xA980_03E0 or word & 0xFFC0_03E0 == 0x6D80_03E0:
            taken -= 8 * ((word >> 15 & 0x7F ^ 0x40) - 0x40)
        elif word & 0xFFE0_0FE0 == 0xF800_0FE0:
            taken -= (word >> 12 & 0x1FF ^ 0x100) - 0x100
    return taken


RECORD = FrameRecord("x29", "x30", STACK, 8, _uses_record, b"\xc0\x03\x5f\xd6", GENERAL, _above_record)
"""Procedure Call Standard for the Arm 64-bit Architecture (AAPCS64), 6.4.6; numbers: DWARF for the same (AADWARF64),
4.1.
"""


def general(cpu: Any) -> dict[str, int]:
    """The values of GENERAL; `sp` is the one in use."""
    return {name: int(lib.arm_reg(cpu, number)) for number, name in enumerate(GENERAL[:-1])} | {
        PC: int(lib.cpu_pc(cpu))
    }


def of_evidence(evidence: Any) -> dict[str, int]:
    """The same of a `struct evidence`."""
    return {name: int(evidence.arm_registers[number]) for number, name in enumerate(GENERAL)}


def _field(name: str) -> Callable[[Any], int]:
    return lambda state: int(getattr(state, name))


_SYSTEM = (
    "sp_el0", "sp_el1", "elr_el1", "spsr_el1", "sctlr", "actlr", "cpacr", "ttbr0", "ttbr1", "tcr", "mair", "amair",
    "vbar", "esr", "far", "par", "contextidr", "tpidr_el0", "tpidrro_el0", "tpidr_el1", "cntkctl", "mdscr",
)  # fmt: skip
OF_STATE: dict[str, Callable[[Any], int]] = {
    FLAGS: _field("pstate"), "cpsr": _field("pstate"),
    **{name: _field(name) for name in _SYSTEM},
    **{f"{name}_el1": _field(name) for name in _SYSTEM if "_el" not in name},
}  # fmt: skip
"""Further registers that have a name, and their values in a STATE."""


def _of_vcpu(value: Callable[[Any], int]) -> Callable[[Vcpu], int]:
    return lambda vcpu: value(vcpu.state())


def of_vcpus(registers: dict[str, Callable[[Any], int]]) -> dict[str, Callable[[Vcpu], int]]:
    """The same of a vcpu, for who wants one of them: its whole state is read each time."""
    return {name: _of_vcpu(value) for name, value in registers.items()}


OTHERS = of_vcpus(OF_STATE)
REPORTED = (
    "sctlr", "tcr", "ttbr0", "ttbr1", "vbar", "mair", "esr", "far", "elr_el1", "spsr_el1", "sp_el0", "sp_el1",
)  # fmt: skip
"""Those that a report shows."""
