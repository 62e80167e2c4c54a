"""A boot ROM that takes a kernel's parts out of the fw_cfg device and enters the kernel: what SeaBIOS cannot do itself.

Firmware finds the ROM as a file of fw_cfg and runs it as a boot device. It copies each part to its place by fw_cfg's
DMA interface (LOADER); how it goes on depends on the kind of kernel (LINUX, MULTIBOOT). QEMU's ROMs for this are in the
Debian package qemu-system-data and not in seabios; these are our own, and listed here.

Source: BIOS Boot Specification 1.01 (boot entry vectors); QEMU, docs/specs/fw_cfg.rst; Linux,
Documentation/arch/x86/boot.rst; Multiboot Specification 0.6.96, 3.2 and 3.3; ACPI 6.5, 15.1 (INT 15h, E820h).
"""

from __future__ import annotations

import struct

from hv.devices.fw_cfg import ITEMS

ROM_FILE = "genroms/kernel.bin"
"""The ROM as a file of fw_cfg."""
SETUP, CMDLINE = 0x10000, 0x20000
"""Guest-physical addresses of a kernel's setup code or Multiboot information, and of the command line."""
BIOS_MEMORY = 4 << 20
"""What a BIOS may keep for itself at the end of low memory: a kernel's parts lie below."""
ENTER, GDT_POINTER, MAP, MAP_END = 0x80, 0xE0, 0x100, 0x400
"""Behind Multiboot information: 32-bit code, a GDT's pointer, and room for the memory map."""

Listing = tuple[tuple[str, str], ...]
_TEXTS, _TEXTS_END, _PNP, _TABLE, CODE_AT = 0x04, 0x18, 0x20, 0x50, 0x60
_PARTS, _OF_PART = ("setup", "kernel", "initrd", "cmdline"), ("addr", "size", "data")
"""Setup code, kernel, ramdisk, command line; what there is of each in fw_cfg, under "setup_addr" and so on."""

