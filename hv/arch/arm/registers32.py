"""The registers of an AArch32 vcpu, as hv.arch.arm.registers has those of AArch64: of the present mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hv.arch.arm.registers import HYPERCALL_BYTES, STATE, words_of
from hv.arch.arm.registers import OTHERS as OTHERS_64
from hv.arch.mode import FrameRecord
from hv.native import lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

__all__ = [
    "FLAGS", "GENERAL", "HYPERCALL_BYTES", "OTHERS", "PC", "RECORD", "STACK", "STATE", "general",
    "of_evidence",
]  # fmt: skip

GENERAL = (*(f"r{number}" for number in range(13)), "sp", "lr", "pc")
PC, STACK, FLAGS = "pc", "sp", "cpsr"


def _makes_record(code: bytes) -> bool:
    """PUSH with lr, or STR of it, at SP, always (DDI 0487, F5.1.154 and F5.1.217); of A32 code."""
    return any(word & 0xFFFF_4000 == 0xE92D_4000 or word & 0xFFFF_F000 == 0xE52D_E000 for word in words_of(code))


RECORD = FrameRecord("r11", "lr", STACK, 4, _makes_record)


def general(cpu: Any) -> dict[str, int]:
    """The values of GENERAL."""
    return {name: int(lib.arm_reg(cpu, number)) for number, name in enumerate(GENERAL[:-1])} | {
        PC: int(lib.cpu_pc(cpu))
    }


def of_evidence(evidence: Any) -> dict[str, int]:
    """The same of a `struct evidence`."""
    values = {name: int(evidence.arm_registers[number]) for number, name in enumerate(GENERAL[:-1])}
    return values | {PC: int(evidence.arm_registers[32])}


OTHERS: dict[str, Callable[[Vcpu], int]] = {
    name: OTHERS_64[name]
    for name in ("cpsr", "sctlr", "actlr", "ttbr0", "ttbr1", "vbar", "par", "contextidr", "cntkctl")
}
"""Further registers that have a name, and their values."""
