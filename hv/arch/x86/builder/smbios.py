"""SMBIOS tables (DMI): what `dmidecode` and installers read of a machine. As few structures as the standard demands.

    contents |= firmware_files(smbios(SmbiosMachine(vcpus=4, memory=512 << 20)))

Texts are those of a Xen HVM domain (tools/firmware/hvmloader/smbios.c). Source: DMTF DSP0134, System Management BIOS
Reference Specification 2.8.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from hv.arch.x86.builder.linked import FSEG, Checksum, File, Linked, Pointer

ANCHOR, TABLES = "etc/smbios/smbios-anchor", "etc/smbios/smbios-tables"
VERSION = (2, 8)
_ENTRY_POINT = struct.Struct("<4sBBBBHB5x5sBHIHB")
_NO_HANDLE, _NOTHING_PROVIDED = 0xFFFF, 0xFFFE
_BIOS, _SYSTEM, _CHASSIS, _PROCESSOR, _ARRAY, _MODULE, _BOOT = 0x000, 0x100, 0x300, 0x400, 0x1000, 0x1100, 0x2000
_END = 0x7F00
NO_UUID = UUID(int=0)
MODULE_SIZE = 16 << 30
"""Bytes of the largest memory module."""


@dataclass(frozen=True)
class SmbiosMachine:
    """What the tables describe; `memory` in bytes."""

    vcpus: int
    memory: int
    uuid: UUID = NO_UUID
    version: str = "4.17"
    date: str = "01/01/2024"
    """Of the firmware, month first."""


def smbios(machine: SmbiosMachine) -> Linked:
    """Entry point (revision 2.1, 32 bits) and structures, not yet anywhere."""
    structures = _structures(machine)
    table = b"".join(structures)
    largest = max(len(one) for one in structures)
    entry = _ENTRY_POINT.pack(
        b"_SM_", 0, _ENTRY_POINT.size, *VERSION, largest, 0, b"_DMI_", 0, len(table), 0, len(structures), 0x28
    )
    return Linked(
        {TABLES: File(table, 16, FSEG), ANCHOR: File(entry, 16, FSEG)},
        [Pointer(ANCHOR, 0x18, 4, TABLES)],
        [Checksum(ANCHOR, 0x15, 0x10, 15), Checksum(ANCHOR, 4, 0, 31)],
    )


def firmware_files(tables: Linked) -> dict[str, bytes]:
    """The files of fw_cfg; SeaBIOS and OVMF put the address and the checksums in themselves."""
    return {name: one.data for name, one in tables.files.items()}


def _structure(kind: int, handle: int, body: bytes, texts: Sequence[str] = ()) -> bytes:
    """A structure: header, body, then its strings, which the body names by number from 1."""
    strings = b"".join(text.encode("ascii", "replace") + b"\0" for text in texts) or b"\0"
    return struct.pack("<BBH", kind, 4 + len(body), handle) + body + strings + b"\0"


def _structures(machine: SmbiosMachine) -> list[bytes]:
    # 0: BIOS. Characteristics: none are told; extension 2: virtual machine, targeted content distribution.
    numbers = [int(part) if part.isdecimal() else 0 for part in (machine.version + ".0").split(".")[:2]]
    bios = struct.pack("<BBHBBQBBBBBB", 1, 2, 0xE800, 3, 0, 1 << 3, 0, 0x14, *numbers, 0xFF, 0xFF)
    # 1: system; woken by the power switch.
    system = bytes([1, 2, 3, 4]) + machine.uuid.bytes_le + bytes([6, 0, 0])
    # 3: chassis of type other; boot, power and thermal state safe, security unknown.
    chassis = struct.pack("<BBBBBBBBBIBBBB", 1, 1, 0, 2, 0, 3, 3, 3, 2, 0, 0, 0, 0, 0)
    listed = [
        _structure(0, _BIOS, bios, ["Xen", machine.version, machine.date]),
        _structure(1, _SYSTEM, system, ["Xen", "HVM domU", machine.version, str(machine.uuid)]),
        _structure(3, _CHASSIS, chassis, ["Xen", str(machine.uuid)]),
    ]
    listed += [_structure(4, _PROCESSOR + n, _processor(), [f"CPU {n}", "Intel"]) for n in range(machine.vcpus)]
    sizes = _modules(machine.memory)
    kilobytes = machine.memory >> 10
    # 16: memory array, location other, for system memory, with error correction as Windows wants it.
    array = struct.pack("<BBBIHHQ", 1, 3, 6, min(kilobytes, 1 << 31), _NOTHING_PROVIDED, len(sizes),
                        machine.memory if kilobytes >= 1 << 31 else 0)  # fmt: skip
    listed.append(_structure(16, _ARRAY, array))
    listed += [_structure(17, _MODULE + n, _module(size), [f"DIMM {n}"]) for n, size in enumerate(sizes)]
    listed.append(_structure(32, _BOOT, bytes(7)))
    listed.append(_structure(127, _END, b""))
    return listed


def _processor() -> bytes:
    """4: a central processor of an unknown family, in a socket and enabled, one core and thread; speeds untold."""
    head = struct.pack("<BBBBQB", 1, 3, 1, 2, 0, 0)
    clocks = struct.pack("<BHHHBB", 0, 0, 2000, 2000, 0x41, 1)
    return head + clocks + struct.pack("<HHHBBBBBBHH", *[_NO_HANDLE] * 3, 0, 0, 0, 1, 1, 1, 0x04, 1)


def _modules(memory: int) -> list[int]:
    """Bytes in each memory module."""
    return [min(MODULE_SIZE, memory - start) for start in range(0, memory, MODULE_SIZE)]


def _module(size: int) -> bytes:
    """17: a DIMM of RAM, 64 bits wide; its size in MiB."""
    return struct.pack("<HHHHHBBBBBHHBBBBBIH", _ARRAY, _NOTHING_PROVIDED, 64, 64, size >> 20, 9, 0, 1, 0, 7, 2, 0,
                       0, 0, 0, 0, 0, 0, 0)  # fmt: skip
