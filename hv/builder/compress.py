"""Take the compression off a kernel: the formats that Linux packs itself in, each with a bound on its output.

The libraries are imported where they are needed: most kernels need one of them, a test guest none.
Formats and magic numbers: Linux, lib/decompress.c and scripts/Makefile.lib ("size_append": all but gzip carry
the unpacked size in four bytes behind the stream).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hv.builder.image import BuilderError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_OUTPUT = 1 << 30  # Xen's tools stop at 1 GiB as well (XC_DOM_DECOMPRESS_MAX)
_LZ4_BLOCK = 8 << 20  # unpacked size of a block of the legacy frame
_ZSTD_WINDOW = 1 << 28  # twice what the kernel's "--ultra -22" asks for
_TRAILER = 4


class _TooLarge(Exception):
    """The output grew past its bound."""


class _Broken(Exception):
    """The stream is damaged; the text says how."""


def _gzip(data: memoryview, limit: int) -> bytes:
    import zlib

    stream = zlib.decompressobj(wbits=31)
    try:
        out = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise _Broken(str(error)) from error
    if len(out) > limit:
        raise _TooLarge
    if not stream.eof:
        raise _Broken("the stream ends early")
    return out


def _xz(data: memoryview, limit: int) -> bytes:
    import lzma

    stream = lzma.LZMADecompressor(format=lzma.FORMAT_AUTO)
    try:
        out = stream.decompress(data, limit + 1)
    except lzma.LZMAError as error:
        raise _Broken(str(error)) from error
    if len(out) > limit:
        raise _TooLarge
    if not stream.eof:
        raise _Broken("the stream ends early")
    return out


def _bzip2(data: memoryview, limit: int) -> bytes:
    import bz2

    stream = bz2.BZ2Decompressor()
    try:
        out = stream.decompress(data, limit + 1)
    except OSError as error:
        raise _Broken(str(error)) from error
    if len(out) > limit:
        raise _TooLarge
    if not stream.eof:
        raise _Broken("the stream ends early")
    return out


def _lz4(data: memoryview, limit: int) -> bytes:
    """The legacy frame: a magic number, then blocks of at most 8 MiB, each behind its packed length."""
    import lz4.block

    blocks: list[bytes] = []
    total = 0
    at = 4
    while len(data) - at > _TRAILER:
        (length,) = struct.unpack_from("<I", data, at)
        at += 4
        if length == 0x184C2102:  # frames may be joined
            continue
        if length == 0 or length > len(data) - at:
            raise _Broken(f"a block of {length} bytes at offset {at:#x} does not fit into the stream")
        try:
            block = lz4.block.decompress(data[at : at + length], uncompressed_size=_LZ4_BLOCK)
        except lz4.block.LZ4BlockError as error:
            raise _Broken(f"block at offset {at:#x}: {error}") from error
        blocks.append(block)
        total += len(block)
        if total > limit:
            raise _TooLarge
        at += length
    if not blocks:
        raise _Broken("the stream ends early")
    return b"".join(blocks)


def _zstd(data: memoryview, limit: int) -> bytes:
    import zstandard

    stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        with stream.stream_reader(data, read_across_frames=False) as reader:
            out = reader.read(limit + 1)
            if len(out) > limit:
                raise _TooLarge
            # a frame cut short simply stops giving bytes: its own header or the kernel's trailer tells
            size = zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise _Broken(str(error)) from error
    if (size >= 0 and size != len(out)) or not out:
        raise _Broken("the stream ends early")
    return out


class Format(NamedTuple):
    """One compression: its name, the bytes it begins with, and how to take it off."""

    name: str
    magic: bytes
    unpack: Callable[[memoryview, int], bytes] | None


FORMATS = (
    Format("gzip", b"\x1f\x8b", _gzip),
    Format("bzip2", b"BZh", _bzip2),
    Format("lzma", b"\x5d\x00\x00", _xz),
    Format("xz", b"\xfd7zXZ\x00", _xz),
    Format("lzo", b"\x89LZO\x00\x0d\x0a\x1a\x0a", None),
    Format("lz4", b"\x02\x21\x4c\x18", _lz4),
    Format("zstd", b"\x28\xb5\x2f\xfd", _zstd),
)


def detect(data: memoryview) -> Format | None:
    """The format that `data` begins with, None when it is none of ours."""
    head = bytes(data[:16])
    return next((known for known in FORMATS if head.startswith(known.magic)), None)


def unpack(name: str, data: memoryview, packing: Format, limit: int = MAX_OUTPUT) -> bytes:
    """`data` without its compression.

    `name` is the file, for messages; BuilderError when it cannot be had.
    """
    if packing.unpack is None:
        raise BuilderError(
            name,
            f"its payload is packed with {packing.name}, which is not supported",
            "use a kernel packed with gzip, bzip2, lzma, xz, lz4 or zstd, or the plain vmlinux",
        )
    try:
        return packing.unpack(data, limit)
    except _TooLarge:
        raise BuilderError(
            name,
            f"its {packing.name} payload unpacks to more than {limit >> 20} MiB",
            "no kernel is that large; check where the file comes from",
        ) from None
    except _Broken as error:
        raise BuilderError(
            name, f"its {packing.name} payload is damaged: {error}", "fetch or build the file again"
        ) from None
