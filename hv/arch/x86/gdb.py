"""The registers of a vcpu as gdb sees them: one 64-bit description, whatever mode the vcpu is in.

rip and rsp are linear addresses: where segments do not begin at 0, gdb could not find code and stack by offsets.

The names of the standard features and what is in them: gdb's manual, "i386 Features"; k_gs_base to efer as QEMU adds
them; the other system registers are a feature of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hv.arch.gdb import Register, Target, flags_type, vector_types
from hv.arch.mode import Mode
from hv.arch.x86.mode import mode_in, mode_of
from hv.arch.x86.registers import cr2
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.vcpu import Vcpu

CORE, SSE = "org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse"
SEGMENTS, SYSTEM = "org.gnu.gdb.i386.segments", "org.xenlab.x86.system"
_MASK_32 = (1 << 32) - 1


class Machine(NamedTuple):
    """What a register is read from: the state of the processor, how it executes, and the vcpu for what the hypervisor
    keeps."""

    state: Any
    mode: Mode
    vcpu: Vcpu


def _general(name: str, type: str = "int64") -> Register:
    return Register(name, 64, type, CORE, lambda m: int(getattr(m.state.gprs, name)))


def _selector(name: str, index: int, feature: str = CORE) -> Register:
    return Register(name, 32, "int32", feature, lambda m: int(m.state.segments[index].selector))


def _base(name: str, index: int) -> Register:
    return Register(name, 64, "int64", SEGMENTS, lambda m: int(m.state.segments[index].base))


def _debug(number: int) -> Register:
    return Register(f"dr{number}", 64, "int64", SYSTEM, lambda m: int(m.state.dr[number]))


def _part(name: str, field: str, start: int, size: int, type: str, feature: str) -> Register:
    """Bytes out of an array."""
    return Register(
        name, size * 8, type, feature, lambda m: bytes(ffi.buffer(getattr(m.state, field), start + size))[start:]
    )


def _plain(name: str, feature: str, field: str = "", bits: int = 64, type: str = "", group: str = "") -> Register:
    path = field or name
    return Register(name, bits, type or f"int{bits}", feature, lambda m: int(getattr(m.state, path)), group)


def _full_tags(m: Machine) -> int:
    """The x87 tag word from its abridged form (Intel SDM volume 1, 10.5.1.1): 3 is empty."""
    top, tags = m.state.fsw >> 11 & 7, 0
    for physical in range(8):
        if not m.state.ftw >> physical & 1:
            tags |= 3 << 2 * physical
            continue
        start = (physical - top & 7) * 16
        raw = bytes(ffi.buffer(m.state.x87, start + 10))[start:]
        exponent, fraction = int.from_bytes(raw[8:], "little") & 0x7FFF, int.from_bytes(raw[:8], "little")
        if exponent == 0 and fraction == 0:
            tags |= 1 << 2 * physical
        elif exponent in (0, 0x7FFF) or not fraction >> 63:
            tags |= 2 << 2 * physical
    return tags


def _other_gs_base(m: Machine) -> int:
    if m.vcpu.domain.translated:
        return int(m.state.kernel_gs_base)
    c = m.vcpu.c
    return int(c.gs_base_user if c.kernel_mode else c.gs_base_kernel)


def _halves(field: str, name_segment: str, name_offset: str) -> tuple[Register, Register]:
    """gdb wants the selector and the offset of the last x87 instruction and operand; in 64-bit mode they are the upper
    and the lower half of one address."""
    return (
        Register(name_segment, 32, "int", CORE, lambda m: int(getattr(m.state, field)) >> 32, "float"),
        Register(name_offset, 32, "int", CORE, lambda m: int(getattr(m.state, field)) & 0xFFFFFFFF, "float"),
    )


_INSTRUCTION, _OPERAND = _halves("fip", "fiseg", "fioff"), _halves("fdp", "foseg", "fooff")
REGISTERS: tuple[Register, ...] = (
    *(_general(name) for name in ("rax", "rbx", "rcx", "rdx", "rsi", "rdi")),
    _general("rbp", "data_ptr"),
    Register("rsp", 64, "data_ptr", CORE, lambda m: m.mode.sp),
    *(_general(f"r{number}") for number in range(8, 16)),
    Register("rip", 64, "code_ptr", CORE, lambda m: m.mode.pc),
    Register("eflags", 32, "x64_eflags", CORE, lambda m: int(m.state.rflags) & 0xFFFFFFFF),
    *(_selector(name, getattr(lib, f"SEG_{name.upper()}")) for name in ("cs", "ss", "ds", "es", "fs", "gs")),
    *(_part(f"st{number}", "x87", 16 * number, 10, "i387_ext", CORE) for number in range(8)),
    _plain("fctrl", CORE, "fcw", 32, "int", "float"),
    _plain("fstat", CORE, "fsw", 32, "int", "float"),
    Register("ftag", 32, "int", CORE, _full_tags, "float"),
    *_INSTRUCTION,
    *_OPERAND,
    _plain("fop", CORE, "fop", 32, "int", "float"),
    *(_part(f"xmm{number}", "xmm", 16 * number, 16, "vec128", SSE) for number in range(16)),
    _plain("mxcsr", SSE, bits=32, type="i386_mxcsr", group="vector"),
    _base("fs_base", lib.SEG_FS),
    _base("gs_base", lib.SEG_GS),
    # what swapgs would load: the other mode's
    Register("k_gs_base", 64, "int64", SYSTEM, _other_gs_base),
    _plain("cr0", SYSTEM, type="x64_cr0"),
    Register("cr2", 64, "int64", SYSTEM, lambda m: cr2(m.vcpu)),
    _plain("cr3", SYSTEM),
    _plain("cr4", SYSTEM, type="x64_cr4"),
    _plain("cr8", SYSTEM),
    _plain("efer", SYSTEM, type="x64_efer"),
    _plain("gdtr_base", SYSTEM, "gdt_base"),
    _plain("gdtr_limit", SYSTEM, "gdt_limit", 32),
    _plain("idtr_base", SYSTEM, "idt_base"),
    _plain("idtr_limit", SYSTEM, "idt_limit", 32),
    _selector("ldtr", lib.SEG_LDT, SYSTEM),
    _selector("tr", lib.SEG_TR, SYSTEM),
    *(_debug(number) for number in (0, 1, 2, 3, 6, 7)),
    *(_plain(name, SYSTEM) for name in ("star", "lstar", "cstar", "fmask", "pat", "tsc_aux", "xcr0")),
)  # fmt: skip
_FLAGS = {
    "x64_eflags": (4, {0: "CF", 1: "", 2: "PF", 4: "AF", 6: "ZF", 7: "SF", 8: "TF", 9: "IF", 10: "DF", 11: "OF",
                       14: "NT", 16: "RF", 17: "VM", 18: "AC", 19: "VIF", 20: "VIP", 21: "ID"}),
    "x64_cr0": (8, {0: "PE", 1: "MP", 2: "EM", 3: "TS", 4: "ET", 5: "NE", 16: "WP", 18: "AM", 29: "NW", 30: "CD",
                    31: "PG"}),
    "x64_cr4": (8, {0: "VME", 1: "PVI", 2: "TSD", 3: "DE", 4: "PSE", 5: "PAE", 6: "MCE", 7: "PGE", 8: "PCE",
                    9: "OSFXSR", 10: "OSXMMEXCPT", 11: "UMIP", 12: "LA57", 16: "FSGSBASE", 17: "PCIDE",
                    18: "OSXSAVE", 20: "SMEP", 21: "SMAP", 22: "PKE"}),
    "x64_efer": (8, {0: "SCE", 8: "LME", 10: "LMA", 11: "NXE", 12: "SVME", 14: "FFXSR"}),
    "i386_mxcsr": (4, {0: "IE", 1: "DE", 2: "ZE", 3: "OE", 4: "UE", 5: "PE", 6: "DAZ", 7: "IM", 8: "DM", 9: "ZM",
                       10: "OM", 11: "UM", 12: "PM", 15: "FZ"}),
}  # fmt: skip
"""Types whose bits gdb shows by name: size in bytes, names by bit."""

_TYPES = {
    CORE: ("x64_eflags",), SSE: ("i386_mxcsr",), SEGMENTS: (), SYSTEM: ("x64_cr0", "x64_cr4", "x64_efer"),
}  # fmt: skip


def _machine_of(vcpu: Vcpu) -> Machine:
    """What the registers of a vcpu are read from, as it is now."""
    state = vcpu.state()
    return Machine(state, mode_in(state, whole=vcpu.domain.translated, kernel=bool(vcpu.c.kernel_mode)), vcpu)


def _places(vcpu: Vcpu) -> tuple[int, int, int]:
    """rbp, rsp and rip as gdb sees them. Of a PV guest's vcpu, whose segments begin at 0, in no time at all: gdb wants
    them after each step."""
    gprs = lib.cpu_gprs(vcpu.cpu)
    if not vcpu.domain.translated:
        return int(gprs.rbp), int(gprs.rsp), int(gprs.rip)
    mode = mode_of(vcpu)
    return int(gprs.rbp), mode.sp, mode.pc


def _offsets(machine: Machine, values: dict[str, bytes]) -> dict[str, bytes]:
    """What gdb wants to set, with offsets into their segments for rip and rsp."""
    if machine.mode.bits == 64:
        return values
    found = dict(values)
    for name, linear in (("rip", machine.mode.pc), ("rsp", machine.mode.sp)):
        if name in values:
            old = int(getattr(machine.state.gprs, name)) & _MASK_32
            new = old + int.from_bytes(values[name], "little") - linear
            found[name] = (new & _MASK_32).to_bytes(8, "little")
    return found


def _types(feature: str) -> str:
    return (vector_types("vec128") if feature == SSE else "") + "".join(
        flags_type(name, *_FLAGS[name]) for name in _TYPES[feature]
    )


TARGET = Target(
    "i386:x86-64", {feature: _types(feature) for feature in _TYPES}, REGISTERS, _machine_of, ("rbp", "rsp", "rip"),
    _places, _offsets,
)  # fmt: skip


def target_of(vcpu: Vcpu) -> Target:
    """The one description, whatever mode the vcpu is in."""
    return TARGET
