"""The registers of an ARM vcpu that a debugger may set (hv.changes): those that user code can load as it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hv.arch.settable import Settable, put_bytes, put_field

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

_PSTATE_SP, _PSTATE_EL = 1, 0xC
_NZCV = 0xF000_0000


def _put_x(number: int) -> Callable[[Any, bytes], None]:
    def put(state: Any, data: bytes) -> None:
        state.x[number] = int.from_bytes(data, "little")

    return put


def _put_sp(state: Any, data: bytes) -> None:
    """The one in use: SP_EL0 at EL0, and at EL1 while SPSel is 0 (DDI 0487, C5.2.18)."""
    own = int(state.pstate) & _PSTATE_EL and int(state.pstate) & _PSTATE_SP
    setattr(state, "sp_el1" if own else "sp_el0", int.from_bytes(data, "little"))


def _put_flags(state: Any, data: bytes) -> None:
    state.pstate = int(state.pstate) & ~_NZCV | int.from_bytes(data, "little") & _NZCV


def _aligned(bytes_: int) -> Callable[[int], str]:
    return lambda value: f"{value:#x} is not a multiple of {bytes_}" if value % bytes_ else ""


_VECTORS = {
    **{f"v{number}": Settable(16, put_bytes("v", 16 * number)) for number in range(32)},
    "fpsr": Settable(4, put_field("fpsr", 32)),
}
_REGISTERS_64: dict[str, Settable] = {
    **{f"x{number}": Settable(8, _put_x(number)) for number in range(31)},
    "sp": Settable(8, _put_sp),
    "pc": Settable(8, put_field("pc", 64), _aligned(4)),
    "pstate": Settable(4, _put_flags),
    **_VECTORS,
}
_REGISTERS_32: dict[str, Settable] = {
    **{f"r{number}": Settable(4, _put_x(number)) for number in range(13)},
    "sp": Settable(4, _put_x(13)),
    "lr": Settable(4, _put_x(14)),
    "pc": Settable(4, put_field("pc", 32), _aligned(2)),
    "cpsr": Settable(4, _put_flags),
}


def registers(vcpu: Vcpu) -> dict[str, Settable]:
    """Those of a vcpu: of its AArch64 or its AArch32 state."""
    return _REGISTERS_64 if vcpu.arch.FLAGS == "pstate" else _REGISTERS_32
