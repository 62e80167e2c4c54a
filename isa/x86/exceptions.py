"""Exception vectors of x86: names, and whether an error code comes with them (AMD64 APM volume 2, chapter 8)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vector:
    """One exception: mnemonic without the `#`, what it means, whether it pushes an error code."""

    name: str
    meaning: str
    error_code: bool = False


VECTORS: dict[int, Vector] = {
    0: Vector("DE", "divide error"),
    1: Vector("DB", "debug"),
    2: Vector("NMI", "non-maskable interrupt"),
    3: Vector("BP", "breakpoint"),
    4: Vector("OF", "overflow"),
    5: Vector("BR", "bound range"),
    6: Vector("UD", "invalid opcode"),
    7: Vector("NM", "device not available"),
    8: Vector("DF", "double fault", True),
    10: Vector("TS", "invalid TSS", True),
    11: Vector("NP", "segment not present", True),
    12: Vector("SS", "stack fault", True),
    13: Vector("GP", "general protection", True),
    14: Vector("PF", "page fault", True),
    16: Vector("MF", "x87 floating point"),
    17: Vector("AC", "alignment check", True),
    18: Vector("MC", "machine check"),
    19: Vector("XM", "SIMD floating point"),
}


def vector_name(number: int) -> str:
    """`#GP` for 13; `int 0x80` for a vector without a name of its own."""
    vector = VECTORS.get(number)
    return f"#{vector.name}" if vector else f"int {number:#x}"


PAGE_FAULT_BITS = ("present", "write", "user", "reserved", "fetch")
"""Bits of a page fault's error code, from bit 0."""


def page_fault_text(error: int) -> str:
    """The error code of a page fault in words: `write, user`; a clear bit 0 is `not present`."""
    words = [name for bit, name in enumerate(PAGE_FAULT_BITS) if bit and error >> bit & 1]
    return ", ".join(["protection" if error & 1 else "not present", *words])
