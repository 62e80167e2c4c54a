"""The PIIX3 IDE function: a PCI device with two channels at the addresses that a PC has always had them.

    primary    0x1f0-0x1f7, 0x3f6, interrupt 14        secondary  0x170-0x177, 0x376, interrupt 15

The bus masters' registers are behind base address register 4, 8 bytes a channel. The legacy ports are decoded whether
or not the timing registers say so, as QEMU has it: a kernel without firmware finds its disk.

Source: Intel 82371SB (PIIX3) data sheet, sections 2.3 and 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hv.devices.ata_channel import Channel
from hv.devices.ata_disk import HardDisk
from hv.devices.ata_drive import Drive
from hv.devices.bus import Region
from hv.devices.bus_master import REGISTERS
from hv.devices.device import NEVER, DataPort, state_values
from hv.devices.pci import BAR_IO, STATUS, Bar, Identity, PciDevice, PciMachine

COMMAND_PORTS, CONTROL_PORTS, INTERRUPTS = (0x1F0, 0x170), (0x3F6, 0x376), (14, 15)
_TIMING = range(0x40, 0x45)


class Ide(PciDevice):
    """The controller. `drives`: primary master, primary slave, secondary master, secondary slave; None for none.

    Its state is what the PCI device, the channels, the drives and their disks remember; disks by their overlays."""

    IDENTITY = Identity(vendor=0x8086, device=0x7010, kind=0x010180)
    WRITABLE = dict.fromkeys(_TIMING, 0xFF)

    def __init__(
        self, machine: PciMachine, drives: Sequence[Drive | None], name: str = "ide", slot: int = 1, function: int = 1
    ) -> None:
        super().__init__(machine, name, slot, function)
        self.drives = tuple([*drives, None, None, None, None][:4])
        self.channels = tuple(Channel(self, self, n, self.drives[2 * n : 2 * n + 2]) for n in (0, 1))
        masters = Region(f"{name} bus masters", 2 * REGISTERS, self._read_master, self._write_master)
        self.bars[4] = Bar(BAR_IO, 2 * REGISTERS, masters)
        for channel, ports, control in zip(self.channels, COMMAND_PORTS, CONTROL_PORTS, strict=True):
            machine.ports.map(channel.registers, ports)
            machine.ports.map(channel.controls, control)
        self._power_on()

    def first_config(self) -> bytes:
        """Configuration space after a reset: fast back-to-back, medium timing of DEVSEL#."""
        config = bytearray(super().first_config())
        config[STATUS : STATUS + 2] = 0x0280.to_bytes(2, "little")
        return bytes(config)

    def reset(self) -> None:
        """Power on, or the reset line."""
        self._power_on()
        self.schedule()

    def _power_on(self) -> None:
        super().reset()
        for channel in self.channels:
            channel.reset()

    def unplug(self, *, but_first: bool = False) -> None:
        """Take the hard disks away, until the machine is reset: Xen's unplug protocol, for guests with drivers of their
        own. CD-ROM drives stay, and with but_first the primary master."""
        for channel in self.channels:
            for drive in channel.drives:
                if isinstance(drive, HardDisk) and not (but_first and drive is self.drives[0]):
                    drive.hold()
                    drive.state.present = False
            channel.drive_line()
        self.schedule()

    # ---- ports ----

    def _read_master(self, offset: int, size: int) -> int:
        return self.channels[offset // REGISTERS].master.read(offset % REGISTERS)

    def _write_master(self, offset: int, size: int, value: int) -> None:
        self.channels[offset // REGISTERS].master.write(offset % REGISTERS, value)

    # ---- hv.devices.ata_channel.Controller ----

    @property
    def now_ns(self) -> int:
        """System time."""
        return self.machine.now_ns

    def data_port(self, number: int) -> DataPort:
        """The data port of a channel."""
        return self.machine.data_port(COMMAND_PORTS[number])

    def set_line(self, number: int, level: bool) -> None:
        """Drive interrupt 14 or 15."""
        self.machine.set_irq(INTERRUPTS[number], level)

    def schedule(self) -> None:
        """Have the timer go off at the earliest deadline of a drive."""
        self.machine.set_timer(self, min((drive.state.deadline for drive in self._waiting()), default=NEVER))

    def _waiting(self) -> list[Drive]:
        return [drive for drive in self.drives if drive is not None and drive.state.deadline]

    def timer(self) -> None:
        """The earliest deadline has come."""
        now = self.now_ns
        for drive in sorted(self._waiting(), key=lambda drive: drive.state.deadline):
            # A drive may have taken another one's step away.
            if drive.state.deadline and drive.state.deadline <= now:
                drive.due()
        self.schedule()

    # ---- state ----

    def save(self) -> tuple[Any, ...]:
        """Configuration space; the channels with their bus masters; the drives with their overlays."""
        return (
            self.state.config,
            tuple((state_values(channel.state), state_values(channel.master.state)) for channel in self.channels),
            tuple(
                None if drive is None else (state_values(drive.state), drive.disk.save() if drive.disk else None)
                for drive in self.drives
            ),
        )

    def load(self, saved: tuple[Any, ...]) -> None:
        """Become what save() described."""
        config, channels, drives = saved
        for channel, (state, master) in zip(self.channels, channels, strict=True):
            channel.state = type(channel.state)(*state)
            channel.master.state = type(channel.master.state)(*master)
        for drive, values in zip(self.drives, drives, strict=True):
            if drive is not None:
                drive.state = drive.State(*values[0])
                if drive.disk is not None:
                    drive.disk.load(values[1])
        self.state = self.State(config)
        self.loaded()
