"""bzImages: each compression of the kernel in them, and files that are damaged."""

from __future__ import annotations

import struct

import pytest

from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel
from tests.builder.test_compress import KERNEL, PACKERS


def bzimage(payload: bytes, *, protocol: int = 0x20F, length: int | None = None) -> bytes:
    """A bzImage of one setup sector with `payload` at its start."""
    setup = bytearray(1024)
    setup[0x1F1] = 1
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, protocol)
    struct.pack_into("<H", setup, 0x20E, 0x100)
    setup[0x300:0x310] = b"6.1.0-test #1 SM"
    struct.pack_into("<II", setup, 0x248, 0, len(payload) if length is None else length)
    return bytes(setup) + payload


@pytest.mark.parametrize("name", PACKERS)
def test_a_bzimage_of_each_format(name: str) -> None:
    trailer = b"" if name == "gzip" else struct.pack("<I", len(KERNEL))
    image = parse_kernel("k", bzimage(PACKERS[name](KERNEL) + trailer))
    assert (image.kind, image.packing, image.version) == ("bzImage", (name,), "6.1.0-test #1 SM")
    assert bytes(image.segments[0].data[:4096]) == bytes(range(256)) * 16


def test_lzo_is_refused_with_a_remedy() -> None:
    with pytest.raises(BuilderError, match="packed with lzo, which is not supported; use"):
        parse_kernel("k", bzimage(b"\x89LZO\x00\x0d\x0a\x1a\x0a" + bytes(100)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bzimage(b"x" * 100, length=101), "does not lie in the file"),
        (bzimage(b"x" * 100, length=0), "does not lie in the file"),
        (bzimage(b"", protocol=0x207), "boot protocol is 2.07"),
        (bzimage(b"")[:0x220], "setup header ends at 0x220"),
        (bzimage(b"plain text"), "payload begins with 70 6c 61 69, which is no compression we know"),
    ],
)
def test_files_that_are_no_bzimages(content: bytes, words: str) -> None:
    with pytest.raises(BuilderError, match=words) as caught:
        parse_kernel("k", content)
    assert "\n" not in str(caught.value)
