"""Disassembly of A64, A32 and T32 code, by Capstone."""

from __future__ import annotations

from typing import Any

import capstone
from capstone import arm, arm64

from isa.code import Decoder

_MODES = {
    "aarch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
    "arm": (capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM | capstone.CS_MODE_V8),
    "thumb": (capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_V8),
}
_BRANCHES = (capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL, capstone.CS_GRP_BRANCH_RELATIVE)
_ADDRESSES = (arm64.ARM64_INS_ADR, arm64.ARM64_INS_ADRP)


def decoder(code: str) -> Decoder:
    """Of "aarch64", "arm" or "thumb"."""
    engine = capstone.Cs(*_MODES[code])
    engine.detail = True
    return Decoder(engine, 4, _target_64 if code == "aarch64" else _target_32)


def _target_64(instruction: Any) -> int | None:
    """Capstone gives whole addresses in the place of A64's displacements."""
    if not (any(map(instruction.group, _BRANCHES)) or instruction.id in _ADDRESSES):
        return None
    values = [operand.imm for operand in instruction.operands if operand.type == arm64.ARM64_OP_IMM]
    return int(values[-1]) & (1 << 64) - 1 if values else None  # tbz has the number of a bit before it


def _target_32(instruction: Any) -> int | None:
    if not any(map(instruction.group, _BRANCHES)):
        return None
    for operand in instruction.operands:
        if operand.type == arm.ARM_OP_IMM:
            return int(operand.imm) & (1 << 32) - 1
    return None
