"""Decoding for the emulators in C: an instruction that is not in their cache leaves the run, and is put in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv.native import check, ffi, lib
from isa.x86.decode import Instruction, decode

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.vcpu import Vcpu


def fill(out: Any, insn: Instruction) -> None:
    """Write `insn` into a `struct insn` (native/xen/x86/insn.h)."""
    out.op = getattr(lib, f"INSN_{insn.operation}")
    out.length = insn.length
    out.flags = (
        (lib.INSN_REP if insn.rep else 0) | (lib.INSN_LOCK if insn.lock else 0) | (lib.INSN_STACK if insn.stack else 0)
    )
    out.operand_size = insn.operand_size
    out.address_size = insn.address_size
    out.operand_count = len(insn.operands)
    for slot, operand in zip(out.operands, insn.operands, strict=False):
        slot.kind = getattr(lib, f"OPERAND_{operand.kind}")
        slot.size = operand.size
        slot.reg = operand.reg
        slot.segment = operand.segment
        slot.base = operand.base
        slot.index = operand.index
        slot.scale = operand.scale
        slot.value = operand.value


def decode_at(hv: Hypervisor, vcpu: Vcpu, exit_record: Any) -> None:
    """Answer EXIT_DECODE: decode the bytes in the record and put the result into the cache.

    Raises NativeError when the cache does not take it, which would be a defect of the decoder.
    """
    code = bytes(ffi.buffer(exit_record.args))[: exit_record.nr]
    insn = decode(code, exit_record.error)
    out = ffi.new("struct insn *")
    fill(out, insn)
    what = f"{vcpu.domain.name}: decoding of {code.hex(' ')}"
    check(lib.hv_decode_add(hv.native, code, insn.length, exit_record.error, out), what)
