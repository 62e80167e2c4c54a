"""The exceptions of ARM by the class in the syndrome (ESR_EL1.EC; of AArch32 the class that AArch64 would say).

Source: Arm Architecture Reference Manual (DDI 0487), D17.2.37; the names are ours.
"""

from __future__ import annotations

from hv.arch.exceptions import Exceptions

_NAMES = {
    0x00: "UNDEF", 0x01: "WFx", 0x03: "CP15-32", 0x04: "CP15-64", 0x05: "CP14-32", 0x06: "CP14-LS", 0x07: "FP",
    0x08: "CP10-ID", 0x0C: "CP14-64", 0x0E: "ILLEGAL", 0x11: "SVC32", 0x12: "HVC32", 0x13: "SMC32", 0x15: "SVC64",
    0x16: "HVC64", 0x17: "SMC64", 0x18: "SYSREG", 0x20: "IABT-EL0", 0x21: "IABT-EL1", 0x22: "PC-ALIGN",
    0x24: "DABT-EL0", 0x25: "DABT-EL1", 0x26: "SP-ALIGN", 0x28: "FP-EXC32", 0x2C: "FP-EXC64", 0x2F: "SERROR",
    0x30: "BREAK-EL0", 0x31: "BREAK-EL1", 0x32: "STEP-EL0", 0x33: "STEP-EL1", 0x34: "WATCH-EL0", 0x35: "WATCH-EL1",
    0x38: "BKPT32", 0x3C: "BRK64",
}  # fmt: skip
EXCEPTIONS = Exceptions(
    names=_NAMES, unnamed="class {:#x}", error="esr", pc="pc", with_error=frozenset(range(64)),
    with_address=frozenset({0x20, 0x21, 0x22, 0x24, 0x25, 0x34, 0x35}),
)  # fmt: skip
