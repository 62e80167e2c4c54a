"""Small ELF files for the symbol tests, compiled and linked outside the guest library."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from hv.testing.build import zig

if TYPE_CHECKING:
    from pathlib import Path

TEXT = 0x400000
X86_64 = ("x86_64-freestanding-none", "elf_x86_64", "-mno-red-zone")
ARM64 = ("aarch64-freestanding-none", "aarch64elf")
ARM32 = ("arm-freestanding-eabi", "armelf", "-mcpu=cortex_a15")
"""Target, the linker's name of it, and flags."""
CALLS_WITHIN_CALLS = """\
#include <guest.h>
volatile long number = 3;
__attribute__((noinline)) static long within(long n) { return number + n; }
__attribute__((noinline)) static long calls(long n) { return within(n) * n + within(n + 1); }
void test_main(void)
{
    check(calls(5) != 0);
}
"""
"""A guest test whose test_main() calls calls(), and that within()."""


def compiled(folder: Path, name: str, source: str, *flags: str, machine: tuple[str, ...] = X86_64) -> Path:
    """`source` (C, or assembly when `name` ends in .S) as an executable whose code begins at TEXT."""
    target, emulation, *own = machine
    path = folder / name
    path.write_text(source)
    made, output = path.with_suffix(".o"), path.with_suffix(".elf")
    commands = (
        [zig(), "cc", "-target", target, "-O1", "-ffreestanding", "-fno-pic", "-fno-sanitize=all",
         *own, *flags, "-c", str(path), "-o", str(made)],
        [zig(), "ld.lld", "-m", emulation, "-static", f"-Ttext={TEXT:#x}", "-e", str(TEXT), str(made),
         "-o", str(output)],
    )  # fmt: skip
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return output
