"""Small ELF files for the symbol tests, compiled and linked outside the guest library."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from hv.testing.build import zig

if TYPE_CHECKING:
    from pathlib import Path

TEXT = 0x400000


def compiled(folder: Path, name: str, source: str, *flags: str) -> Path:
    """`source` (C, or assembly when `name` ends in .S) as an executable whose code begins at TEXT."""
    path = folder / name
    path.write_text(source)
    made, output = path.with_suffix(".o"), path.with_suffix(".elf")
    commands = (
        [zig(), "cc", "-target", "x86_64-freestanding-none", "-O1", "-ffreestanding", "-fno-pic", "-fno-sanitize=all",
         "-mno-red-zone", *flags, "-c", str(path), "-o", str(made)],
        [zig(), "ld.lld", "-m", "elf_x86_64", "-static", f"-Ttext={TEXT:#x}", "-e", str(TEXT), str(made),
         "-o", str(output)],
    )  # fmt: skip
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return output
