"""The registers of an x86 vcpu that a debugger may set (hv.changes): those that user code, as PV kernels are, can load
as it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hv.arch.settable import Settable, put_bytes, put_field
from hv.native import lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

RFLAGS = 0x250DD5
"""CF PF AF ZF SF TF DF OF NT AC ID: what popf may change at CPL 3."""
MXCSR = 0xFFFF


def _canonical(value: int) -> str:
    return "" if value >> 47 in (0, (1 << 17) - 1) else f"{value:#x} is not canonical"


def _mxcsr(value: int) -> str:
    return "reserved bits are set" if value & ~MXCSR else ""


def _put_gpr(name: str) -> Callable[[Any, bytes], None]:
    return lambda state, data: setattr(state.gprs, name, int.from_bytes(data, "little"))


def _put_base(segment: int) -> Callable[[Any, bytes], None]:
    return lambda state, data: setattr(state.segments[segment], "base", int.from_bytes(data, "little"))


def _put_flags(state: Any, data: bytes) -> None:
    state.rflags = (int(state.rflags) & ~RFLAGS) | (int.from_bytes(data, "little") & RFLAGS)


def _put_tags(state: Any, data: bytes) -> None:
    """The x87 tag word, abridged as FXSAVE has it (Intel SDM volume 1, 10.5.1.1): 3 is empty."""
    tags = int.from_bytes(data[:2], "little")
    state.ftw = sum(1 << register for register in range(8) if tags >> 2 * register & 3 != 3)


_GENERAL = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16)))
_REGISTERS: dict[str, Settable] = {
    **{name: Settable(8, _put_gpr(name)) for name in _GENERAL},
    "rip": Settable(8, _put_gpr("rip"), _canonical),
    "eflags": Settable(4, _put_flags),
    **{f"st{number}": Settable(10, put_bytes("x87", 16 * number)) for number in range(8)},
    "fctrl": Settable(4, put_field("fcw", 16)),
    "fstat": Settable(4, put_field("fsw", 16)),
    "ftag": Settable(4, _put_tags),
    "fop": Settable(4, put_field("fop", 11)),
    **{f"xmm{number}": Settable(16, put_bytes("xmm", 16 * number)) for number in range(16)},
    "mxcsr": Settable(4, put_field("mxcsr", 16), _mxcsr),
    "fs_base": Settable(8, _put_base(lib.SEG_FS), _canonical),
    "gs_base": Settable(8, _put_base(lib.SEG_GS), _canonical),
}


def registers(vcpu: Vcpu) -> dict[str, Settable]:
    """Those of a vcpu."""
    return _REGISTERS
