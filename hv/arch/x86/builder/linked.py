"""Tables that point to each other before anybody knows where they will be.

A Linked is some files, the places in them where an address belongs, and the places where a checksum does. It is used in
two ways: put at addresses that the builder chooses (place), or handed to firmware, which chooses them itself, with the
commands of QEMU's table loader (loader_script). One description, so both say the same.

Source: QEMU, hw/acpi/bios-linker-loader.c; SeaBIOS, src/fw/romfile_loader.h.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

HIGH, FSEG = 1, 2
"""Zones: anywhere below 4 GiB, or below 1 MiB where a BIOS keeps what is searched for."""
_ALLOCATE, _ADD_POINTER, _ADD_CHECKSUM = 1, 2, 3
_COMMAND_SIZE = 128


class File(NamedTuple):
    """What firmware allocates as one piece: `align` is a power of 2."""

    data: bytes
    align: int
    zone: int


class Pointer(NamedTuple):
    """`size` bytes at `at` of `file`, which hold an offset in the file `to`, become an address."""

    file: str
    at: int
    size: int
    to: str


class Checksum(NamedTuple):
    """The byte at `at`, 0 so far, is chosen so that `length` bytes from `start` add up to 0."""

    file: str
    at: int
    start: int
    length: int


@dataclass
class Linked:
    """Files by name, in the order in which they are allocated; pointers are set before checksums are, in order."""

    files: dict[str, File] = field(default_factory=dict)
    pointers: list[Pointer] = field(default_factory=list)
    checksums: list[Checksum] = field(default_factory=list)

    def place(self, addresses: Mapping[str, int]) -> dict[str, bytes]:
        """The files' bytes when each one is at its address."""
        placed = {name: bytearray(one.data) for name, one in self.files.items()}
        for pointer in self.pointers:
            data, end = placed[pointer.file], pointer.at + pointer.size
            value = int.from_bytes(data[pointer.at : end], "little") + addresses[pointer.to]
            data[pointer.at : end] = value.to_bytes(pointer.size, "little")
        for one in self.checksums:
            data = placed[one.file]
            data[one.at] = -sum(data[one.start : one.start + one.length]) & 0xFF
        return {name: bytes(data) for name, data in placed.items()}

    def loader_script(self) -> bytes:
        """The commands for firmware: the file etc/table-loader of fw_cfg."""
        commands = [
            struct.pack("<I56sIB", _ALLOCATE, name.encode(), one.align, one.zone) for name, one in self.files.items()
        ]
        commands += [
            struct.pack("<I56s56sIB", _ADD_POINTER, one.file.encode(), one.to.encode(), one.at, one.size)
            for one in self.pointers
        ]
        commands += [
            struct.pack("<I56sIII", _ADD_CHECKSUM, one.file.encode(), one.at, one.start, one.length)
            for one in self.checksums
        ]
        return b"".join(command.ljust(_COMMAND_SIZE, b"\0") for command in commands)
