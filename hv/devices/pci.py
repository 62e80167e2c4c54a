"""What all PCI devices have in common: configuration space, base address registers, interrupt pins, bus mastering.

A PciDevice is on bus 0 at `slot` and `function`. Its configuration space is `state.config`: 256 bytes, which the guest
reads as they are; `WRITABLE` says which bits a guest may change. Registers behind base address registers are given as
regions (`bars`) that are mapped where the guest puts them, as long as the command register enables them.

Source: PCI Local Bus Specification 3.0, chapter 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hv.devices.bus import Bus, Region
from hv.devices.device import Device, Machine

CONFIG_SIZE = 256
VENDOR, DEVICE, COMMAND, STATUS, REVISION, CLASS, HEADER_TYPE = 0x00, 0x02, 0x04, 0x06, 0x08, 0x09, 0x0E
BAR0, SUBSYSTEM_VENDOR, SUBSYSTEM, ROM_BAR, INTERRUPT_LINE, INTERRUPT_PIN = 0x10, 0x2C, 0x2E, 0x30, 0x3C, 0x3D
COMMAND_IO, COMMAND_MEMORY, COMMAND_MASTER, COMMAND_INTX_OFF = 0x001, 0x002, 0x004, 0x400
STATUS_INTERRUPT = 0x08
"""Of the status register's low byte: the device's pin is asserted."""
BAR_IO, BAR_MEMORY, BAR_PREFETCHABLE = 1, 0, 8
ROM_ENABLE = 1
QEMU_SUBSYSTEM = (0x1AF4, 0x1100)
"""Vendor and device of the subsystem of every part of the machine: "QEMU virtual machine"."""
ROM_SMALLEST, ROM_LARGEST = 2 << 10, 16 << 20
"""Sizes of an expansion ROM in bytes."""


class PciMachine(Machine, Protocol):
    """A machine with a PCI bus."""

    def set_pci_irq(self, device: PciDevice, level: bool) -> None:
        """Drive the interrupt pin of a device (INTA# to INTD#, as its configuration space says)."""

    def links_moved(self) -> None:
        """The ISA bridge has led its links (PIRQA# to PIRQD#) elsewhere."""

    def map_ram(self, device: PciDevice, bar: int, base: int | None) -> None:
        """A base address register whose region is RAM of the device's own (a frame buffer) was set: map it there, or
        nowhere."""

    def set_shadow(self, first: int, size: int, read_ram: bool, write_ram: bool) -> None:
        """What reads and writes meet from address `first` on, between 0xc0000 and 0xfffff: RAM, or the ROM there."""


@dataclass(frozen=True)
class Identity:
    """What configuration space says of a device. `kind` is class, subclass and programming interface as one number:
    0x010180 is an IDE controller."""

    vendor: int
    device: int
    kind: int
    revision: int = 0
    subsystem_vendor: int = 0
    subsystem: int = 0
    pin: int = 0
    """Interrupt pin: 1 to 4 for INTA# to INTD#; 0: none."""
    multifunction: bool = False


@dataclass(frozen=True)
class Bar:
    """A base address register: `flags` are BAR_IO, or BAR_MEMORY with or without BAR_PREFETCHABLE; `size` is a power of
    2. A region of None stands for RAM of the device's own, which the machine maps."""

    flags: int
    size: int
    region: Region | None

    @property
    def mask(self) -> int:
        """The address bits that a guest can set."""
        return ~(self.size - 1) & 0xFFFFFFFF


@dataclass
class PciState:
    """The state of a PCI device without any more of its own; others derive from it."""

    config: bytes = b""


class PciDevice(Device):
    """A device on PCI bus 0. Subclasses give `IDENTITY`, and `State` as a dataclass derived from PciState."""

    IDENTITY: Identity
    State: type[Any] = PciState
    WRITABLE: Mapping[int, int] = {}
    """Bits of further configuration bytes that a guest may change, by offset."""

    machine: PciMachine

    def __init__(self, machine: PciMachine, name: str, slot: int, function: int = 0) -> None:
        self.slot, self.function = slot, function
        self.bars: dict[int, Bar] = {}
        """By number, 0 to 5; subclasses fill it before they call reset()."""
        self.rom: Region | None = None
        super().__init__(machine, name)

    def attach_rom(self, contents: bytes) -> None:
        """Give the device an expansion ROM, which the guest maps by the base address register at 0x30. The contents are
        filled up with ones to a power of 2. To be called before the machine runs. ValueError: more than 16 MiB."""
        if len(contents) > ROM_LARGEST:
            raise ValueError(f"{self.name}: an expansion ROM of {len(contents)} bytes; 16 MiB is the most")
        size = 1 << (max(len(contents), ROM_SMALLEST) - 1).bit_length()
        rom = contents.ljust(size, b"\xff")

        def read(offset: int, width: int) -> int:
            return int.from_bytes(rom[offset : offset + width], "little")

        if self.rom is not None:
            self.machine.memory.unmap(self.rom)
        self.rom = Region(f"{self.name}-rom", size, read, lambda offset, width, value: None, (1, 2, 4, 8))
        self.loaded()

    def first_config(self) -> bytes:
        """Configuration space after a reset."""
        identity, config = self.IDENTITY, bytearray(CONFIG_SIZE)
        for offset, size, value in (
            (VENDOR, 2, identity.vendor), (DEVICE, 2, identity.device), (REVISION, 1, identity.revision),
            (CLASS, 3, identity.kind), (HEADER_TYPE, 1, 0x80 if identity.multifunction else 0),
            (SUBSYSTEM_VENDOR, 2, identity.subsystem_vendor), (SUBSYSTEM, 2, identity.subsystem),
            (INTERRUPT_PIN, 1, identity.pin),
        ):  # fmt: skip
            config[offset : offset + size] = value.to_bytes(size, "little")
        for number, bar in self.bars.items():
            config[BAR0 + 4 * number] = bar.flags
        return bytes(config)

    def reset(self) -> None:
        """Configuration space becomes what it is after power-on; base address registers point nowhere."""
        self.state = self.State()
        self.state.config = self.first_config()
        self.loaded()

    def loaded(self) -> None:
        """Map the regions where configuration space says."""
        for number in self.bars:
            self._map(number)
        if self.rom is not None:
            self._place(self.rom, self.machine.memory, self.rom_address)

    # ---- configuration space ----

    def config_read(self, offset: int, size: int) -> int:
        """The guest reads 1, 2 or 4 bytes."""
        return int.from_bytes(self.state.config[offset : offset + size], "little")

    def config_write(self, offset: int, size: int, value: int) -> None:
        """The guest writes 1, 2 or 4 bytes: each bit that may change does, then config_changed() is told."""
        before = self.state.config
        config = bytearray(before)
        for at in range(offset, min(offset + size, CONFIG_SIZE)):
            mask = self._writable(at)
            config[at] = config[at] & ~mask | value >> 8 * (at - offset) & mask
        self.state.config = bytes(config)
        if self.state.config != before:
            self.config_changed(before)

    def _writable(self, at: int) -> int:
        if BAR0 <= at < BAR0 + 24:
            bar = self.bars.get((at - BAR0) // 4)
            return 0 if bar is None else bar.mask >> 8 * (at % 4) & 0xFF
        if self.rom is not None and ROM_BAR <= at < ROM_BAR + 4:
            return (-self.rom.size | ROM_ENABLE) >> 8 * (at % 4) & 0xFF
        fixed = {COMMAND: 0x07, COMMAND + 1: 0x04, INTERRUPT_LINE: 0xFF, 0x0C: 0xFF, 0x0D: 0xF8}
        return self.WRITABLE.get(at, fixed.get(at, 0))

    def config_changed(self, before: bytes) -> None:
        """Configuration space has changed; a subclass with registers of its own there looks at them, and calls this."""
        self.loaded()
        if self.command & COMMAND_INTX_OFF != before[COMMAND + 1] << 8 & COMMAND_INTX_OFF:
            self._drive()

    def switch_off(self) -> None:
        """The device decodes nothing, is no bus master and drives no pin, until its command register says otherwise."""
        before = self.state.config
        config = bytearray(before)
        config[COMMAND : COMMAND + 2] = COMMAND_INTX_OFF.to_bytes(2, "little")
        self.state.config = bytes(config)
        self.config_changed(before)

    @property
    def command(self) -> int:
        """The command register."""
        return self.config_read(COMMAND, 2)

    def bar_address(self, number: int) -> int | None:
        """Where a base address register points now; None: nowhere, or not enabled."""
        bar = self.bars[number]
        address = self.config_read(BAR0 + 4 * number, 4) & bar.mask
        enable = COMMAND_IO if bar.flags & BAR_IO else COMMAND_MEMORY
        if not self.command & enable or address == 0 or address == bar.mask:
            return None
        return address

    @property
    def rom_address(self) -> int | None:
        """Where the expansion ROM is mapped now; None: nowhere, or not enabled."""
        register = self.config_read(ROM_BAR, 4)
        address = register & ~0x7FF
        enabled = register & ROM_ENABLE and self.command & COMMAND_MEMORY
        return address if self.rom is not None and enabled and address else None

    def _map(self, number: int) -> None:
        bar, base = self.bars[number], self.bar_address(number)
        if bar.region is None:
            self.machine.map_ram(self, number, base)
            return
        self._place(bar.region, self.machine.ports if bar.flags & BAR_IO else self.machine.memory, base)

    @staticmethod
    def _place(region: Region, bus: Bus, base: int | None) -> None:
        if base is None or base + region.size > bus.size:
            bus.unmap(region)
        elif region.base != base:
            bus.map(region, base)

    # ---- interrupts and memory ----

    def set_irq(self, level: bool) -> None:
        """Drive the device's interrupt pin; the status register shows it, and the command register may keep it off."""
        config = bytearray(self.state.config)
        config[STATUS] = config[STATUS] | STATUS_INTERRUPT if level else config[STATUS] & ~STATUS_INTERRUPT
        self.state.config = bytes(config)
        self._drive()

    @property
    def interrupting(self) -> bool:
        """Whether the device asserts its pin, whatever the command register makes of it."""
        return bool(self.state.config[STATUS] & STATUS_INTERRUPT)

    def _drive(self) -> None:
        asserted = self.interrupting and not self.command & COMMAND_INTX_OFF
        self.machine.set_pci_irq(self, asserted)

    def dma_read(self, address: int, length: int) -> bytes:
        """Memory as the device reads it: ones while it may not be bus master."""
        if not self.command & COMMAND_MASTER:
            return b"\xff" * length
        return self.machine.dma_read(address, length)

    def dma_write(self, address: int, data: bytes) -> None:
        """Write memory; nothing while the device may not be bus master."""
        if self.command & COMMAND_MASTER:
            self.machine.dma_write(address, data)
