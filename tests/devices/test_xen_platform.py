"""The Xen platform device: the protocol of its ports, and what is gone when it was told to unplug."""

from pathlib import Path

import pytest

from hv.devices.ata_disk import HardDisk
from hv.devices.atapi import CdRom
from hv.devices.e1000 import E1000
from hv.devices.ide import Ide
from hv.devices.nic import NicDevice
from hv.devices.rtl8139 import Rtl8139
from hv.devices.xen_platform import BLACKLISTED, DISKS, MAGIC, MEMORY, NICS, OTHER_DISKS, PORT, REGISTERS, XenPlatform
from tests.devices.ata_driver import disk_of
from tests.devices.test_pci_bus import ADDRESS, DATA, BusMachine

MAC = bytes.fromhex("001600000001")
IO, MMIO, CARD_IO = 0xC000, 0xF0000000, 0xC400


class Pc(BusMachine):
    """IDE with two hard disks and a CD-ROM drive, both cards, and the platform device; `heard`: what it has told."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        super().__init__()
        drives = [HardDisk(disk_of(folder, b"\1" * 5120, "a")), HardDisk(disk_of(folder, b"\2" * 5120, "b"))]
        self.ide = Ide(self, [*drives, CdRom()])
        self.nics: list[NicDevice] = [E1000(self, "nic0", 4, MAC), Rtl8139(self, "nic1", 5, MAC)]
        self.heard: list[str] = []
        for device in (self.ide, *self.nics):
            self.bus.add(device)
        self.platform = XenPlatform(self, self.bus)
        self.bus.add(self.platform)
        self.platform.unplugged = lambda: self.heard.append("unplugged")
        self.platform.was_reset = lambda: self.heard.append("reset")

    def found(self, slot: int, function: int = 0) -> int:
        """What configuration space says of who is there."""
        self.out(ADDRESS, 0x8000_0000 | slot << 11 | function << 8, 4)
        return self.inp(DATA, 4)

    def drives(self) -> list[bool]:
        """Which of the three drives are there."""
        return [drive.state.present for drive in self.ide.drives if drive is not None]


@pytest.fixture
def pc(tmp_path: Path) -> Pc:
    return Pc(tmp_path)


def test_what_it_is(pc: Pc) -> None:
    assert pc.found(3) == 0x0001_5853
    pc.config(0x8000_1810, IO)
    pc.config(0x8000_1814, MMIO)
    assert pc.ports.find(IO + REGISTERS - 1) is not None and pc.memory.find(MMIO + MEMORY - 1) is not None
    assert pc.memory.read(MMIO + 0x5000, 8) == 0
    pc.memory.write(MMIO + 0x5000, 8, 77)
    assert pc.memory.read(MMIO + 0x5000, 8) == 0
    pc.config(0x8000_1808, 0xFFFFFFFF)
    assert pc.platform.config_read(8, 4) == 0xFF800001 and pc.platform.config_read(0x2C, 4) == 0x0001_5853


def test_the_ports_by_width(pc: Pc) -> None:
    assert pc.inp(PORT, 2) == MAGIC and pc.inp(PORT + 2) == 1
    assert pc.inp(PORT, 4) == 0xFFFFFFFF and pc.inp(PORT + 4) == 0xFF and pc.inp(PORT + 2, 2) == 0xFFFF
    pc.out(PORT, 0xFF)
    assert pc.inp(PORT) == 1  # the flag alone
    for byte in b"a line\n":
        pc.out(PORT + 2, byte)
    assert pc.printed == b"a line\n"
    assert not pc.heard and pc.drives() == [True] * 3


def test_drivers_that_are_blacklisted(pc: Pc) -> None:
    pc.platform.blacklisted = lambda product, build: (product, build) == (3, 0x12345)
    pc.out(PORT + 2, 3, 2)
    pc.out(PORT, 0x12344, 4)
    assert pc.inp(PORT, 2) == MAGIC
    pc.out(PORT, 0x12345, 4)
    assert pc.inp(PORT, 2) == BLACKLISTED and pc.platform.state.build == 0x12345
    saved = pc.platform.save()
    pc.platform.reset()
    assert pc.inp(PORT, 2) == MAGIC and pc.heard == ["reset"]
    pc.platform.load(saved)
    assert pc.inp(PORT, 2) == BLACKLISTED


@pytest.mark.parametrize(
    ("mask", "drives", "cards"),
    [
        (DISKS, [False, False, True], True),
        (OTHER_DISKS, [True, False, True], True),
        (DISKS | OTHER_DISKS, [False, False, True], True),
        (NICS, [True, True, True], False),
        (0xFFFF, [False, False, True], False),
        (0xFFF8, [True, True, True], True),
    ],
)
def test_unplugging(pc: Pc, mask: int, drives: list[bool], cards: bool) -> None:
    pc.out(PORT, mask, 2)
    assert pc.drives() == drives and pc.heard == ["unplugged"]
    assert [pc.found(slot) == 0xFFFFFFFF for slot in (4, 5)] == [not cards] * 2
    assert pc.found(1, 1) == 0x70108086 and pc.found(3) == 0x0001_5853  # the controller has the CD-ROM drive
    for device in (pc.bus, pc.ide, *pc.nics, pc.platform):
        device.reset()
    assert pc.drives() == [True] * 3 and pc.found(4) == 0x100E8086


@pytest.mark.parametrize(
    ("register", "value", "what"), [(4, 1, "dn"), (8, 1, "d"), (8, 2, "n"), (4, 2, ""), (8, 3, "")]
)
def test_how_drivers_unplugged_before_there_was_a_protocol(pc: Pc, register: int, value: int, what: str) -> None:
    pc.config(0x8000_1810, IO)
    pc.out(IO + register, value)
    assert pc.drives() == ["d" not in what, "d" not in what, True]
    assert (pc.found(4) == 0xFFFFFFFF) == ("n" in what) and bool(pc.heard) == bool(what)


def test_a_card_that_is_gone_does_nothing(pc: Pc) -> None:
    card = pc.nics[1]
    pc.config(0x8000_2810, CARD_IO)
    pc.config(0x8000_2804, 0x7, 2)
    card.set_irq(True)
    assert pc.ports.find(CARD_IO) is not None and pc.bus.state.driven
    saved = pc.bus.save(), card.save()
    pc.out(PORT, NICS, 2)
    assert pc.ports.find(CARD_IO) is None and not pc.bus.state.driven
    card.set_irq(True)
    card.dma_write(0x1000, b"lost")
    pc.config(0x8000_2804, 0x7, 2)
    assert not pc.bus.state.driven and pc.ram[0x1000] == 0 and card.dma_read(0x1000, 2) == b"\xff\xff"
    assert not pc.bus.present(card)
    after = pc.bus.save(), card.save()
    pc.bus.load(saved[0])
    card.load(saved[1])
    assert pc.bus.present(card) and pc.ports.find(CARD_IO) is not None
    pc.bus.load(after[0])
    card.load(after[1])
    assert not pc.bus.present(card) and pc.ports.find(CARD_IO) is None
