"""Boot a Linux kernel over a BIOS without a boot loader: `-kernel` style.

The fw_cfg device holds the kernel's parts (setup code, kernel, ramdisk, command line) and where they go; a boot ROM
(hv.arch.x86.builder.boot_rom) takes them from there and jumps to the setup code.

Source: Linux, Documentation/arch/x86/boot.rst; QEMU, docs/specs/fw_cfg.rst.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hv.arch.x86.builder.boot_rom import BIOS_MEMORY, CMDLINE, LINUX, ROM_FILE, SETUP, boot_rom, cmdline_items, part
from hv.arch.x86.builder.bzimage import is_bzimage
from hv.builder.image import PAGE_SIZE, BuilderError

KERNEL = 0x100000
"""Guest-physical address of the kernel; boot_rom has those of the setup code and the command line."""
LOADER_TYPE = 0xB0
"""Setup header, type_of_loader: QEMU's, whose protocol this is."""
HEAP_USABLE, LOADED_HIGH = 0x80, 0x01
VIDEO_MODES = {"normal": 0xFFFF, "ext": 0xFFFE, "ask": 0xFFFD}
"""Words that vga= takes in place of a mode's number."""
_SETUP_SECTS, _VIDEO_MODE, _PROTOCOL, _LOADER_TYPE, _LOADFLAGS = 0x1F1, 0x1FA, 0x206, 0x210, 0x211
_RAMDISK, _HEAP_END, _CMDLINE_POINTER, _RAMDISK_MAX, _CMDLINE_SIZE = 0x218, 0x224, 0x228, 0x22C, 0x238
_PREFERRED, _INIT_SIZE, _HEADER_END = 0x258, 0x260, 0x268
_OLDEST = 0x202


@dataclass(frozen=True)
class _Header:
    """What the setup header asks for. `end`: of the memory that the kernel needs to unpack itself."""

    setup_size: int
    longest_cmdline: int
    highest_ramdisk: int
    end: int


def linux_items(
    name: str, kernel: bytes, *, cmdline: str = "", ramdisk: bytes = b"", low_end: int
) -> dict[str, bytes]:
    """The items for FwCfg that boot the bzImage `kernel`; put firmware_items.rom_path(ROM_FILE) first in the boot
    order. low_end: where memory below 4 GiB ends. BuilderError: `kernel` is no bzImage that can be loaded high, or
    something does not fit."""
    header = _header(name, kernel)
    text = cmdline.encode()
    if len(text) > header.longest_cmdline:
        accepted = f"give at most {header.longest_cmdline} bytes"
        raise BuilderError("--cmdline", f"{len(text)} bytes are more than the kernel takes", accepted)
    ramdisk_at = (min(low_end - BIOS_MEMORY, header.highest_ramdisk + 1) - len(ramdisk)) & -PAGE_SIZE
    if ramdisk_at < header.end:
        problem = f"it needs memory up to {header.end:#x}, a ramdisk would have to begin at {ramdisk_at:#x}"
        raise BuilderError(name, problem, "give the domain more memory")
    setup = bytearray(kernel[: header.setup_size])
    setup[_LOADER_TYPE] = LOADER_TYPE
    setup[_LOADFLAGS] |= HEAP_USABLE
    mode = _video_mode(cmdline)
    if mode is not None:
        struct.pack_into("<H", setup, _VIDEO_MODE, mode)
    struct.pack_into("<II", setup, _RAMDISK, ramdisk_at if ramdisk else 0, len(ramdisk))
    struct.pack_into("<H", setup, _HEAP_END, CMDLINE - SETUP - 0x200)
    struct.pack_into("<I", setup, _CMDLINE_POINTER, CMDLINE)
    items = {"kernel_entry": bytes(4), ROM_FILE: boot_rom(b"Linux", LINUX)}
    for name, address, data in (
        ("setup", SETUP, bytes(setup)), ("kernel", KERNEL, kernel[header.setup_size :]),
        ("initrd", ramdisk_at, ramdisk),
    ):  # fmt: skip
        items |= part(name, address, data)
    return items | cmdline_items(cmdline)


def _video_mode(cmdline: str) -> int | None:
    """What vga= on the command line asks for, the last one counts: the setup code sets it before it reads any command
    line, so a loader has to put it into the header. None: nothing, and the header keeps its own."""
    asked = [word.removeprefix("vga=") for word in cmdline.split() if word.startswith("vga=")]
    if not asked:
        return None
    word = asked[-1]
    octal = word.startswith("0") and word.isdigit()  # as C writes numbers: it begins with 0 alone
    try:
        mode = VIDEO_MODES[word] if word in VIDEO_MODES else int(word, 8 if octal else 0)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0xFFFF:
        accepted = "a number up to 0xffff, or " + ", ".join(VIDEO_MODES)
        raise BuilderError("--cmdline", f"vga={word} is no video mode", f"give {accepted}")
    return mode


def _header(name: str, kernel: bytes) -> _Header:
    head = kernel[:_HEADER_END].ljust(_HEADER_END, b"\0")

    def field(at: int, size: int, since: int, otherwise: int) -> int:
        return int.from_bytes(head[at : at + size], "little") if protocol >= since else otherwise

    protocol = int.from_bytes(head[_PROTOCOL : _PROTOCOL + 2], "little")
    if not is_bzimage(memoryview(kernel)) or protocol < _OLDEST or not head[_LOADFLAGS] & LOADED_HIGH:
        raise BuilderError(name, "it is no bzImage of boot protocol 2.02 or later", "give a Linux kernel for x86")
    setup_size = ((head[_SETUP_SECTS] or 4) + 1) * 512
    if not _HEADER_END <= setup_size < len(kernel):
        raise BuilderError(name, "it ends before its kernel begins", "the file is truncated; fetch or build it again")
    return _Header(
        setup_size,
        field(_CMDLINE_SIZE, 4, 0x206, 255),
        field(_RAMDISK_MAX, 4, 0x203, 0x37FFFFFF),
        max(KERNEL + len(kernel) - setup_size, field(_PREFERRED, 8, 0x20A, 0) + field(_INIT_SIZE, 4, 0x20A, 0)),
    )
