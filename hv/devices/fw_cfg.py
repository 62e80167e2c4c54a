"""The firmware configuration device of QEMU: items of bytes that firmware and guest read, by number or by file name.

    0x510  word    selector: which item is read next, from its beginning
    0x511  byte    data: the next byte of the item; zeros behind its end
    0x514  two double words, big-endian, the upper first: address of a struct FWCfgDmaAccess. Writing the second one
           runs it; reading gives "QEMU CFG".

What is there is given as a mapping of names to bytes: names in ITEMS have a number of their own, all others are files,
which the item `file_dir` lists. Nothing can be written: that part of the interface is gone from QEMU as well, but for
files that no guest of ours has.

Source: QEMU, docs/specs/fw_cfg.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from hv.devices.bus import Region
from hv.devices.device import Device, Machine

PORT, DMA_PORT = 0x510, 0x514
ARCH_LOCAL = 0x8000
ITEMS = {
    "signature": 0x00, "id": 0x01, "uuid": 0x02, "ram_size": 0x03, "nographic": 0x04, "nb_cpus": 0x05,
    "machine_id": 0x06, "kernel_addr": 0x07, "kernel_size": 0x08, "kernel_cmdline": 0x09, "initrd_addr": 0x0A,
    "initrd_size": 0x0B, "boot_device": 0x0C, "numa": 0x0D, "boot_menu": 0x0E, "max_cpus": 0x0F, "kernel_entry": 0x10,
    "kernel_data": 0x11, "initrd_data": 0x12, "cmdline_addr": 0x13, "cmdline_size": 0x14, "cmdline_data": 0x15,
    "setup_addr": 0x16, "setup_size": 0x17, "setup_data": 0x18, "file_dir": 0x19,
    "acpi_tables": ARCH_LOCAL, "smbios_entries": ARCH_LOCAL + 1, "irq0_override": ARCH_LOCAL + 2,
    "e820_table": ARCH_LOCAL + 3, "hpet": ARCH_LOCAL + 4,
}  # fmt: skip
"""Number of each item that is no file."""
FIRST_FILE, LAST_FILE = 0x20, 0x3FFF
LONGEST_NAME = 55
SIGNATURE, DMA_SIGNATURE = b"QEMU", b"QEMU CFG"
ID = 3
"""Bit 0: the ports are there; bit 1: the DMA interface too."""
_FILE = struct.Struct(">IHxx56s")
_ACCESS = struct.Struct(">IIQ")
DMA_ERROR, DMA_READ, DMA_SKIP, DMA_SELECT, DMA_WRITE = 1, 2, 4, 8, 16
MOST_ZEROS = 1 << 20
"""Bytes that one DMA access may read behind an item's end; more of them is an error, so that an access is bounded."""


@dataclass
class FwCfgState:
    """Where the guest reads."""

    selected: int = 0
    offset: int = 0
    address_high: int = 0
    """Upper half of the next DMA access's address."""


class FwCfg(Device):
    """The device. `contents`: names to bytes; `signature`, `id` and `file_dir` are made here. ValueError: a name is too
    long, or there are too many files."""

    State = FwCfgState
    state: FwCfgState

    def __init__(self, machine: Machine, contents: Mapping[str, bytes], name: str = "fw_cfg") -> None:
        super().__init__(machine, name)
        self._items = number_items(contents)
        machine.ports.map(Region(name, 2, self._read, self._write, (1, 2)), PORT)
        machine.ports.map(Region(f"{name} DMA", 8, self._read_dma, self._write_dma, (1, 2, 4, 8)), DMA_PORT)

    # ---- ports ----

    def _take(self, length: int) -> bytes:
        """The next bytes of the item, as many as there are."""
        item = self._items.get(self.state.selected, b"")
        data = item[self.state.offset : self.state.offset + length]
        self.state.offset += len(data)
        return data

    def _read(self, offset: int, size: int) -> int:
        """Both ports read as data, as QEMU's do."""
        return int.from_bytes(self._take(size), "little")

    def _write(self, offset: int, size: int, value: int) -> None:
        if size == 2:
            self._select(value)

    def _select(self, number: int) -> None:
        self.state.selected, self.state.offset = number, 0

    # ---- DMA ----

    def _read_dma(self, offset: int, size: int) -> int:
        return int.from_bytes(DMA_SIGNATURE[offset : offset + size], "little")

    def _write_dma(self, offset: int, size: int, value: int) -> None:
        given = int.from_bytes(value.to_bytes(size, "little"), "big")
        if size == 8:
            self._run(given)
        elif size == 4 and offset == 0:
            self.state.address_high = given
        elif size == 4 and offset == 4:
            address = self.state.address_high << 32 | given
            self.state.address_high = 0
            self._run(address)

    def _run(self, at: int) -> None:
        """One access of the DMA interface, whose structure is at guest-physical address `at`."""
        control, length, address = _ACCESS.unpack(self.machine.dma_read(at, _ACCESS.size))
        if control & DMA_SELECT:
            self._select(control >> 16)
        failed = False
        if control & DMA_READ:
            failed = not self._copy(address, length)
        elif control & DMA_WRITE:
            failed = True
        elif control & DMA_SKIP:
            self._take(length)
        self.machine.dma_write(at, (DMA_ERROR if failed else 0).to_bytes(4, "big"))

    def _copy(self, address: int, length: int) -> bool:
        left = len(self._items.get(self.state.selected, b"")) - self.state.offset
        if length - left > MOST_ZEROS:
            return False
        self.machine.dma_write(address, self._take(length).ljust(length, b"\0"))
        return True


def number_items(contents: Mapping[str, bytes]) -> dict[int, bytes]:
    """The items by number, with signature, id and file directory. ValueError: as FwCfg."""
    items = {ITEMS["signature"]: SIGNATURE, ITEMS["id"]: ID.to_bytes(4, "little")}
    items |= {ITEMS[name]: data for name, data in contents.items() if name in ITEMS}
    files = sorted(contents.keys() - ITEMS.keys())
    if FIRST_FILE + len(files) - 1 > LAST_FILE:
        raise ValueError(f"fw_cfg: {len(files)} files; there is room for {LAST_FILE - FIRST_FILE + 1}")
    directory = [len(files).to_bytes(4, "big")]
    for number, name in enumerate(files, FIRST_FILE):
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"fw_cfg: the file name {name} is longer than {LONGEST_NAME} bytes")
        items[number] = bytes(contents[name])
        directory.append(_FILE.pack(len(contents[name]), number, name.encode()))
    items[ITEMS["file_dir"]] = b"".join(directory)
    return items
