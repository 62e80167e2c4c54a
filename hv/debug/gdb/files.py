"""The guest's kernel as a file that gdb fetches by itself: `target remote` is then all that one has to type.

There is one file, and it can only be read. A kernel with ELF symbols is served as it is; for any other (Linux has
kallsyms) an ELF file with its symbols is made. Source: gdb's manual, "Host I/O Packets" and "File-I/O: struct stat".
"""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING

from hv.debug.gdb.packets import MAX_PACKET, escaped

if TYPE_CHECKING:
    from hv.builder.image import KernelImage
    from hv.debug.gdb.session import Session

HANDLE = 5
ENOENT, EBADF, EINVAL = 2, 9, 22
"""Errno values of the protocol."""
_STAT = struct.Struct(">IIIIIIIQQQIII")
_REGULAR_FILE = 0o100444


class KernelFile:
    """A kernel, as gdb reads it."""

    def __init__(self, image: KernelImage) -> None:
        self._image = image
        self.name = "/" + (PurePath(image.name).name or "kernel")

    @cached_property
    def content(self) -> memoryview:
        """The bytes of an ELF file with symbols."""
        from hv.debug.symbols import symbols_of
        from hv.debug.symbols.write import elf_of

        symbols = symbols_of(self._image)
        elf = symbols.elf
        if elf is not None and symbols.guard("symbol table", lambda: any(True for _ in elf.symbols()), False):
            return self._image.file
        return memoryview(elf_of(symbols.table))


def host_io(session: Session, rest: bytes) -> bytes:
    """vFile:OPERATION:ARGUMENTS"""
    operation, _, arguments = rest.partition(b":")
    file = session.kernel
    if operation == b"setfs":
        return b"F0"
    if operation == b"open":
        name = bytes.fromhex(arguments.split(b",")[0].decode("ascii")).decode("utf-8", "replace")
        return b"F%x" % HANDLE if file is not None and name == file.name else b"F-1,%x" % ENOENT
    if operation not in (b"pread", b"fstat", b"close"):
        return b""
    handle, *numbers = (int(number, 16) for number in arguments.split(b","))
    if file is None or handle != HANDLE:
        return b"F-1,%x" % EBADF
    if operation == b"close":
        return b"F0"
    if operation == b"fstat":
        size = len(file.content)
        stat = _STAT.pack(0, 0, _REGULAR_FILE, 1, 0, 0, 0, size, MAX_PACKET, (size + 511) // 512, 0, 0, 0)
        return b"F%x;" % len(stat) + escaped(stat)
    if len(numbers) != 2 or min(numbers) < 0:
        return b"F-1,%x" % EINVAL
    count, offset = numbers
    data = bytes(file.content[offset : offset + min(count, MAX_PACKET // 2 - 16)])  # every byte may need an escape
    return b"F%x;" % len(data) + escaped(data)
