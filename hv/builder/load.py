"""Read a kernel file, whatever it is wrapped in, into a KernelImage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch import installed
from hv.builder import elf
from hv.builder.image import BuilderError, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from hv.builder.image import KernelFormat, KernelImage

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

    ELF, a format of an architecture's (bzImage ...), or one of these packed. BuilderError, one line, for all that
    cannot be used.
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
    image = _read(name, memoryview(content), ())
    if image is not None:
        return image
    _refuse_known(name, content)
    begins, known = content[:4].hex(" "), ", ".join(format.name for format in _formats())
    raise BuilderError(
        name,
        f"it is neither an ELF file nor a {known} nor one of these packed (it begins with {begins})",
        "give a kernel file; a disk's image is for --type hvm --disk FILE",
    )


def _formats() -> Iterator[KernelFormat]:
    """The formats of kernel files beside ELF, of every architecture that is there."""
    return (format for module in installed("boot") for format in module.FORMATS)


def _read(name: str, data: memoryview, packing: tuple[str, ...]) -> KernelImage | None:
    """The kernel in `data`, from which `packing` has been taken off; None: it is none, and not packed."""
    if bytes(data[:4]) == elf.MAGIC:
        return elf.read(name, data, packing=packing)
    from hv.builder import compress

    packed = compress.detect(data)
    if packed is not None and not packing:
        inner = memoryview(compress.unpack(name, data, packed))
        image = _read(name, inner, (packed.name,))
        if image is None:
            begins = bytes(inner[:4]).hex(" ")
            raise BuilderError(
                name, f"what is packed in it with {packed.name} begins with {begins} and is no kernel that we know",
                "give a kernel file",
            )  # fmt: skip
        return image
    for format in _formats():
        image = format.read(name, data, packing)
        if image is not None:
            return image
    return None


def boot_module(image: KernelImage) -> ModuleType:
    """The module `boot` of the architecture that a kernel is for. BuilderError: that is not there."""
    for module in installed("boot"):
        if image.machine in module.MACHINES:
            return module
    have = ", ".join(machine for module in installed("boot") for machine in module.MACHINES)
    raise BuilderError(image.name, f"it is for {image.machine}, which nothing here runs", f"give a kernel for {have}")
