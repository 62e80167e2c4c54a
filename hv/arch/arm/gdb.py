"""The registers of an ARM vcpu as gdb sees them: of AArch64 domains one description, of AArch32 domains another.

The names of the standard features and what is in them: gdb's manual, "AArch64 Features" and "ARM Features". System
registers are a feature of our own. Of AArch32 the general registers are those of the present mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.arch.arm.registers import OF_STATE as OF_STATE_64
from hv.arch.arm.registers32 import OF_STATE as OF_STATE_32
from hv.arch.gdb import Register, Target, flags_type, vector_types
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

CORE_64, FPU_64 = "org.gnu.gdb.aarch64.core", "org.gnu.gdb.aarch64.fpu"
CORE_32, VFP_32 = "org.gnu.gdb.arm.core", "org.gnu.gdb.arm.vfp"
SYSTEM = "org.xenlab.arm.system"
_FPCR, _FPSR = 0x07F7_9F00, 0xF800_009F
"""The bits of FPSCR that are AArch64's FPCR and FPSR (DDI 0487, G8.2.57)."""
_STACK = 31
"""As arm_reg() numbers it."""


class Machine(NamedTuple):
    """What a register is read from."""

    state: Any
    vcpu: Vcpu


def _general(name: str, number: int, bits: int, feature: str, type: str = "") -> Register:
    return Register(name, bits, type or f"int{bits}", feature, lambda m: int(lib.arm_reg(m.vcpu.cpu, number)))


def _pc(bits: int, feature: str) -> Register:
    return Register("pc", bits, "code_ptr", feature, lambda m: int(lib.cpu_pc(m.vcpu.cpu)))


def _flags(feature: str) -> Register:
    return Register("cpsr", 32, "cpsr_flags", feature, lambda m: int(lib.arm_pstate(m.vcpu.cpu)))


def _vector(number: int, size: int) -> Callable[[Machine], bytes]:
    start = size * number
    return lambda m: bytes(ffi.buffer(m.state.v, start + size))[start:]


def _plain(name: str, feature: str) -> Register:
    return Register(name, 32, "int", feature, lambda m: int(getattr(m.state, name)), "float")


def _system(values: dict[str, Callable[[Any], int]], names: tuple[str, ...]) -> tuple[Register, ...]:
    def one(name: str) -> Register:
        return Register(name, 64, "int64", SYSTEM, lambda m: values[name](m.state))

    return tuple(one(name) for name in names)


_FLAGS = {0: "SP", 2: "EL1", 4: "nRW", 5: "T", 6: "F", 7: "I", 8: "A", 9: "D", 20: "IL", 21: "SS", 28: "V", 29: "C",
          30: "Z", 31: "N"}  # fmt: skip
_FLAGS_32 = {5: "T", 6: "F", 7: "I", 8: "A", 9: "E", 27: "Q", 28: "V", 29: "C", 30: "Z", 31: "N"}


def _places(*numbers: int) -> Callable[[Vcpu], tuple[int, ...]]:
    """These general registers, and the program counter."""
    return lambda vcpu: (*(int(lib.arm_reg(vcpu.cpu, number)) for number in numbers), int(lib.cpu_pc(vcpu.cpu)))


def _machine_of(vcpu: Vcpu) -> Machine:
    return Machine(vcpu.state(), vcpu)


def _adapted(machine: Machine, values: dict[str, bytes]) -> dict[str, bytes]:
    """gdb calls the flags cpsr in AArch64 too."""
    return {"pstate" if name == "cpsr" else name: data for name, data in values.items()}


_TARGET_64 = Target(
    "aarch64",
    {CORE_64: flags_type("cpsr_flags", 4, _FLAGS), FPU_64: vector_types("vec128"), SYSTEM: ""},
    (
        *(_general(f"x{number}", number, 64, CORE_64) for number in range(31)),
        _general("sp", _STACK, 64, CORE_64, "data_ptr"),
        _pc(64, CORE_64),
        _flags(CORE_64),
        *(Register(f"v{number}", 128, "vec128", FPU_64, _vector(number, 16)) for number in range(32)),
        _plain("fpsr", FPU_64),
        _plain("fpcr", FPU_64),
        *_system(OF_STATE_64, tuple(name for name in OF_STATE_64 if name.endswith(("_el0", "_el1")))),
    ),
    _machine_of, ("x29", "sp", "pc"), _places(29, _STACK), _adapted, steps_over_watched=True,
)  # fmt: skip
_TARGET_32 = Target(
    "arm",
    {CORE_32: flags_type("cpsr_flags", 4, _FLAGS_32), VFP_32: "", SYSTEM: ""},
    (
        *(_general(f"r{number}", number, 32, CORE_32) for number in range(13)),
        _general("sp", 13, 32, CORE_32, "data_ptr"),
        _general("lr", 14, 32, CORE_32),
        _pc(32, CORE_32),
        _flags(CORE_32),
        *(Register(f"d{number}", 64, "ieee_double", VFP_32, _vector(number, 8)) for number in range(32)),
        Register("fpscr", 32, "int", VFP_32, lambda m: m.state.fpcr & _FPCR | m.state.fpsr & _FPSR, "float"),
        *_system(OF_STATE_32, tuple(name for name in OF_STATE_32 if name != "cpsr")),
    ),
    _machine_of, ("r11", "sp", "pc"), _places(11, 13), steps_over_watched=True,
)  # fmt: skip


def target_of(vcpu: Vcpu) -> Target:
    """By what the domain's kernel executes, whatever its user code does."""
    return _TARGET_32 if vcpu.arch.FLAGS == "cpsr" else _TARGET_64
