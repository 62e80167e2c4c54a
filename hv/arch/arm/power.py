"""What calls of the firmware's interface are called, for traces: PSCI by either calling convention, the rest of SMCCC.

Source: Arm DEN 0022 (PSCI), 5.1; Arm DEN 0028 (SMCCC); native/xen/arm/psci.c answers them.
"""

from __future__ import annotations

import functools

from hv import abi

_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "FN_VERSION": (), "FN_CPU_SUSPEND": ("state", "entry", "context"), "FN_CPU_OFF": (),
    "FN_CPU_ON": ("target", "entry", "context"), "FN_AFFINITY_INFO": ("target", "level"), "FN_MIGRATE": ("target",),
    "FN_MIGRATE_INFO_TYPE": (), "FN_SYSTEM_OFF": (), "FN_SYSTEM_RESET": (), "FN_FEATURES": ("function",),
    "cpu_suspend": ("state", "entry"), "cpu_off": (), "cpu_on": ("target", "entry"), "migrate": ("target",),
}  # fmt: skip
"""PSCI's functions as native/abi has them (small: those of version 0.1), and what their arguments are called."""
_ERRORS = (
    "NOT_SUPPORTED", "INVALID_PARAMETERS", "DENIED", "ALREADY_ON", "ON_PENDING", "INTERNAL_FAILURE", "NOT_PRESENT",
    "DISABLED", "INVALID_ADDRESS",
)  # fmt: skip


@functools.cache
def _functions() -> dict[int, tuple[str, tuple[str, ...]]]:
    return {
        abi.constant(f"PSCI_{name}", "arm"): (name.removeprefix("FN_"), arguments)
        for name, arguments in _FUNCTIONS.items()
    }


def call_name(number: int) -> str:
    """What a call is called; in both calling conventions the same."""
    known = _functions().get(number & ~int(abi.PSCI_FN64))
    return f"PSCI {known[0]}" if known else f"SMCCC {number:#x}"


def call_arguments(number: int, args: tuple[int, ...]) -> dict[str, int]:
    """Its arguments by name."""
    _, names = _functions().get(number & ~int(abi.PSCI_FN64), ("", ("x1", "x2", "x3")))
    return dict(zip(names, args, strict=False))


def result_text(result: int) -> str:
    """Its result in words: PSCI's errors by name."""
    errors = {abi.constant(f"PSCI_{name}", "arm"): name for name in _ERRORS}
    return errors.get(result, f"{result:#x}" if result > 9 else str(result))
