"""The Xen platform device, 0:3.0: by it a guest unplugs emulated devices, to drive PV devices in their place.

    port 0x10, 2 bytes   reads as MAGIC, or as BLACKLISTED for drivers that shall stay with emulated devices
                         written: what to unplug (DISKS, NICS, OTHER_DISKS)
               4 bytes   written: the build of the guest's drivers, behind their product
               1 byte    flags
    port 0x12, 1 byte    reads as the version of the protocol; written: a byte for the log, which is the console here
               2 bytes   written: the product that the guest's drivers are
    I/O register 0x00    flags (8 bits); 0x04 and 0x08: how drivers before the protocol unplugged
    memory               16 MiB that read as zeros: room in guest-physical memory, where guests have grant tables put

The flag ROM_LOCK is kept and locks nothing: the host bridge's PAM registers say what the ROMs' addresses are.

What is unplugged comes back when the machine is reset. Who else must know of either is told by `unplugged` and
`was_reset`, and whether drivers are blacklisted is `blacklisted`'s to say: the toolstack sets them.

Source: Xen, docs/misc/hvm-emulated-unplug.pandoc; QEMU, hw/i386/xen/xen_platform.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hv.devices.bus import Region
from hv.devices.ide import Ide
from hv.devices.nic import NicDevice
from hv.devices.pci import (
    BAR_IO,
    BAR_MEMORY,
    BAR_PREFETCHABLE,
    COMMAND,
    COMMAND_IO,
    COMMAND_MEMORY,
    Bar,
    Identity,
    PciDevice,
    PciMachine,
    PciState,
)
from hv.devices.registers import Register, register_region, sized_region

XEN_VENDOR, XEN_PLATFORM, UNCLASSIFIED = 0x5853, 0x0001, 0xFF8000
PORT, PORTS = 0x10, 16
MAGIC, BLACKLISTED = 0x49D2, 0xD249
PROTOCOL_VERSION = 1
DISKS, NICS, OTHER_DISKS = 1, 2, 4
"""What is unplugged: hard disks, network cards, hard disks but the primary master. CD-ROM drives stay."""
ROM_LOCK = 1
REGISTERS, MEMORY = 0x100, 16 << 20


class UnplugBus(Protocol):
    """The machine's PCI bus."""

    @property
    def devices(self) -> Mapping[int, PciDevice]:
        """All that was ever plugged in."""

    def unplug(self, device: PciDevice) -> None:
        """Take a device out."""


@dataclass
class XenPlatformState(PciState):
    """What the guest's drivers have said they are, and whether they shall not be used."""

    flags: int = 0
    product: int = 0
    build: int = 0
    refused: bool = False


def _nothing() -> None:
    """Nobody needs to know."""


class XenPlatform(PciDevice):
    """The device. `bus`: where the network cards and the IDE controller are."""

    IDENTITY = Identity(XEN_VENDOR, XEN_PLATFORM, UNCLASSIFIED, 1, XEN_VENDOR, XEN_PLATFORM, pin=1)
    State: type[Any] = XenPlatformState
    state: XenPlatformState

    def __init__(self, machine: PciMachine, bus: UnplugBus, name: str = "xen-platform", slot: int = 3) -> None:
        super().__init__(machine, name, slot)
        self._bus = bus
        self.blacklisted: Callable[[int, int], bool] = lambda product, build: False
        """(product, build): whether such drivers shall not be used. It may look at what is part of the domain's state,
        and at nothing else."""
        self.unplugged: Callable[[], None] = _nothing
        """Called when something was unplugged."""
        self.was_reset: Callable[[], None] = _nothing
        """Called after a reset."""
        self.bars[0] = Bar(BAR_IO, REGISTERS, register_region(self, f"{name} registers", REGISTERS, TABLE))
        self.bars[1] = Bar(
            BAR_MEMORY | BAR_PREFETCHABLE, MEMORY,
            Region(f"{name} memory", MEMORY, lambda at, size: 0, lambda at, size, value: None, (1, 2, 4, 8)),
        )  # fmt: skip
        machine.ports.map(sized_region(self, f"{name} ports", PORTS, PORT_TABLE), PORT)
        super().reset()

    def first_config(self) -> bytes:
        """Configuration space after a reset: the device decodes its registers."""
        config = bytearray(super().first_config())
        config[COMMAND] = COMMAND_IO | COMMAND_MEMORY
        return bytes(config)

    def reset(self) -> None:
        """Power on, or the reset line; whoever else is reset with the machine has been."""
        super().reset()
        self.was_reset()

    # ---- registers ----

    def read_magic(self) -> int:
        """Port 0x10, 2 bytes."""
        return BLACKLISTED if self.state.refused else MAGIC

    def read_version(self) -> int:
        """Port 0x12, 1 byte."""
        return PROTOCOL_VERSION

    def write_product(self, value: int) -> None:
        """The drivers say what they are ..."""
        self.state.product = value

    def write_build(self, value: int) -> None:
        """... and which of them."""
        self.state.build = value
        self.state.refused = self.blacklisted(self.state.product, value)

    def write_log(self, value: int) -> None:
        """A byte for the log."""
        self.machine.print(bytes([value]))

    def unplug(self, what: int) -> None:
        """Take devices away: DISKS, NICS, OTHER_DISKS."""
        for device in tuple(self._bus.devices.values()):
            if what & (DISKS | OTHER_DISKS) and isinstance(device, Ide):
                device.unplug(but_first=not what & DISKS)
            if what & NICS and isinstance(device, NicDevice):
                self._bus.unplug(device)
        self.unplugged()

    def unplug_all(self, value: int) -> None:
        """I/O register 4: 1 unplugs disks and network cards."""
        if value == 1:
            self.unplug(DISKS | NICS)

    def unplug_kind(self, value: int) -> None:
        """I/O register 8: 1 unplugs disks, 2 network cards."""
        if value in (DISKS, NICS):
            self.unplug(value)


PORT_TABLE: Mapping[tuple[int, int], Register] = {
    (0, 1): Register("flags", "flags", writable=ROM_LOCK),
    (0, 2): Register("magic, unplug", read=XenPlatform.read_magic, write=XenPlatform.unplug),
    (0, 4): Register("build", floating=0xFFFFFFFF, write=XenPlatform.write_build),
    (2, 1): Register("version, log", read=XenPlatform.read_version, write=XenPlatform.write_log),
    (2, 2): Register("product", floating=0xFFFF, write=XenPlatform.write_product),
}
"""(offset, width)"""
TABLE: Mapping[int, Register] = {
    0x0: Register("flags", "flags", writable=ROM_LOCK),
    0x4: Register("unplug all", floating=0xFF, write=XenPlatform.unplug_all),
    0x8: Register("unplug one kind", floating=0xFF, write=XenPlatform.unplug_kind),
}
