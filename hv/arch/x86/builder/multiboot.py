"""Boot a Multiboot kernel (version 1) over a BIOS without a boot loader: `-kernel` style.

    image = load_kernel("kernel.elf")
    if header_of(image.file) is not None:
        items = multiboot_items(image, cmdline="verbose", modules=[("initrd.cpio", data)], low_end=256 << 20)

The fw_cfg device holds the kernel as it shall lie in memory, the modules, and the information structure; a boot ROM
(boot_rom.py) takes them from there, asks the firmware for the memory map, and enters the kernel in 32-bit
protected mode. The screen is in the text mode that the firmware leaves, which is what the kernel is told.

Source: Multiboot Specification 0.6.96, chapter 3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from hv import abi
from hv.arch.x86.builder import boot_rom
from hv.builder.image import PAGE_SIZE, BuilderError, KernelImage, Segment

ALIGNMENT = 4
"""Of the header in the file."""
UNDERSTOOD = abi.MULTIBOOT_ALIGN_MODULES | abi.MULTIBOOT_WANT_MEMORY | abi.MULTIBOOT_WANT_VIDEO
LOWEST = 1 << 20
"""Below are the firmware's data."""
TEXT_SCREEN = {
    "framebuffer_addr": [0xB8000, 0], "framebuffer_pitch": 160, "framebuffer_width": 80, "framebuffer_height": 25,
    "framebuffer_bpp": 16, "framebuffer_type": abi.MULTIBOOT_FRAMEBUFFER_TEXT,
}  # fmt: skip
"""The mode in which the firmware leaves the screen."""
INFORMED = (
    abi.MULTIBOOT_INFO_MEMORY | abi.MULTIBOOT_INFO_CMDLINE | abi.MULTIBOOT_INFO_MODULES | abi.MULTIBOOT_INFO_MEMORY_MAP
    | abi.MULTIBOOT_INFO_LOADER_NAME | abi.MULTIBOOT_INFO_FRAMEBUFFER
)  # fmt: skip
"""What of the information structure holds."""
GDT = 0xC0
TEXTS = boot_rom.MAP_END + 0x80
"""In the block at boot_rom.SETUP: the descriptors, and everything of no fixed length."""
DESCRIPTORS = struct.pack("<3Q", 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF)
"""Flat code and data."""


class Header(NamedTuple):
    """A Multiboot header, `offset` bytes into the file. `places`: the fields of struct multiboot_addresses; None: the
    file is ELF and says so itself."""

    offset: int
    flags: int
    places: dict[str, int] | None


def header_of(data: memoryview) -> Header | None:
    """The header of a kernel file, unpacked; None: it has none."""
    head, magic = bytes(data[: abi.MULTIBOOT_SEARCHED]), struct.pack("<I", abi.MULTIBOOT_HEADER_MAGIC)
    layout, addresses = abi.layout("multiboot_header"), abi.layout("multiboot_addresses")
    offset = -1
    while (offset := head.find(magic, offset + 1)) >= 0:
        if offset % ALIGNMENT or offset + layout.size > len(head):
            continue
        fields = layout.unpack(head, offset)
        if sum(fields.values()) & 0xFFFFFFFF:
            continue
        if not fields["flags"] & abi.MULTIBOOT_ADDRESSES:
            return Header(offset, fields["flags"], None)
        places_at = offset + layout.size
        if places_at + addresses.size <= len(data):
            return Header(offset, fields["flags"], addresses.unpack(data, places_at))
    return None


def read_flat(name: str, data: memoryview) -> KernelImage | None:
    """A kernel that is no ELF file but says in its header how it is loaded; None: it is none. BuilderError."""
    header = header_of(data)
    if header is None or header.places is None:
        return None
    segments = (_flat(name, data, header),)
    return KernelImage(name, "i386", 32, header.places["entry"], segments, None, "Multiboot", (), "", data)


def _flat(name: str, data: memoryview, header: Header) -> Segment:
    assert header.places is not None
    at, load, load_end, bss_end = (header.places[name] for name in ("header", "load", "load_end", "bss_end"))
    start = header.offset - (at - load)
    size = load_end - load if load_end else len(data) - start
    if load > at or start < 0 or size < 0 or start + size > len(data) or (bss_end and bss_end < load + size):
        problem = f"its Multiboot header at {header.offset:#x} has addresses that contradict each other or the file"
        raise BuilderError(name, problem, "link the kernel again")
    return Segment(load, load, data[start : start + size], max(bss_end - load, size), 7)


