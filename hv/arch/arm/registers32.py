"""The registers of an AArch32 vcpu, as hv.arch.arm.registers has those of AArch64: of the present mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hv.arch.arm.registers import HYPERCALL_BYTES, STATE, of_vcpus, words_of
from hv.arch.arm.registers import OF_STATE as OF_STATE_64
from hv.arch.mode import FrameRecord
from hv.native import lib

__all__ = [
    "FLAGS", "GENERAL", "HYPERCALL_BYTES", "OF_STATE", "OTHERS", "PC", "RECORD", "REPORTED", "STACK", "STATE",
    "general", "of_evidence",
]  # fmt: skip

GENERAL = (*(f"r{number}" for number in range(13)), "sp", "lr", "pc")
PC, STACK, FLAGS = "pc", "sp", "cpsr"


def _uses_record(code: bytes) -> bool:
    """ADD of r11 from sp, or its copy, always; else BL or BLX, after which lr is another (DDI 0487, F5.1); A32 code."""
    return any(
        word & 0xFFFF_F000 == 0xE28D_B000 or word == 0xE1A0_B00D
        or word >> 24 & 15 == 11 or word & 0x0FFF_FFF0 == 0x012F_FF30
        for word in words_of(code)
    )  # fmt: skip


RECORD = FrameRecord("r11", "lr", STACK, 4, _uses_record, b"\x1e\xff\x2f\xe1", GENERAL, None, 1)
"""Returns by `bx lr`, of A32 code; bit 0 of a return address says that it is of T32 code. Numbers: DWARF for the Arm
Architecture (AADWARF32), 4.1.
"""


def general(cpu: Any) -> dict[str, int]:
    """The values of GENERAL."""
    return {name: int(lib.arm_reg(cpu, number)) for number, name in enumerate(GENERAL[:-1])} | {
        PC: int(lib.cpu_pc(cpu))
    }


def of_evidence(evidence: Any) -> dict[str, int]:
    """The same of a `struct evidence`."""
    values = {name: int(evidence.arm_registers[number]) for number, name in enumerate(GENERAL[:-1])}
    return values | {PC: int(evidence.arm_registers[32])}


_BANKS = {
    "usr": lib.ARM_BANK_USR, "svc": lib.ARM_BANK_SVC, "abt": lib.ARM_BANK_ABT, "und": lib.ARM_BANK_UND,
    "irq": lib.ARM_BANK_IRQ, "fiq": lib.ARM_BANK_FIQ,
}  # fmt: skip
"""Modes with registers of their own; system mode has user mode's, which has no SPSR."""
_MAPPED = {
    "sctlr": ("sctlr", 0), "actlr": ("actlr", 0), "cpacr": ("cpacr", 0), "ttbcr": ("tcr", 0), "vbar": ("vbar", 0),
    "mair0": ("mair", 0), "mair1": ("mair", 32), "dfsr": ("esr", 0), "dfar": ("far", 0), "ifar": ("far", 32),
    "ifsr": ("ifsr", 0), "dacr": ("dacr", 0), "contextidr": ("contextidr", 0), "cntkctl": ("cntkctl", 0),
    "tpidrurw": ("tpidr_el0", 0), "tpidruro": ("tpidrro_el0", 0), "tpidrprw": ("tpidr_el1", 0), "fpexc": ("fpexc", 0),
}  # fmt: skip
"""Registers of 32 bits, by where the state has them: a field, and from which bit on (DDI 0487, G1.15.3)."""


def _part(field: str, bit: int) -> Callable[[Any], int]:
    return lambda state: int(getattr(state, field)) >> bit & 0xFFFF_FFFF


def _banked(field: str, number: int) -> Callable[[Any], int]:
    return lambda state: int(getattr(state, field)[number]) & 0xFFFF_FFFF


def _bank(mode: str) -> dict[str, Callable[[Any], int]]:
    number = _BANKS[mode]
    found = {f"sp_{mode}": _banked("banked_r13", number), f"lr_{mode}": _banked("banked_r14", number)}
    if mode == "fiq":
        found |= {f"r{8 + n}_fiq": _banked("fiq_r8_r12", n) for n in range(5)}
    return found if mode == "usr" else found | {f"spsr_{mode}": _banked("banked_spsr", number)}


OF_STATE: dict[str, Callable[[Any], int]] = {
    **{name: OF_STATE_64[name] for name in ("cpsr", "ttbr0", "ttbr1", "par")},
    **{name: _part(*place) for name, place in _MAPPED.items()},
    **{name: value for mode in _BANKS for name, value in _bank(mode).items()},
}
"""Further registers that have a name, and their values in a STATE: those of every bank, the present mode's too."""
OTHERS = of_vcpus(OF_STATE)
REPORTED = tuple(name for name in OF_STATE if name not in ("cpsr", "par", "actlr", "contextidr", "cntkctl"))
"""Those that a report shows."""
