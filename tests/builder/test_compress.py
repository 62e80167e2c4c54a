"""Packed kernels: every format, its damage, and the bound on its output."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from typing import TYPE_CHECKING

import lz4.block
import pytest
import zstandard

from hv.builder import compress
from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel
from tests.builder.elfwriter import pv_kernel

if TYPE_CHECKING:
    from collections.abc import Callable


def lz4_legacy(data: bytes) -> bytes:
    out = b"\x02\x21\x4c\x18"
    for at in range(0, len(data), 8 << 20):
        block = lz4.block.compress(data[at : at + (8 << 20)], store_size=False)
        out += struct.pack("<I", len(block)) + block
    return out


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "xz": lambda data: lzma.compress(
        data,
        check=lzma.CHECK_CRC32,
        filters=[{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 6}],
    ),
    "lz4": lambda data: lz4_legacy(data),
    "zstd": lambda data: zstandard.ZstdCompressor(level=19).compress(data),
}
KERNEL = pv_kernel(bytes(range(256)) * 16)


@pytest.mark.parametrize("name", PACKERS)
def test_a_packed_elf_file(name: str) -> None:
    trailer = struct.pack("<I", len(KERNEL)) if name == "lz4" else b""
    image = parse_kernel("k", PACKERS[name](KERNEL) + trailer)
    assert (image.kind, image.packing) == ("ELF", (name,))


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_damaged_payload_is_one_line(name: str, part: float) -> None:
    packed = PACKERS[name](KERNEL)
    cut = packed[: int(len(packed) * part)]
    with pytest.raises(BuilderError, match=f"its {name} payload is damaged") as caught:
        parse_kernel("k", cut)
    assert "\n" not in str(caught.value)
    with pytest.raises(BuilderError):
        parse_kernel("k", packed[:16] + bytes(byte ^ 0x5A for byte in packed[16:]))


@pytest.mark.parametrize("name", PACKERS)
def test_the_output_is_bounded(name: str) -> None:
    packed = memoryview(PACKERS[name](bytes(10 << 20)) + bytes(4))
    found = compress.detect(packed)
    assert found is not None and found.name == name
    with pytest.raises(BuilderError, match=f"its {name} payload unpacks to more than 9 MiB"):
        compress.unpack("k", packed, found, 9 << 20)


def test_lz4_of_several_blocks() -> None:
    data = bytes(range(256)) * (80 << 10)
    packed = memoryview(lz4_legacy(data) + struct.pack("<I", len(data)))
    found = compress.detect(packed)
    assert found is not None and compress.unpack("k", packed, found) == data


def test_lzo_is_refused_with_a_remedy() -> None:
    with pytest.raises(BuilderError, match="packed with lzo, which is not supported; use"):
        parse_kernel("k", b"\x89LZO\x00\x0d\x0a\x1a\x0a" + bytes(100))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#!/bin/sh\necho", "neither an ELF file nor a "),
        (gzip.compress(b"not a kernel", mtime=0), "packed in it with gzip begins with 6e 6f 74 20 and is no kernel"),
    ],
)
def test_files_that_are_no_kernels(content: bytes, words: str) -> None:
    with pytest.raises(BuilderError, match=words) as caught:
        parse_kernel("k", content)
    assert "\n" not in str(caught.value)
