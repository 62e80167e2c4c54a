"""Multiboot kernels: their headers, what of them is refused, and the items and the block that the boot ROM takes."""

import struct
from typing import Any

import capstone
import pytest

from hv import abi
from hv.arch.x86.builder import boot_rom
from hv.arch.x86.builder.multiboot import GDT, header_of, multiboot_items
from hv.builder.image import BuilderError, KernelImage
from hv.builder.load import parse_kernel
from tests.builder.elfwriter import Load, elf

LOW_END = 32 << 20
AT = 2 << 20


def header(flags: int = 3, checksum: int | None = None) -> bytes:
    magic = abi.MULTIBOOT_HEADER_MAGIC
    return struct.pack("<III", magic, flags, -(magic + flags) & 0xFFFFFFFF if checksum is None else checksum)


def kernel(code: bytes = header() + b"\xf4", *, bits: int = 32, paddr: int = AT, entry: int = AT + 12,
           vaddr: int | None = None, memsz: int = 0x3000) -> KernelImage:  # fmt: skip
    load = Load(vaddr=paddr if vaddr is None else vaddr, paddr=paddr, data=code, memsz=memsz)
    return parse_kernel("dir/k", elf([load], bits=bits, machine=3 if bits == 32 else 62, entry=entry))


def flat(load: int = AT, load_end: int = 0, bss_end: int = 0, entry: int = AT + 64, before: int = 16,
         header_at: int | None = None) -> bytes:  # fmt: skip
    at = load + before if header_at is None else header_at
    places = struct.pack("<5I", at, load, load_end, bss_end, entry)
    return bytes(before) + header(abi.MULTIBOOT_ADDRESSES) + places + b"\xf4" * 100


def number(items: dict[str, bytes], name: str) -> int:
    return int.from_bytes(items[name], "little")


@pytest.mark.parametrize(("data", "at"), [
    (header(), 0), (bytes(8) + header(), 8), (bytes(8180) + header(), 8180), (bytes(8184) + header(), None),
    (bytes(2) + header(), None), (header(checksum=1), None), (header(checksum=1) + header(), 12), (header()[:11], None),
    (b"", None), (header(abi.MULTIBOOT_ADDRESSES) + bytes(19), None),
])  # fmt: skip
def test_headers(data: bytes, at: int | None) -> None:
    found = header_of(memoryview(data))
    assert (None if found is None else found.offset) == at


def test_items() -> None:
    modules = [("first one", b"1" * 5000), ("second", b"2")]
    items = multiboot_items(kernel(), cmdline="a b", modules=modules, low_end=LOW_END)
    assert number(items, "kernel_addr") == AT and number(items, "kernel_size") == 0x3000
    assert items["kernel_data"] == (header() + b"\xf4").ljust(0x3000, b"\0")
    assert items["cmdline_data"] == b"k a b\0" and number(items, "cmdline_addr") == boot_rom.CMDLINE
    assert number(items, "initrd_addr") == AT + 0x3000
    assert items["initrd_data"] == b"1" * 5000 + bytes(0x2000 - 5000) + b"2" + bytes(0xFFF)
    block, base = items["setup_data"], boot_rom.SETUP
    info = abi.layout("multiboot_info").unpack(block)
    assert info["mods_count"] == 2 and info["cmdline"] == boot_rom.CMDLINE and info["mmap_addr"] == base + boot_rom.MAP
    layout = abi.layout("multiboot_module")
    for index, (text, begin, size) in enumerate((("first one", AT + 0x3000, 5000), ("second", AT + 0x5000, 1))):
        module = layout.unpack(block[info["mods_addr"] - base + index * layout.size :][: layout.size])
        assert (module["start"], module["end"]) == (begin, begin + size)
        assert block[module["string"] - base :].startswith(text.encode() + b"\0")


def test_the_way_into_the_kernel() -> None:
    block = multiboot_items(kernel(), low_end=LOW_END)["setup_data"]
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
    code = decoder.disasm(block[boot_rom.ENTER : GDT], boot_rom.SETUP + boot_rom.ENTER, 10)
    assert [f"{one.mnemonic} {one.op_str}" for one in code] == [
        "mov eax, 0x10", "mov ds, eax", "mov es, eax", "mov fs, eax", "mov gs, eax", "mov ss, eax",
        "mov eax, 0x2badb002", "mov ebx, 0x10000", f"mov ecx, {AT + 12:#x}", "jmp ecx",
    ]  # fmt: skip
    assert struct.unpack_from("<HI", block, boot_rom.GDT_POINTER) == (23, boot_rom.SETUP + GDT)


def test_a_kernel_linked_for_virtual_addresses_is_entered_without_paging() -> None:
    image = kernel(vaddr=0xC0000000 + AT, entry=0xC0000000 + AT + 12)
    assert "b9" + (AT + 12).to_bytes(4, "little").hex() in multiboot_items(image, low_end=LOW_END)["setup_data"].hex()


def test_a_kernel_that_is_no_elf_file() -> None:
    data = flat(bss_end=AT + 0x5000)
    image = parse_kernel("k", data)
    assert image.kind == "Multiboot" and image.notes is None
    items = multiboot_items(image, low_end=LOW_END)
    assert number(items, "kernel_addr") == AT and number(items, "kernel_entry") == AT + 64
    assert items["kernel_data"] == data.ljust(0x5000, b"\0")
    cut = multiboot_items(parse_kernel("k", flat(load=AT + 8, load_end=AT + 48, before=16, header_at=AT + 16)),
                          low_end=LOW_END)  # fmt: skip
    assert number(cut, "kernel_addr") == AT + 8 and number(cut, "kernel_size") == 40
    assert cut["kernel_data"][8:12] == header(abi.MULTIBOOT_ADDRESSES)[:4]


@pytest.mark.parametrize("wrong", [
    {"load": AT + 32, "header_at": AT}, {"header_at": AT + 64}, {"load_end": AT + 4096}, {"load_end": AT - 1},
    {"bss_end": AT + 1},
])  # fmt: skip
def test_addresses_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(BuilderError, match="contradict"):
        parse_kernel("k", flat(**wrong))


@pytest.mark.parametrize(("image", "options", "problem"), [
    (kernel(b"\xf4" * 64), {}, "no Multiboot header"), (kernel(header(0x8)), {}, "no loader knows"),
    (kernel(bits=64), {}, "64-bit"), (kernel(paddr=0x8000, entry=0x800C), {}, "where the firmware is"),
    (kernel(memsz=28 << 20), {}, "give the domain more memory"),
    (kernel(), {"modules": [("m", bytes(28 << 20))]}, "give the domain more memory"),
    (kernel(), {"modules": [("m" * 70_000, b"")]}, "shorter texts"),
])  # fmt: skip
def test_what_cannot_be_booted(image: KernelImage, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(BuilderError, match=problem):
        multiboot_items(image, low_end=LOW_END, **options)
