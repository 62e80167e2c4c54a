"""The PIIX3 ISA bridge, 0:1.0: where the four PCI interrupt links lead, and registers that are only kept.

The edge or level registers (ELCR, ports 0x4d0 and 0x4d1) are the interrupt controllers' (native/xen/x86/hvm/pic.c).

Source: Intel 82371SB (PIIX3) data sheet, section 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hv.devices.pci import COMMAND, QEMU_SUBSYSTEM, STATUS, Identity, PciDevice, PciMachine
from hv.devices.pci_bus import LINKS, NOWHERE, PciBus

PIRQRC = 0x60
"""PIRQ route control, one byte a link: bits 3:0 are the interrupt, bit 7 says that there is none."""
PIRQ_OFF = 0x80
FORBIDDEN = frozenset({0, 1, 2, 8, 13})
"""Interrupts that no link may have: the registers' reserved values."""


class Kept(NamedTuple):
    """A byte of configuration space: after a reset, and which bits a guest may change."""

    first: int
    writable: int


REGISTERS = {
    0x4C: Kept(0x4D, 0x7F),  # IORT: ISA I/O recovery
    0x4E: Kept(0x03, 0xFF),  # XBCS: which chip selects of the X-bus are decoded
    0x4F: Kept(0x00, 0x01),
    **dict.fromkeys(range(PIRQRC, PIRQRC + LINKS), Kept(PIRQ_OFF, PIRQ_OFF | 0x0F)),
    0x69: Kept(0x02, 0xFE),  # TOM: top of memory for ISA masters
    0x70: Kept(0x80, 0xEF),  # MBIRQ0: main board interrupt
    0x76: Kept(0x0C, 0x8F),  # MBDMA0, MBDMA1: main board DMA
    0x77: Kept(0x0C, 0x8F),
    0x78: Kept(0x02, 0xFF),  # PCSC: programmable chip select
    0x79: Kept(0x00, 0xFF),
    0x80: Kept(0x00, 0x7F),  # APICBASE
    0x82: Kept(0x00, 0x0F),  # DLC: passive release, delayed transactions
}


class IsaBridge(PciDevice):
    """The ISA bridge; it says where the links of `bus` lead."""

    IDENTITY = Identity(0x8086, 0x7000, 0x060100, 0, *QEMU_SUBSYSTEM, multifunction=True)
    WRITABLE: Mapping[int, int] = {at: kept.writable for at, kept in REGISTERS.items()}

    def __init__(self, machine: PciMachine, bus: PciBus, name: str = "isa-bridge") -> None:
        super().__init__(machine, name, slot=1)
        self.state.config = self.first_config()
        self._bus = bus
        bus.router = self

    def first_config(self) -> bytes:
        """Configuration space after a reset: no link leads anywhere."""
        config = bytearray(super().first_config())
        config[COMMAND] = 0x07
        config[STATUS : STATUS + 2] = 0x0200.to_bytes(2, "little")
        for at, kept in REGISTERS.items():
            config[at] = kept.first
        return bytes(config)

    def reset(self) -> None:
        """Power on, or the reset line."""
        super().reset()
        self._bus.rewire()

    def link_interrupts(self) -> tuple[int, ...]:
        """The ISA interrupt of each link, or NOWHERE."""
        return tuple(
            NOWHERE if route & PIRQ_OFF or route in FORBIDDEN else route
            for route in self.state.config[PIRQRC : PIRQRC + LINKS]
        )

    def config_changed(self, before: bytes) -> None:
        """A new route moves what is asserted to the new line."""
        super().config_changed(before)
        if self.state.config[PIRQRC : PIRQRC + LINKS] != before[PIRQRC : PIRQRC + LINKS]:
            self._bus.rewire()
            self.machine.links_moved()
