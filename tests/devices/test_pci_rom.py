"""The expansion ROM of a PCI device: sized, mapped and read as a BIOS does it."""

import pytest

from hv.devices.pci import COMMAND, COMMAND_MEMORY, ROM_BAR, Identity, PciDevice
from tests.devices.machine import TestMachine

WHERE = 0xFEB00000
IMAGE = b"\x55\xaa\x08" + bytes(range(256)) * 12  # 3,075 bytes: a window of 4 KiB


class Card(PciDevice):
    IDENTITY = Identity(0x8086, 0x100E, 0x020000)


def card(machine: TestMachine, rom: bytes | None = IMAGE) -> Card:
    device = Card(machine, "card", 4)
    device.reset()
    if rom is not None:
        device.attach_rom(rom)
    return device


def enable(device: Card) -> None:
    device.config_write(ROM_BAR, 4, WHERE | 1)
    device.config_write(COMMAND, 2, COMMAND_MEMORY)


def test_a_bios_sizes_the_window() -> None:
    device = card(TestMachine())
    device.config_write(ROM_BAR, 4, 0xFFFFFFFE)
    assert device.config_read(ROM_BAR, 4) == 0xFFFFF000


def test_it_answers_only_while_both_enables_are_set() -> None:
    machine = TestMachine()
    device = card(machine)
    assert machine.memory.read(WHERE, 2) == 0xFFFF
    enable(device)
    assert machine.memory.read(WHERE, 2) == 0xAA55
    assert bytes(machine.memory.read(WHERE + i, 1) for i in range(len(IMAGE))) == IMAGE
    assert machine.memory.read(WHERE + len(IMAGE) + 1, 8) == 0xFFFFFFFFFFFFFFFF
    machine.memory.write(WHERE, 4, 0)
    assert machine.memory.read(WHERE, 4) == 0x0008AA55
    device.config_write(ROM_BAR, 4, WHERE)
    assert machine.memory.read(WHERE, 2) == 0xFFFF
    enable(device)
    device.config_write(COMMAND, 2, 0)
    assert machine.memory.read(WHERE, 2) == 0xFFFF


def test_a_snapshot_maps_it_again() -> None:
    machine, other = TestMachine(), TestMachine()
    device = card(machine)
    enable(device)
    copy = card(other)
    copy.load(device.save())
    assert other.memory.read(WHERE, 2) == 0xAA55
    copy.reset()
    assert other.memory.read(WHERE, 2) == 0xFFFF


def test_without_a_rom_the_register_is_hardwired_to_zero() -> None:
    device = card(TestMachine(), None)
    enable(device)
    assert device.config_read(ROM_BAR, 4) == 0


def test_a_rom_that_no_register_could_map_is_refused() -> None:
    with pytest.raises(ValueError, match="16 MiB is the most"):
        card(TestMachine(), bytes((16 << 20) + 1))
