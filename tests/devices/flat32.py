"""Small 32-bit programs that are entered in place of firmware: flat segments, no paging, no interrupts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hv.testing.build import zig

BASE = 0x100000


def compiled(folder: Path, source: str) -> bytes:
    """The C program `source`, whose `_start` is entered, as an ELF file."""
    (folder / "program.c").write_text(source)
    commands = (
        [zig(), "cc", "-target", "x86-freestanding-none", "-O1", "-ffreestanding", "-fno-pic", "-fno-sanitize=all",
         "-mcpu=i586", "-c", "program.c", "-o", "program.o"],
        [zig(), "ld.lld", "-m", "elf_i386", "-static", f"--image-base={BASE:#x}", "-e", "_start", "program.o",
         "-o", "program"],
    )  # fmt: skip
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return (folder / "program").read_bytes()
