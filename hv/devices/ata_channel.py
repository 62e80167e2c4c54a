"""One IDE channel: two drives that share registers, a data port, an interrupt line and a bus master.

Both drives see what is written to the registers; the one that the device register selects answers. What is not there
reads as 0, as QEMU has it.

Source: ATA/ATAPI-6 (T13/1410D), chapters 7 and 9.16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hv.devices.ata_drive import BSY, COMMAND_NS, DRQ, RESET_NS, Drive
from hv.devices.bus import Region
from hv.devices.bus_master import BusMaster
from hv.devices.device import DataPort
from hv.devices.pci import PciDevice

DATA, ERROR, COUNT, LOW, MID, HIGH, DEVICE, STATUS = range(8)
"""Registers by offset; written, ERROR are the features and STATUS is the command."""
_LATCHED = {ERROR: "features", COUNT: "count", LOW: "low", MID: "mid", HIGH: "high"}
_SHOWN = {COUNT: "count", LOW: "low", MID: "mid", HIGH: "high"}

NO_INTERRUPT, RESET, HIGH_ORDER = 0x02, 0x04, 0x80
"""Bits of the control register."""
SELECT = 0x10
"""Of the device register: device 1."""
_OBSOLETE_BITS = 0xA0
"""Of the device register, always ones."""
DEVICE_RESET, EXECUTE_DIAGNOSTIC = 0x08, 0x90


class Controller(Protocol):
    """What a channel may ask of its controller."""

    @property
    def now_ns(self) -> int:
        """System time."""

    def data_port(self, number: int) -> DataPort:
        """The data port of channel `number`."""

    def set_line(self, number: int, level: bool) -> None:
        """Drive the interrupt line of channel `number`."""

    def schedule(self) -> None:
        """A drive's deadline has changed."""


@dataclass
class ChannelState:
    """`owner`: the drive whose block of data is in the data port; -1: neither. `line`: the level of the interrupt."""

    device: int = 0
    control: int = 0
    owner: int = -1
    line: bool = False


