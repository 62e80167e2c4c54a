"""Boot sectors for an IDE disk: 16-bit programs in assembly language that SeaBIOS loads to 0x7c00."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from hv.testing.build import zig
from hv.toolstack.pc import FIRMWARE, find_firmware

SECTOR = 512
SIZE = 63 * SECTOR
HEAD = """
.code16
.globl _start
_start:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    ljmp $0, $main
say:                            # the text at si
    lodsb
    test %al, %al
    jz 1f
    call put
    jmp say
1:  ret
put:                            # the character in al
    push %si
    mov $0x0e, %ah
    mov $7, %bx
    int $0x10
    pop %si
    ret
main:
"""
TYPEWRITER = """
    mov $3, %ax                 # 80x25
    int $0x10
    mov $ready, %si
    call say
    mov $0xc205, %ax            # the mouse: three bytes a packet
    mov $3, %bh
    int $0x15
    mov $0xc207, %ax
    mov $mouse, %bx
    int $0x15
    mov $0xc200, %ax
    mov $1, %bh
    int $0x15
next:
    mov $1, %ah
    int $0x16
    jnz typed
    cmpb $1, clicked
    jne 1f
    movb $2, clicked
    mov $click, %si
    call say
1:  sti
    hlt
    jmp next
typed:
    xor %ax, %ax
    int $0x16
    cmp $27, %al
    je reboot
    call put
    jmp next
reboot:
    mov $0xfe, %al
    out %al, $0x64
    hlt
mouse:                          # status is the first word that was pushed
    push %bp
    mov %sp, %bp
    testb $1, 12(%bp)
    jz 1f
    cmpb $0, clicked
    jne 1f
    movb $1, clicked
1:  pop %bp
    lret
clicked: .byte 0
ready: .asciz "READY\\r\\n"
click: .asciz "[CLICK]"
"""
"""Shows what is typed, and [CLICK] for the first click; Esc resets the machine."""


def has_firmware() -> bool:
    """Whether SeaBIOS is installed."""
    return find_firmware(FIRMWARE) is not None


@cache
def assembled(body: str) -> bytes:
    """A disk image whose boot sector is `body` (GNU assembler) behind HEAD."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sector.S").write_text(HEAD + body)
        for command in (
            [zig(), "cc", "-target", "x86-freestanding-none", "-c", "sector.S", "-o", "sector.o"],
            [zig(), "ld.lld", "-m", "elf_i386", "--image-base=0", "-Ttext=0x7c00", "-e", "_start", "--oformat=binary",
             "sector.o", "-o", "sector"],
        ):  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, cwd=folder)
        code = (folder / "sector").read_bytes()
    if len(code) > SECTOR - 2:
        raise ValueError(f"{len(code)} bytes are more than a boot sector has")
    return (code.ljust(SECTOR - 2, b"\0") + b"\x55\xaa").ljust(SIZE, b"\0")


def write(path: Path, body: str) -> Path:
    """Write such an image."""
    path.write_bytes(assembled(body))
    return path
