"""Kernel files of ARM: what is read out of them, and each way in which one is broken in a line."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable

import pytest

from hv.builder.image import BuilderError, KernelImage
from hv.builder.load import parse_kernel
from tests.builder.elfwriter import Load, elf

RAM = 0x40000000


def image(text_offset: int = 0, size: int = 0x3000, flags: int = 0xA, length: int = 0x1000) -> bytes:
    """An arm64 Image: the header that Linux' booting.rst describes."""
    head = struct.pack("<IIQQQQQQ4sI", 0x91005A4D, 0x14000000, text_offset, size, flags, 0, 0, 0, b"ARM\x64", 0x40)
    return head.ljust(length, b"\x1f")


def zimage(start: int = 0, end: int = 0x800, order: int = 0x04030201, length: int = 0x1000) -> bytes:
    """A zImage of ARMv7."""
    return (b"\0\0\xa0\xe1" * 9 + struct.pack("<4I", 0x016F2818, start, end, order)).ljust(length, b"\x1f")


def zboot(payload: bytes, size: int | None = None) -> bytes:
    """An EFI file with something packed in it."""
    head = struct.pack("<4s4sII8x32s", b"MZ\0\0", b"zimg", 0x100, len(payload) if size is None else size, b"gzip")
    return head.ljust(0x100, b"\0") + payload


def facts(kernel: KernelImage) -> tuple[object, ...]:
    (segment,) = kernel.segments
    return kernel.kind, kernel.machine, kernel.bits, kernel.entry, segment.paddr, segment.memsz, kernel.packing


def test_an_image() -> None:
    at = RAM + 0x80000
    assert facts(parse_kernel("k", image(0x80000))) == ("Image", "aarch64", 64, at, at, 0x3000, ())
    assert bytes(parse_kernel("k", image()).segments[0].data) == image()
    # before Linux 3.17 no size was said, and the offset was always the same
    assert facts(parse_kernel("k", image(7, 0))) == ("Image", "aarch64", 64, at, at, 0x1000, ())
    # a file longer than it says is loaded whole
    assert facts(parse_kernel("k", image(0, 0x800)))[5] == 0x1000


def test_an_image_that_is_packed() -> None:
    packed = gzip.compress(image(), mtime=0)
    assert facts(parse_kernel("k", packed)) == ("Image", "aarch64", 64, RAM, RAM, 0x3000, ("gzip",))
    assert facts(parse_kernel("k", zboot(packed))) == ("Image", "aarch64", 64, RAM, RAM, 0x3000, ("gzip",))


def test_a_zimage() -> None:
    at = RAM + 0x8000
    assert facts(parse_kernel("k", zimage())) == ("zImage", "arm", 32, at, at, 0x1000, ())
    assert facts(parse_kernel("k", zimage(0x60000000, 0x60000800)))[3:5] == (0x60000000, at)
    assert facts(parse_kernel("k", gzip.compress(zimage(), mtime=0)))[6] == ("gzip",)


@pytest.mark.parametrize(("machine", "bits", "name"), [(183, 64, "aarch64"), (40, 32, "arm")])
def test_elf_files(machine: int, bits: int, name: str) -> None:
    kernel = parse_kernel("k", elf([Load(RAM, b"code")], entry=RAM, bits=bits, machine=machine))
    assert (kernel.machine, kernel.bits, kernel.entry) == (name, bits, RAM)


BROKEN = {
    "big-endian": (image(flags=1), "it is a big-endian kernel; give a little-endian one"),
    "16 KiB": (image(flags=2 << 1), "pages of 16 KiB, which a Cortex-A57 has not"),
    "too large": (image(size=1 << 40), "asks for 0x10000000000 bytes at offset 0x0 of memory, which no domain has"),
    "too far": (image(text_offset=1 << 40), "at offset 0x10000000000 of memory"),
    "zImage cut off": (zimage(end=0x1001), "its zImage header names bytes 0x0 to 0x1001, the file has 0x1000"),
    "zImage backwards": (zimage(start=0x900), "its zImage header names bytes 0x900 to 0x800"),
    "zImage big-endian": (zimage(order=0x01020304), "byte order word is 0x1020304"),
    "packed EFI cut off": (zboot(b"\x1f\x8b", 3), "what is packed in it (3 bytes at 0x100) ends behind the file"),
    "packed EFI, unknown": (zboot(b"plain"), "what is packed in it (gzip) is in no compression we know"),
    "packed EFI, no Image": (zboot(gzip.compress(zimage(), mtime=0)), "what is packed in it is no arm64 Image"),
    "packed EFI, damaged": (zboot(gzip.compress(image(), mtime=0)[:40]), "gzip payload is damaged"),
    "ELF of the other width": (elf([Load(RAM, b"x")], machine=40), "does not go with machine arm"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_one_line(case: str) -> None:
    content, words = BROKEN[case]
    with pytest.raises(BuilderError) as caught:
        parse_kernel("k", content)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [image, zimage, lambda: zboot(gzip.compress(image(), mtime=0))])
def test_damaged_files_are_kernels_or_refused(make: Callable[[], bytes]) -> None:
    """Bytes flipped at random in the header, and files cut anywhere."""
    whole = make()
    rng = random.Random(5)
    for _ in range(2000):
        content = bytearray(whole[: rng.choice((len(whole), rng.randrange(len(whole))))])
        for _ in range(rng.randrange(4)):
            if content:
                content[rng.randrange(min(len(content), 0x140))] = rng.randrange(256)
        try:
            kernel = parse_kernel("k", bytes(content))
        except BuilderError as error:
            assert "\n" not in str(error)
        else:
            assert all(segment.memsz >= len(segment.data) for segment in kernel.segments)
