"""The exceptions of x86 by vector (Intel SDM volume 3A, table 6-1)."""

from __future__ import annotations

from hv.arch.exceptions import Exceptions

_NAMES = (
    *("#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9", "#TS", "#NP", "#SS", "#GP", "#PF"),
    *("#15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"),
)
EXCEPTIONS = Exceptions(
    names=dict(enumerate(_NAMES)), unnamed="int {:#x}", error="error", pc="rip",
    with_error=frozenset({8, 10, 11, 12, 13, 14, 17, 21}), with_address=frozenset({14}),
    by_instruction=frozenset({1, 3, 4}),
    counters={**{vector + 0x20: f"int {vector:#x}" for vector in range(0x10, 0x1F)}, 0x3F: "int (others)"},
)  # fmt: skip
"""By themselves: INT1, INT3, INTO. Counters: x86_trap_counter() of native/xen/x86/machine.h."""
