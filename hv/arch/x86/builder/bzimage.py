"""Linux bzImage: find the packed kernel inside.

Layout: Linux, Documentation/arch/x86/boot.rst. All that a Xen builder needs is the payload, which has been
there since boot protocol 2.08.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from hv.builder.image import BuilderError

_SETUP_SECTS = 0x1F1
_BOOT_FLAG = 0x1FE
_MAGIC = 0x202
_HEADER_END = 0x250
_SECTOR = 512


class BzImage(NamedTuple):
    """The parts of a bzImage that matter: where the payload is, in bytes of the file."""

    protocol: int
    version: str
    payload: memoryview


def is_bzimage(data: memoryview) -> bool:
    """Whether `data` has a setup header of protocol 2.00 or later."""
    return (
        len(data) >= _MAGIC + 4
        and bytes(data[_MAGIC : _MAGIC + 4]) == b"HdrS"
        and bytes(data[_BOOT_FLAG : _BOOT_FLAG + 2]) == b"\x55\xaa"
    )


def read(name: str, data: memoryview) -> BzImage:
    """Find the payload of the bzImage `data`; BuilderError when the header is cut off or points outside the
    file."""
    if len(data) < _HEADER_END:
        raise BuilderError(
            name,
            f"its setup header ends at {len(data):#x}, before the payload fields at 0x248",
            "the file is truncated; fetch or build it again",
        )
    (protocol,) = struct.unpack_from("<H", data, 0x206)
    if protocol < 0x208:
        raise BuilderError(
            name,
            f"its boot protocol is {protocol >> 8}.{protocol & 255:02d}, which names no payload",
            "use a kernel with boot protocol 2.08 or later (Linux 2.6.24), or its vmlinux",
        )
    offset, length = struct.unpack_from("<II", data, 0x248)
    sectors = data[_SETUP_SECTS] or 4
    start = (sectors + 1) * _SECTOR + offset
    if length == 0 or start + length > len(data):
        raise BuilderError(
            name,
            f"its payload of {length} bytes at {start:#x} does not lie in the file of {len(data)} bytes",
            "the file is truncated; fetch or build it again",
        )
    return BzImage(protocol, _version(data), data[start : start + length])


def _version(data: memoryview) -> str:
    (pointer,) = struct.unpack_from("<H", data, 0x20E)
    if not pointer:
        return ""
    text = bytes(data[pointer + 0x200 : pointer + 0x200 + 256]).split(b"\0", 1)[0].decode("ascii", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
