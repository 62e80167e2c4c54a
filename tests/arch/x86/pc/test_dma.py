"""Where a card's rings reach memory of a real machine: at the end of all addresses, too."""

from __future__ import annotations

import struct

from hv.devices.e1000 import E1000
from hv.devices.pci_bus import PciBus
from hv.devices.platform import Platform
from hv.hypervisor import Hypervisor
from tests.devices.e1000_driver import BASE, EOP, MAC, RCTL, RDBAL, RDH, RDLEN, RDT, RS, TCTL, TDBAL, TDH, TDLEN, TDT

TOP = 0xFFFFFFFFFFFFFFF0
BUFFER = 0x4000


class Card:
    """An 82540EM in a domain, bus master."""

    def __init__(self) -> None:
        self.domain = Hypervisor(memory_mib=8).create_domain("pc", memory_mib=4, kind="hvm")
        self.domain.map_frames(0, list(self.domain.alloc_frames(8)))
        self.platform = Platform(self.domain)
        self.platform.add(PciBus(self.platform))
        self.nic = E1000(self.platform, "nic0", 4, MAC)
        self.platform.add_pci(self.nic)
        self.platform.reset()
        self.nic.config_write(0x10, 4, BASE)
        self.nic.config_write(0x04, 2, 7)

    def put(self, register: int, value: int) -> None:
        self.platform.memory.write(BASE + register, 4, value)

    def get(self, register: int) -> int:
        return self.platform.memory.read(BASE + register, 4)

    def ring(self, base: int, where: int) -> None:
        """A ring of 256 descriptors."""
        self.put(base, where & 0xFFFFFFFF)
        self.put(base + 4, where >> 32)
        self.put(base + 8, 0x1000)


def test_a_transmit_ring_at_the_end_of_all_addresses_goes_on_at_0() -> None:
    card = Card()
    assert (TDLEN, RDLEN) == (TDBAL + 8, RDBAL + 8)
    card.domain.write_physical(0, struct.pack("<QII", BUFFER, 60 | (EOP | RS) << 24, 0))
    card.ring(TDBAL, TOP)
    card.put(TDH, 1)
    card.put(TCTL, 2)
    card.put(TDT, 2)
    assert card.get(TDH) == 2
    assert card.domain.read_physical(12, 1) == b"\x01"


def test_a_transmit_ring_across_the_end() -> None:
    card = Card()
    card.ring(TDBAL, TOP)
    card.put(TDH, 1)
    card.put(TCTL, 2)  # the tail is 0: the ring up to its end
    assert card.get(TDH) == 0


def test_a_receive_ring_at_the_end_of_all_addresses_goes_on_at_0() -> None:
    card = Card()
    card.domain.write_physical(0, struct.pack("<QQ", BUFFER, 0))
    card.ring(RDBAL, TOP)
    card.put(RDH, 1)
    card.put(RDT, 9)
    card.put(RCTL, 0x8002)
    card.nic.accept(b"\xff" * 6 + MAC + b"\x08\x06" + b"frame" * 10)
    assert card.get(RDH) == 2
    assert card.domain.read_physical(BUFFER, 12) == b"\xff" * 6 + MAC
    assert card.domain.read_physical(12, 1)[0] & 1
