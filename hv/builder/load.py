"""Read a kernel file, whatever it is wrapped in, into a KernelImage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.builder import elf
from hv.builder.image import BuilderError, why_not

if TYPE_CHECKING:
    from pathlib import Path

    from hv.builder.image import KernelImage

_MAX_FILE = 1 << 30


def read_file(path: str | Path, what: str) -> bytes:
    """The bytes of an input file.

    `what` names its role ("kernel", "ramdisk"); BuilderError when it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise BuilderError(
            str(path),
            f"the {what} cannot be read: {why_not(error)}",
            f"give the path of a readable {what} file",
        ) from None
    except ValueError as error:  # a path with a NUL in it
        raise BuilderError(
            repr(path), f"the {what} cannot be read: {error}", f"give the path of a {what} file"
        ) from None
    if not data:
        raise BuilderError(str(path), f"the {what} is an empty file", f"give a {what} with something in it")
    if len(data) > _MAX_FILE:
        raise BuilderError(
            str(path), f"the {what} is larger than {_MAX_FILE >> 20} MiB", f"give a smaller {what}"
        )
    return data


def load_kernel(path: str | Path) -> KernelImage:
    """Read the kernel at `path`:

    ELF, ELF packed, or bzImage. BuilderError, one line, for all that cannot be used.
    """
    return parse_kernel(str(path), read_file(path, "kernel"))


# What people give where a kernel is wanted: how it begins, what it is, and what to do with it.
_KNOWN = (
    (b"xenlab\x1aS", "a snapshot file", "open it with hv debug, or go on from it with hv snapshot load"),
    (b"xenlab\x1aR", "a recording", "repeat it with hv replay, or open it with hv debug"),
)


def _refuse_known(name: str, content: bytes) -> None:
    """BuilderError for a file that is no kernel, but is known."""
    for magic, what, remedy in _KNOWN:
        if content.startswith(magic):
            raise BuilderError(name, f"it is {what}, no kernel", remedy)
    if name.endswith(".c"):
        raise BuilderError(name, "it is a C file, no kernel", f"hv build {name} makes one of it")


def parse_kernel(name: str, content: bytes) -> KernelImage:
    """As load_kernel(), for a file that is in memory; `name` is for messages."""
    data = memoryview(content)
    if bytes(data[:4]) == elf.MAGIC:
        return elf.read(name, data)
    kind, version, packing = "ELF", "", []
    from hv.builder import bzimage, compress

    if bzimage.is_bzimage(data):
        setup = bzimage.read(name, data)
        kind, version, data = "bzImage", setup.version, setup.payload
    packed = compress.detect(data)
    if packed is None and kind == "ELF":
        from hv.builder import multiboot

        flat = multiboot.read_flat(name, data)
        if flat is not None:
            return flat
        _refuse_known(name, content)
        raise BuilderError(
            name,
            "it is neither an ELF file nor a bzImage nor one of these packed "
            f"(it begins with {bytes(data[:4]).hex(' ')})",
            "give a kernel file",
        )
    if packed is None and bytes(data[:4]) != elf.MAGIC:
        raise BuilderError(
            name,
            f"its payload begins with {bytes(data[:4]).hex(' ')}, which is no compression we know",
            "use a kernel packed with gzip, bzip2, lzma, xz, lz4 or zstd",
        )
    if packed is not None:
        data = memoryview(compress.unpack(name, data, packed))
        packing.append(packed.name)
    return elf.read(name, data, kind=kind, packing=tuple(packing), version=version)