class Channel:
    """Channel `number` (0 primary, 1 secondary) with its drives."""

    def __init__(self, controller: Controller, pci: PciDevice, number: int, drives: Sequence[Drive | None]) -> None:
        self.state = ChannelState()
        self.number = number
        self.drives = tuple(drives)
        self.master = BusMaster(pci, self._master_started)
        self._controller = controller
        for position, drive in enumerate(self.drives):
            if drive is not None:
                drive.attach(self, position)
        self.registers = Region(f"ide{number}", 8, self._read, self._write, (1, 2, 4))
        self.controls = Region(f"ide{number} control", 1, self._read_control, self._write_control)

    def reset(self) -> None:
        """Power on."""
        self.port.stop()
        self.state = ChannelState(line=self.state.line)
        self.master.state = type(self.master.state)()
        for drive in filter(None, self.drives):
            drive.reset()
        self.drive_line()

    # ---- what a drive asks for ----

    @property
    def now_ns(self) -> int:
        """System time."""
        return self._controller.now_ns

    @property
    def port(self) -> DataPort:
        """The machine's side of the data port."""
        return self._controller.data_port(self.number)

    def schedule(self) -> None:
        """A drive's deadline has changed."""
        self._controller.schedule()

    def give(self, number: int, data: bytes) -> None:
        """The guest can read a block of drive `number`."""
        self.state.owner = number
        self.port.give(data)

    def take(self, number: int, count: int) -> None:
        """The guest can write a block for it."""
        self.state.owner = number
        self.port.take(count)

    def release(self, number: int) -> None:
        """Drive `number` has nothing more to do with the data port."""
        if self.state.owner == number:
            self.state.owner = -1
            self.port.stop()

    def drive_line(self) -> None:
        """The interrupt line is the selected drive's, unless the guest has switched it off."""
        drive = self._selected()
        level = drive is not None and drive.state.irq and not self.state.control & NO_INTERRUPT
        if level and not self.state.line:
            self.master.interrupt()
        if level != self.state.line:
            self.state.line = level
            self._controller.set_line(self.number, level)

    # ---- drives ----

    def _there(self) -> list[Drive]:
        return [drive for drive in self.drives if drive is not None and drive.state.present]

    def _selected(self) -> Drive | None:
        drive = self.drives[bool(self.state.device & SELECT)]
        return drive if drive is not None and drive.state.present else None

    def _master_started(self) -> None:
        for drive in self._there():
            drive.master_started()

    # ---- registers ----

    def _read(self, offset: int, size: int) -> int:
        if offset == DATA:
            return self._read_data(size)
        return sum(self._read_register(offset + i) << 8 * i for i in range(size))

    def _write(self, offset: int, size: int, value: int) -> None:
        if offset == DATA:
            self._write_data(size, value)
            return
        for i in range(size):
            self._write_register(offset + i, value >> 8 * i & 0xFF)

    def _read_register(self, offset: int) -> int:
        drive = self._selected()
        if drive is None:
            return 0
        if offset == STATUS:
            drive.state.irq = False
            self.drive_line()
            return int(drive.state.status)
        if offset == DEVICE:
            return self.state.device | _OBSOLETE_BITS
        high = 8 if self.state.control & HIGH_ORDER else 0
        name = _SHOWN.get(offset)
        return int(drive.state.error) if name is None else getattr(drive.state, name) >> high & 0xFF

    def _write_register(self, offset: int, value: int) -> None:
        self.state.control &= ~HIGH_ORDER
        if offset == STATUS:
            self._command(value)
        elif offset == DEVICE:
            self.state.device = value
            self.drive_line()
        else:
            name = _LATCHED[offset]
            for drive in self._there():
                setattr(drive.state, name, getattr(drive.state, name) << 8 & 0xFF00 | value)

    def _read_control(self, offset: int, size: int) -> int:
        drive = self._selected()
        return 0 if drive is None else int(drive.state.status)

    def _write_control(self, offset: int, size: int, value: int) -> None:
        before, self.state.control = self.state.control, value
        if value & RESET and not before & RESET:
            self.state.device = 0
            for drive in self._there():
                drive.hold()
        elif before & RESET and not value & RESET:
            self._both("ready_again", RESET_NS)
        self.drive_line()

    def _both(self, step: str, ns: int) -> None:
        for drive in self._there():
            drive.later(step, ns)

    # ---- commands ----

    def _command(self, opcode: int) -> None:
        drive = self._selected()
        if self.state.control & RESET or (drive is None and opcode != EXECUTE_DIAGNOSTIC):
            return
        if drive is not None:
            drive.state.irq = False
            self.drive_line()
            if opcode == DEVICE_RESET and drive.SIGNATURE != (0, 0):
                drive.hold()
                drive.later("ready_again", RESET_NS)
                return
            if drive.state.status & (BSY | DRQ):
                return
        if opcode == EXECUTE_DIAGNOSTIC:
            for other in self._there():
                other.hold()
            self.state.device = 0
            self._both("diagnosed", COMMAND_NS)
        elif drive is not None:
            drive.state.error = 0
            drive.command(opcode)

    # ---- data ----

    def _owner(self, moving: str) -> Drive | None:
        """The drive whose block is in the data port, if it goes this way."""
        drive = self.drives[self.state.owner] if self.state.owner >= 0 else None
        return drive if drive is not None and drive.state.moving == moving else None

    def _read_data(self, size: int) -> int:
        """The last word of a block: the machine serves the others."""
        drive = self._owner("in")
        if drive is None:
            return 0
        data = self.port.rest()[:size]
        self._done(drive, drive.block_read)
        return int.from_bytes(data, "little")

    def _write_data(self, size: int, value: int) -> None:
        drive = self._owner("out")
        if drive is None:
            return
        data = self.port.collected() + value.to_bytes(size, "little")
        self._done(drive, lambda: drive.block_written(data[: drive.state.now].ljust(drive.state.now, b"\0")))

    def _done(self, drive: Drive, then: Callable[[], None]) -> None:
        self.state.owner = -1
        then()
