"""PCI bus 0: configuration mechanism #1, and the way of a device's interrupt pin to the interrupt controllers.

A pin that is asserted reaches two places, as in Xen's HVM domains (xen/arch/x86/hvm/irq.c): an IOAPIC input of its own
above the ISA ones, and, by one of PIIX3's four links (PIRQA# to PIRQD#), the ISA interrupt that the link is routed to.
Lines are shared: one is high while any pin that leads there is asserted.

Configuration mechanism: PCI Local Bus Specification 3.0, section 3.2.2.3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hv.devices.bus import Region
from hv.devices.device import Device, Machine
from hv.devices.pci import INTERRUPT_PIN, PciDevice

ADDRESS_PORT, DATA_PORT = 0xCF8, 0xCFC
ENABLE = 1 << 31
ADDRESS_BITS = 0x80FFFFFC
SLOTS, FUNCTIONS, PINS, LINKS = 32, 8, 4, 4
FIRST_GSI, PCI_GSIS = 16, 32
NOWHERE = 0
"""As the ISA interrupt of a link: it leads to none (0 is the timer's, which no link can have)."""


class Wiring:
    """Which link and IOAPIC input a slot's pins (1 to 4 for INTA# to INTD#) are soldered to: as PC main boards with a
    PIIX3 have it, and QEMU. SeaBIOS fills in interrupt line registers, the $PIR table and the MP table by it. The
    IOAPIC inputs are Xen's."""

    @staticmethod
    def link(slot: int, pin: int) -> int:
        """0 to 3 for PIRQA# to PIRQD#."""
        return (slot + pin - 2) % LINKS

    @staticmethod
    def gsi(slot: int, pin: int) -> int:
        """The input of the 48-pin IOAPIC: 16 to 47."""
        return FIRST_GSI + ((slot * PINS + slot // FUNCTIONS + pin - 1) & (PCI_GSIS - 1))


PIIX_WIRING = Wiring()


class LinkRouter(Protocol):
    """Who says where the links lead: the ISA bridge."""

    def link_interrupts(self) -> tuple[int, ...]:
        """The ISA interrupt of each link, or NOWHERE."""


@dataclass
class PciBusState:
    """The address register, and what is asserted."""

    address: int = 0
    asserted: int = 0
    """Functions whose pin is asserted: bit 8 * slot + function."""
    driven: int = 0
    """Interrupt lines that the bus holds high: a bit each."""
    absent: int = 0
    """Functions that were unplugged, as `asserted`."""


class PciBus(Device):
    """Bus 0. Ports 0xcf8 (all four bytes at once) and 0xcfc to 0xcff."""

    State = PciBusState
    state: PciBusState
    wiring = PIIX_WIRING

    def __init__(self, machine: Machine, name: str = "pci") -> None:
        self.router: LinkRouter | None = None
        """The ISA bridge puts itself here."""
        self.devices: dict[int, PciDevice] = {}
        """By 8 * slot + function."""
        super().__init__(machine, name)
        machine.ports.map(Region(f"{name} address", 4, self._read_address, self._write_address, (4,)), ADDRESS_PORT)
        machine.ports.map(Region(f"{name} data", 4, self._read_data, self._write_data, (1, 2, 4)), DATA_PORT)

    def add(self, device: PciDevice) -> None:
        """Plug a device in, before the guest runs. ValueError: there is no such slot, or it is taken."""
        if device.slot not in range(SLOTS) or device.function not in range(FUNCTIONS):
            raise ValueError(f"{device.name}: a PCI bus has no slot {device.slot}.{device.function}")
        place = FUNCTIONS * device.slot + device.function
        if place in self.devices:
            raise ValueError(f"{device.name}: {self.devices[place].name} is in PCI slot {device.slot} already")
        self.devices[place] = device

    def reset(self) -> None:
        """No pin is asserted, and everything is plugged in again."""
        self.state.address = self.state.asserted = self.state.absent = 0
        self.rewire()

    def unplug(self, device: PciDevice) -> None:
        """Take a device out, until the machine is reset: nobody finds it, and it does nothing."""
        self.state.absent |= self._bit(device)
        device.switch_off()

    def present(self, device: PciDevice) -> bool:
        """Whether a device is plugged in."""
        return not self.state.absent & self._bit(device)

    @staticmethod
    def _bit(device: PciDevice) -> int:
        return 1 << (FUNCTIONS * device.slot + device.function)

    # ---- interrupts ----

    def set_pin(self, device: PciDevice, level: bool) -> None:
        """A device drives its pin: hv.devices.pci.PciMachine.set_pci_irq()."""
        bit = self._bit(device)
        asserted = self.state.asserted | bit if level else self.state.asserted & ~bit
        if asserted != self.state.asserted:
            self.state.asserted = asserted
            self.rewire()

    def rewire(self) -> None:
        """Drive each line as the pins and the routing of the links want it now."""
        wanted = self._wanted()
        changed = wanted ^ self.state.driven
        self.state.driven = wanted
        while changed:
            line = (changed & -changed).bit_length() - 1
            changed &= changed - 1
            self.machine.set_irq(line, bool(wanted >> line & 1))

    def _wanted(self) -> int:
        lines, links = 0, self._links()
        for place, device in self.devices.items():
            pin = device.state.config[INTERRUPT_PIN] if self.state.asserted >> place & 1 else 0
            if 1 <= pin <= PINS:
                lines |= self._lines(device.slot, pin, links)
        return lines

    def lines_of(self, slot: int, pin: int) -> int:
        """The interrupt lines that a slot's pin (1 to 4) leads to now, a bit each."""
        return self._lines(slot, pin, self._links())

    def _lines(self, slot: int, pin: int, links: tuple[int, ...]) -> int:
        return (1 << self.wiring.gsi(slot, pin) | 1 << links[self.wiring.link(slot, pin)]) & ~(1 << NOWHERE)

    def _links(self) -> tuple[int, ...]:
        return self.router.link_interrupts() if self.router is not None else (NOWHERE,) * LINKS

    # ---- configuration space ----

    def _read_address(self, offset: int, size: int) -> int:
        return self.state.address

    def _write_address(self, offset: int, size: int, value: int) -> None:
        self.state.address = value & ADDRESS_BITS

    def _addressed(self) -> PciDevice | None:
        """Who the address register names; None: nobody, another bus, or it is not enabled."""
        address = self.state.address
        if not address & ENABLE or address >> 16 & 0xFF:
            return None
        place = address >> 8 & 0xFF
        return None if self.state.absent >> place & 1 else self.devices.get(place)

    def _read_data(self, offset: int, size: int) -> int:
        device = self._addressed()
        if device is None:
            return (1 << 8 * size) - 1
        return device.config_read((self.state.address & 0xFC) + offset, size)

    def _write_data(self, offset: int, size: int, value: int) -> None:
        device = self._addressed()
        if device is not None:
            device.config_write((self.state.address & 0xFC) + offset, size, value)