LOADER: Listing = (
    ("fa", "cli"),
    ("fc", "cld"),
    ("31c0", "xor ax, ax"),
    ("8ec0", "mov es, ax"),
    ("0e", "push cs"),
    ("1f", "pop ds"),
    ("be5000", "mov si, 0x50"),  # the table of items
    ("803c00", "cmp byte ptr [si], 0"),  # next entry, or the end
    ("7469", "je 0xd9"),
    ("66b904000000", "mov ecx, 4"),  # where does it go?
    ("66bb107c0000", "mov ebx, 0x7c10"),
    ("e82000", "call 0x9f"),
    ("66b904000000", "mov ecx, 4"),  # how long is it?
    ("66bb147c0000", "mov ebx, 0x7c14"),
    ("e81100", "call 0x9f"),
    ("26668b0e147c", "mov ecx, dword ptr es:[0x7c14]"),  # fetch it
    ("26668b1e107c", "mov ebx, dword ptr es:[0x7c10]"),
    ("e80200", "call 0x9f"),
    ("ebcc", "jmp 0x6b"),
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
"""16-bit code from CODE_AT on; all is there when it ends. The access structure is at 0x7c00, address and size of an
item at 0x7c10 and 0x7c14. tests/arch/x86/builder/test_linux_boot.py disassembles all bytes and compares."""

LINUX: Listing = (
    ("b80010", "mov ax, 0x1000"),
    ("8ed8", "mov ds, ax"),
    ("8ec0", "mov es, ax"),
    ("8ee0", "mov fs, ax"),
    ("8ee8", "mov gs, ax"),
    ("8ed0", "mov ss, ax"),
    ("66bcf0ff0000", "mov esp, 0xfff0"),
    ("ea00002010", "ljmp 0x1020:0"),  # second sector of the setup code
)
"""As Linux's boot protocol wants it."""

MULTIBOOT: Listing = (
    ("b80010", "mov ax, 0x1000"),  # the information
    ("8ec0", "mov es, ax"),
    ("cd12", "int 0x12"),  # KiB below 1 MiB
    ("660fb7c0", "movzx eax, ax"),
    ("2666a30400", "mov dword ptr es:[4], eax"),  # mem_lower
    ("b801e8", "mov ax, 0xe801"),
    ("cd15", "int 0x15"),  # KiB from there to 16 MiB, and units of 64 KiB above
    ("660fb7c0", "movzx eax, ax"),
    ("660fb7db", "movzx ebx, bx"),
    ("66c1e306", "shl ebx, 6"),
    ("6601d8", "add eax, ebx"),
    ("2666a30800", "mov dword ptr es:[8], eax"),  # mem_upper
    ("bf0401", "mov di, 0x104"),  # the memory map: each entry behind its size
    ("6631db", "xor ebx, ebx"),
    ("66b820e80000", "mov eax, 0xe820"),
    ("66ba50414d53", "mov edx, 0x534d4150"),
    ("66b914000000", "mov ecx, 0x14"),
    ("cd15", "int 0x15"),
    ("7217", "jb 0x135"),
    ("2666c745fc14000000", "mov dword ptr es:[di - 4], 0x14"),
    ("83c718", "add di, 0x18"),
    ("81ff0404", "cmp di, 0x404"),  # no more room
    ("7305", "jae 0x135"),
    ("6685db", "test ebx, ebx"),  # the last one
    ("75d3", "jne 0x108"),
    ("81ef0401", "sub di, 0x104"),
    ("26893e2c00", "mov word ptr es:[0x2c], di"),  # mmap_length
    ("fa", "cli"),
    ("260f0116e000", "lgdt es:[0xe0]"),
    ("0f20c0", "mov eax, cr0"),
    ("0c01", "or al, 1"),
    ("0f22c0", "mov cr0, eax"),
    ("66ea800001000800", "ljmp 8:0x10080"),  # ENTER
)
"""It asks the firmware for the memory map and goes on in protected mode."""


def boot_rom(product: bytes, listing: Listing) -> bytes:
    """An option ROM with a PnP header whose boot entry vector is LOADER and then `listing`. Its initialisation does
    nothing. `product`: its name in the firmware's boot menu."""
    maker, product = b"xenlab\0", product + b"\0"
    assert _TEXTS + len(maker + product) <= _TEXTS_END
    rom = bytearray(512)
    rom[0:4] = bytes([0x55, 0xAA, len(rom) // 512, 0xCB])
    struct.pack_into("<HH", rom, 0x18, 0, _PNP)
    struct.pack_into("<4sBBHBBIHH3xBHHHHH", rom, _PNP, b"$PnP", 1, 2, 0, 0, 0, 0, _TEXTS, _TEXTS + len(maker),
                     0, 0, 0, CODE_AT, 0, 0)  # fmt: skip
    rom[_PNP + 9] = -sum(rom[_PNP : _PNP + 32]) & 0xFF
    rom[_TEXTS : _TEXTS + len(maker + product)] = maker + product
    table = bytes(ITEMS[f"{name}_{what}"] for name in _PARTS for what in _OF_PART) + b"\0"
    rom[_TABLE : _TABLE + len(table)] = table
    code = assembled((*LOADER, *listing))
    rom[CODE_AT : CODE_AT + len(code)] = code
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)


def assembled(listing: Listing) -> bytes:
    """The bytes of a listing."""
    return b"".join(bytes.fromhex(encoded) for encoded, _ in listing)


def part(name: str, address: int, data: bytes) -> dict[str, bytes]:
    """The three items of fw_cfg that are one of the _PARTS of a kernel."""
    contents = address.to_bytes(4, "little"), len(data).to_bytes(4, "little"), data
    return {f"{name}_{what}": content for what, content in zip(_OF_PART, contents, strict=True)}


def cmdline_items(cmdline: str) -> dict[str, bytes]:
    """The items that hold a command line, of a kernel or of a guest that is entered in place of firmware."""
    return part("cmdline", CMDLINE, cmdline.encode() + b"\0")
