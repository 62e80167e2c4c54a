"""Boot a Linux kernel over a BIOS without a boot loader: `-kernel` style.

The fw_cfg device holds the kernel's parts (setup code, kernel, ramdisk, command line) and where they go. A boot ROM
copies them there by fw_cfg's DMA interface and jumps to the setup code. Firmware finds the ROM as a file of fw_cfg and
runs it as a boot device: SeaBIOS cannot start a kernel by itself. QEMU's ROM for this, linuxboot_dma.bin, is in the
Debian package qemu-system-data and not in seabios; this one is our own, 145 bytes of code, listed below.

Source: Linux, Documentation/arch/x86/boot.rst; BIOS Boot Specification 1.01 (boot entry vectors); QEMU,
docs/specs/fw_cfg.rst.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hv.builder.bzimage import is_bzimage
from hv.builder.image import PAGE_SIZE, BuilderError

ROM_FILE = "genroms/linuxboot.bin"
SETUP, CMDLINE, KERNEL = 0x10000, 0x20000, 0x100000
"""Guest-physical addresses of the setup code, of the command line and of the kernel."""
BIOS_MEMORY = 4 << 20
"""What a BIOS may keep for itself at the end of low memory: the ramdisk lies below."""
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
    items = {"kernel_entry": bytes(4), ROM_FILE: boot_rom()}
    for part, address, data in (
        ("setup", SETUP, bytes(setup)), ("kernel", KERNEL, kernel[header.setup_size :]),
        ("initrd", ramdisk_at, ramdisk),
    ):  # fmt: skip
        items |= _part(part, address, data)
    return items | cmdline_items(cmdline)


def cmdline_items(cmdline: str) -> dict[str, bytes]:
    """The items that hold a command line, of a Linux kernel or of a guest that is entered in place of firmware."""
    return _part("cmdline", CMDLINE, cmdline.encode() + b"\0")


def _video_mode(cmdline: str) -> int | None:
    """What vga= on the command line asks for, the last one counts: the setup code sets it before it reads any command
    line, so a loader has to put it into the header. None: nothing, and the header keeps its own."""
    asked = [word.removeprefix("vga=") for word in cmdline.split() if word.startswith("vga=")]
    if not asked:
        return None
    try:
        mode = VIDEO_MODES.get(asked[-1])
        # As C writes numbers: octal begins with 0 alone.
        octal = asked[-1].startswith("0") and asked[-1].isdigit()
        mode = (int(asked[-1], 8) if octal else int(asked[-1], 0)) if mode is None else mode
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0xFFFF:
        accepted = "a number up to 0xffff, or " + ", ".join(VIDEO_MODES)
        raise BuilderError("--cmdline", f"vga={asked[-1]} is no video mode", f"give {accepted}")
    return mode


def _part(part: str, address: int, data: bytes) -> dict[str, bytes]:
    size = len(data).to_bytes(4, "little")
    return {f"{part}_addr": address.to_bytes(4, "little"), f"{part}_size": size, f"{part}_data": data}


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


# ---- the boot ROM ----

_PNP, _TEXTS, _TABLE, CODE_AT = 0x20, 0x40, 0x50, 0x60
_ITEMS = (0x16, 0x17, 0x18), (0x07, 0x08, 0x11), (0x0A, 0x0B, 0x12), (0x13, 0x14, 0x15)
"""Address, size and data of setup code, kernel, ramdisk, command line: numbers of hv.devices.fw_cfg.ITEMS."""

CODE = (
    ("fa", "cli"),
    ("fc", "cld"),
    ("31c0", "xor ax, ax"),
    ("8ec0", "mov es, ax"),
    ("0e", "push cs"),
    ("1f", "pop ds"),
    ("be5000", "mov si, 0x50"),  # the table below
    ("803c00", "cmp byte ptr [si], 0"),  # next entry, or the end
    ("742f", "je 0x9f"),
    ("66b904000000", "mov ecx, 4"),  # where does it go?
    ("66bb107c0000", "mov ebx, 0x7c10"),
    ("e83800", "call 0xb7"),
    ("66b904000000", "mov ecx, 4"),  # how long is it?
    ("66bb147c0000", "mov ebx, 0x7c14"),
    ("e82900", "call 0xb7"),
    ("26668b0e147c", "mov ecx, dword ptr es:[0x7c14]"),  # fetch it
    ("26668b1e107c", "mov ebx, dword ptr es:[0x7c10]"),
    ("e81a00", "call 0xb7"),
    ("ebcc", "jmp 0x6b"),
    ("b80010", "mov ax, 0x1000"),  # all is there: as the boot protocol wants it
    ("8ed8", "mov ds, ax"),
    ("8ec0", "mov es, ax"),
    ("8ee0", "mov fs, ax"),
    ("8ee8", "mov gs, ax"),
    ("8ed0", "mov ss, ax"),
    ("66bcf0ff0000", "mov esp, 0xfff0"),
    ("ea00002010", "ljmp 0x1020:0"),  # second sector of the setup code
    ("6631c0", "xor eax, eax"),  # fetch: ecx bytes of the item at ds:si to ebx
    ("ac", "lodsb al, byte ptr [si]"),
    ("66c1e010", "shl eax, 0x10"),
    ("b00a", "mov al, 0xa"),  # select, then read
    ("660fc8", "bswap eax"),
    ("2666a3007c", "mov dword ptr es:[0x7c00], eax"),
    ("660fc9", "bswap ecx"),
    ("2666890e047c", "mov dword ptr es:[0x7c04], ecx"),
    ("2666c706087c00000000", "mov dword ptr es:[0x7c08], 0"),
    ("660fcb", "bswap ebx"),
    ("2666891e0c7c", "mov dword ptr es:[0x7c0c], ebx"),
    ("66b800007c00", "mov eax, 0x7c0000"),  # address of the access structure, 0x7c00, big-endian
    ("ba1805", "mov dx, 0x518"),
    ("66ef", "out dx, eax"),
    ("c3", "ret"),
)
"""16-bit code, from CODE_AT on. The access structure is at 0x7c00, address and size of an item at 0x7c10 and 0x7c14.
tests/builder/test_linux_boot.py disassembles the bytes and compares."""


def boot_rom() -> bytes:
    """An option ROM with a PnP header whose boot entry vector is the code above. Its initialisation does nothing."""
    maker, product = b"xenlab\0", b"Linux\0"
    rom = bytearray(512)
    rom[0:4] = bytes([0x55, 0xAA, len(rom) // 512, 0xCB])
    struct.pack_into("<HH", rom, 0x18, 0, _PNP)
    struct.pack_into("<4sBBHBBIHH3xBHHHHH", rom, _PNP, b"$PnP", 1, 2, 0, 0, 0, 0, _TEXTS, _TEXTS + len(maker),
                     0, 0, 0, CODE_AT, 0, 0)  # fmt: skip
    rom[_PNP + 9] = -sum(rom[_PNP : _PNP + 32]) & 0xFF
    rom[_TEXTS : _TEXTS + len(maker + product)] = maker + product
    table = bytes(number for one in _ITEMS for number in one) + b"\0"
    rom[_TABLE : _TABLE + len(table)] = table
    code = b"".join(bytes.fromhex(encoded) for encoded, _ in CODE)
    rom[CODE_AT : CODE_AT + len(code)] = code
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)