def multiboot_items(
    image: KernelImage, *, cmdline: str = "", modules: Sequence[tuple[str, bytes]] = (), low_end: int
) -> dict[str, bytes]:
    """The items for FwCfg that boot `image`; put firmware_items.rom_path(ROM_FILE) first in the boot order. modules:
    each a text for the kernel and its contents. low_end: where memory below 4 GiB ends. BuilderError: it is no
    Multiboot kernel, or something does not fit."""
    segments, entry = _loaded(image)
    first, last = segments[0].paddr, max(segment.end for segment in segments)
    modules_at = -(-last // PAGE_SIZE) * PAGE_SIZE
    end = modules_at + sum(-(-len(data) // PAGE_SIZE) * PAGE_SIZE for _, data in modules)
    if first < LOWEST:
        raise BuilderError(image.name, f"it begins at {first:#x}, where the firmware is", "link it from 1 MiB on")
    most = low_end - boot_rom.BIOS_MEMORY
    if end > most:
        problem = f"kernel and modules end at {end:#x}, and memory for them at {most:#x}"
        raise BuilderError(image.name, problem, "give the domain more memory")
    kernel = bytearray(last - first)
    for segment in segments:
        kernel[segment.paddr - first : segment.paddr - first + len(segment.data)] = segment.data
    places, loaded = [], bytearray()
    for text, data in modules:
        begin = modules_at + len(loaded)
        places.append((begin, begin + len(data), text))
        loaded += data + bytes(-len(data) % PAGE_SIZE)
    plain = image.name.rpartition("/")[2]
    return {
        "kernel_entry": entry.to_bytes(4, "little"),
        boot_rom.ROM_FILE: boot_rom.boot_rom(b"Multiboot", boot_rom.MULTIBOOT),
        **boot_rom.part("setup", boot_rom.SETUP, _block(image.name, entry, places)),
        **boot_rom.part("kernel", first, bytes(kernel)),
        **boot_rom.part("initrd", modules_at, bytes(loaded)),
        **boot_rom.cmdline_items(f"{plain} {cmdline}".rstrip()),
    }


def _loaded(image: KernelImage) -> tuple[tuple[Segment, ...], int]:
    """What goes where, and where the kernel is entered."""
    header = header_of(image.file)
    if header is None:
        raise BuilderError(image.name, "it has no Multiboot header", "give a bzImage or a Multiboot kernel")
    unknown = header.flags & abi.MULTIBOOT_REQUIREMENTS & ~UNDERSTOOD
    if unknown:
        problem = f"its Multiboot header wants what no loader knows ({unknown:#x})"
        raise BuilderError(image.name, problem, "link it without")
    if header.places is not None:
        return (_flat(image.name, image.file, header),), header.places["entry"]
    if image.bits != 32:
        raise BuilderError(image.name, "it is a 64-bit ELF file", "link it as 32-bit (objcopy -O elf32-i386)")
    entry = image.entry
    for segment in image.segments:  # linked for virtual addresses, and entered without paging
        if segment.vaddr <= entry < segment.vaddr + segment.memsz:
            entry += segment.paddr - segment.vaddr
            break
    return image.segments, entry


def _block(name: str, entry: int, modules: Sequence[tuple[int, int, str]]) -> bytes:
    """What lies at boot_rom.SETUP: the information structure and what it points to, the way into the kernel."""
    base, texts = boot_rom.SETUP, bytearray()

    def put(data: bytes) -> int:
        texts.extend(data)
        return base + TEXTS + len(texts) - len(data)

    loader = put(b"xenlab\0")
    described = [
        abi.layout("multiboot_module").pack({"start": begin, "end": end, "string": put(text.encode() + b"\0")})
        for begin, end, text in modules
    ]
    texts.extend(bytes(-len(texts) % 4))
    modules_at = put(b"".join(described))
    if TEXTS + len(texts) > boot_rom.CMDLINE - base:
        raise BuilderError(name, "the texts of its modules do not fit", "give it fewer modules, or shorter texts")
    info = abi.layout("multiboot_info").pack({
        "flags": INFORMED, "cmdline": boot_rom.CMDLINE, "mods_count": len(modules), "mods_addr": modules_at,
        "mmap_addr": base + boot_rom.MAP, "boot_loader_name": loader, **TEXT_SCREEN,
    })  # fmt: skip
    block = bytearray(TEXTS)
    block[: len(info)] = info
    code = boot_rom.assembled(_entering(entry))
    block[boot_rom.ENTER : boot_rom.ENTER + len(code)] = code
    block[GDT : GDT + len(DESCRIPTORS)] = DESCRIPTORS
    struct.pack_into("<HI", block, boot_rom.GDT_POINTER, len(DESCRIPTORS) - 1, base + GDT)
    return bytes(block + texts)


def _entering(entry: int) -> boot_rom.Listing:
    """32-bit code at SETUP + ENTER."""
    return (
        ("b810000000", "mov eax, 0x10"),
        ("8ed8", "mov ds, eax"),
        ("8ec0", "mov es, eax"),
        ("8ee0", "mov fs, eax"),
        ("8ee8", "mov gs, eax"),
        ("8ed0", "mov ss, eax"),
        ("b802b0ad2b", f"mov eax, {abi.MULTIBOOT_BOOTED_MAGIC:#x}"),
        ("bb00000100", f"mov ebx, {boot_rom.SETUP:#x}"),  # the information
        ("b9" + entry.to_bytes(4, "little").hex(), f"mov ecx, {entry:#x}"),
        ("ffe1", "jmp ecx"),
    )
