"""Kernel files of ARM beside ELF: Linux' Image of AArch64, its zImage of ARMv7, and an EFI file with a packed Image.

Source: Linux, Documentation/arch/arm64/booting.rst, arch/arm/boot/compressed/head.S,
drivers/firmware/efi/libstub/zboot-header.S; tools/libs/guest/xg_dom_armzimageloader.c of Xen 4.17.
"""

from __future__ import annotations

import struct

from hv import abi
from hv.builder.image import BuilderError, KernelFormat, KernelImage, Segment

_AGAIN = "the file is truncated or damaged; fetch or build it again"
_IMAGE = struct.Struct("<8xQQQ24x4s4x")
"""Header of an Image: text_offset, image_size, flags, magic."""
_IMAGE_MAGIC = b"ARM\x64"
_BIG_ENDIAN, _PAGE_SIZE_SHIFT, _PAGES_OF_16_KIB = 1, 1, 2
_OLD_TEXT_OFFSET = 0x80000
"""Of kernels before 3.17, which say no size."""
_ZIMAGE = struct.Struct("<36x4sIII")
"""Header of a zImage: magic, start, end, byte order."""
_ZIMAGE_MAGIC = bytes.fromhex("18286f01")
_ZIMAGE_ORDER = 0x04030201
_ZIMAGE_OFFSET = 0x8000
"""Where Xen puts a zImage, from the beginning of RAM."""
_ZBOOT = struct.Struct("<4s4sII8x32s")
"""Header of a packed EFI file: magic, kind, place and size of what is packed, name of the compression."""
_ALL = 7


def _image(name: str, data: memoryview, packing: tuple[str, ...]) -> KernelImage | None:
    if len(data) < _IMAGE.size:
        return None
    text_offset, size, flags, magic = _IMAGE.unpack_from(data)
    if magic != _IMAGE_MAGIC:
        return None
    if flags & _BIG_ENDIAN:
        raise BuilderError(name, "it is a big-endian kernel", "give a little-endian one")
    if flags >> _PAGE_SIZE_SHIFT & 3 == _PAGES_OF_16_KIB:
        raise BuilderError(
            name, "it is a kernel with pages of 16 KiB, which a Cortex-A57 has not", "give one with 4 or 64 KiB"
        )
    if not size:
        text_offset = _OLD_TEXT_OFFSET
    if text_offset >= abi.GUEST_RAM0_SIZE or max(size, len(data)) > abi.GUEST_RAM0_SIZE - text_offset:
        problem = f"its header asks for {size:#x} bytes at offset {text_offset:#x} of memory, which no domain has"
        raise BuilderError(name, problem, _AGAIN)
    image = _flat(name, data, packing, abi.GUEST_RAM0_BASE + text_offset, max(size, len(data)))
    return image._replace(kind="Image")


def _zimage(name: str, data: memoryview, packing: tuple[str, ...]) -> KernelImage | None:
    if len(data) < _ZIMAGE.size:
        return None
    magic, start, end, order = _ZIMAGE.unpack_from(data)
    if magic != _ZIMAGE_MAGIC:
        return None
    if order != _ZIMAGE_ORDER:
        problem = f"its byte order word is {order:#x}: it is no little-endian kernel"
        raise BuilderError(name, problem, "give a little-endian one")
    if end <= start or end - start > len(data):
        raise BuilderError(
            name, f"its zImage header names bytes {start:#x} to {end:#x}, the file has {len(data):#x}", _AGAIN
        )
    image = _flat(name, data, packing, abi.GUEST_RAM0_BASE + _ZIMAGE_OFFSET, len(data))
    return image._replace(machine="arm", bits=32, kind="zImage", entry=start or image.entry)


def _flat(name: str, data: memoryview, packing: tuple[str, ...], at: int, size: int) -> KernelImage:
    """A file that is loaded as it is and entered at its beginning."""
    segments = (Segment(at, at, data, size, _ALL),)
    return KernelImage(name, "aarch64", 64, at, segments, None, "", packing, "", data)


def _zboot(name: str, data: memoryview, packing: tuple[str, ...]) -> KernelImage | None:
    from hv.builder import compress

    if len(data) < _ZBOOT.size:
        return None
    magic, kind, offset, size, word = _ZBOOT.unpack_from(data)
    if magic[:2] != b"MZ" or kind != b"zimg":
        return None
    if offset + size > len(data):
        raise BuilderError(name, f"what is packed in it ({size} bytes at {offset:#x}) ends behind the file", _AGAIN)
    payload = data[offset : offset + size]
    packed = compress.detect(payload)
    if packed is None:
        said = word.split(b"\0")[0].decode("ascii", "replace")
        raise BuilderError(name, f"what is packed in it ({said}) is in no compression we know", "give the Image in it")
    inner = memoryview(compress.unpack(name, payload, packed))
    image = _image(name, inner, (*packing, packed.name))
    if image is None:
        raise BuilderError(name, "what is packed in it is no arm64 Image", "give a kernel for arm64")
    return image


FORMATS = (
    KernelFormat("arm64 Image", _image), KernelFormat("zImage", _zimage), KernelFormat("packed EFI Image", _zboot),
)  # fmt: skip
