"""The environments of ARM guests."""

from hv.arch.environment import Environment

# Trap entries save general registers only, so C must not use others. With the MMU off all memory is device memory,
# where accesses must be aligned.
_ALIGNED = "-mno-unaligned-access"

ENVIRONMENTS = (
    Environment(
        name="arm64",
        target="aarch64-freestanding-none",
        flags=("-mcpu=generic-neon-fp_armv8", "-mno-outline-atomics", _ALIGNED),
        folders=("arm64", "arm", "whole", "core"),
        emulation="aarch64elf",
        kind="arm64",
        help="64-bit ARM (AArch64)",
    ),
    Environment(
        name="arm32",
        target="arm-freestanding-eabi",
        flags=("-mcpu=cortex_a15+soft_float-neon", "-marm", _ALIGNED),
        folders=("arm32", "arm", "whole", "core"),
        emulation="armelf",
        kind="arm32",
        help="32-bit ARM (ARMv7 with LPAE)",
    ),
)  # fmt: skip
