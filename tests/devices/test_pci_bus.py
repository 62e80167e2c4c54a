"""PCI bus 0: configuration mechanism #1, and shared interrupt lines through PIIX3's routing, as a driver uses them."""

import random
from typing import Any

import pytest

from hv.devices.bus import Region
from hv.devices.pci import COMMAND, COMMAND_INTX_OFF, Identity, PciDevice
from hv.devices.pci_bus import PIIX_WIRING, PciBus
from hv.devices.piix3 import IsaBridge
from tests.devices.machine import TestMachine

ADDRESS, DATA = 0xCF8, 0xCFC
PIRQA = 0x8000_0860


class BusMachine(TestMachine):
    """A machine whose pins are wired."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.bus = PciBus(self)
        self.bridge = IsaBridge(self, self.bus)
        self.bus.add(self.bridge)

    def set_pci_irq(self, device: PciDevice, level: bool) -> None:
        super().set_pci_irq(device, level)
        self.bus.set_pin(device, level)

    def high(self) -> list[int]:
        """Lines that are high."""
        return sorted(line for line, level in self.lines.items() if level)

    def config(self, address: int, value: int, size: int = 4) -> None:
        """Write configuration space."""
        self.out(ADDRESS, address & ~3, 4)
        self.out(DATA + address % 4, value, size)

    def plug(self, slot: int, pin: int = 1, function: int = 0) -> PciDevice:
        """A device with an interrupt pin."""

        class Card(PciDevice):
            IDENTITY = Identity(0x1234, 0x5678, 0x020000, pin=pin)

        card = Card(self, f"card {slot}.{function}", slot, function)
        card.reset()
        self.bus.add(card)
        return card


def test_configuration_space_is_read_at_every_width() -> None:
    machine = BusMachine()
    machine.plug(4)
    machine.out(ADDRESS, 0x8000_2000, 4)
    assert machine.inp(ADDRESS, 4) == 0x8000_2000
    assert machine.inp(DATA, 4) == 0x5678_1234
    assert [machine.inp(DATA + i, 2) for i in (0, 2)] == [0x1234, 0x5678]
    assert [machine.inp(DATA + i) for i in range(4)] == [0x34, 0x12, 0x78, 0x56]
    assert machine.inp(DATA + 1, 2) == 0x7812


@pytest.mark.parametrize(("address", "why"), [
    (0x0000_2000, "not enabled"), (0x8001_2000, "bus 1"), (0x8000_2100, "no such function"), (0x8000_2800, "no slot"),
])  # fmt: skip
def test_nobody_answers(address: int, why: str) -> None:
    machine = BusMachine()
    card = machine.plug(4)
    machine.out(ADDRESS, address, 4)
    assert machine.inp(DATA, 4) == 0xFFFF_FFFF, why
    machine.out(DATA, 0xFFFF_FFFF, 4)
    assert card.command == 0


def test_the_address_takes_a_double_word_only() -> None:
    machine = BusMachine()
    machine.out(ADDRESS, 0xFFFF_FFFF, 4)
    assert machine.inp(ADDRESS, 4) == 0x80FF_FFFC
    machine.out(ADDRESS, 0, 2)
    machine.out(ADDRESS, 0, 1)
    assert machine.inp(ADDRESS, 4) == 0x80FF_FFFC
    reset = Region("reset control", 1, lambda offset, size: 0x55, lambda offset, size, value: None)
    machine.ports.map(reset, 0xCF9)
    assert machine.inp(0xCF9) == 0x55
    machine.out(ADDRESS, 0x8000_0800, 4)
    assert machine.inp(DATA, 4) == 0x7000_8086


def test_two_devices_need_two_places() -> None:
    machine = BusMachine()
    machine.plug(4)
    with pytest.raises(ValueError, match="in PCI slot 4 already"):
        machine.plug(4)
    with pytest.raises(ValueError, match=r"no slot 32\.0"):
        machine.plug(32)


def test_inputs_are_those_of_xen_and_links_those_of_the_piix3() -> None:
    """hvm_pci_intx_gsi(); SeaBIOS's $PIR table begins with PIRQA for slot 1, INTA."""
    assert [PIIX_WIRING.gsi(slot, pin) for slot, pin in ((0, 1), (3, 1), (4, 1), (7, 4), (8, 1), (31, 4))] == [
        16, 28, 32, 47, 17, 16 + ((31 * 4 + 3 + 3) & 31),
    ]  # fmt: skip
    assert [PIIX_WIRING.link(3, pin) for pin in (1, 2, 3, 4)] == [2, 3, 0, 1]
    assert [PIIX_WIRING.link(slot, 1) for slot in (1, 2, 3, 4, 5)] == [0, 1, 2, 3, 0]


def test_a_pin_reaches_the_ioapic_and_the_routed_isa_interrupt() -> None:
    machine = BusMachine()
    card = machine.plug(4)
    machine.bridge.reset()
    card.set_irq(True)
    assert machine.high() == [32]
    machine.config(PIRQA + 3, 11, 1)
    assert machine.high() == [11, 32]
    machine.config(PIRQA + 3, 0x80 | 11, 1)
    assert machine.high() == [32]
    machine.config(PIRQA + 3, 10, 1)
    machine.config(0x8000_2000 + COMMAND, COMMAND_INTX_OFF, 2)
    assert machine.high() == []
    machine.config(0x8000_2000 + COMMAND, 0, 2)
    assert machine.high() == [10, 32]


@pytest.mark.parametrize("irq", [0, 1, 2, 8, 13])
def test_reserved_interrupts_are_not_routed(irq: int) -> None:
    machine = BusMachine()
    machine.plug(1, function=2).set_irq(True)
    machine.config(PIRQA, irq, 1)
    assert machine.high() == [20]


def test_lines_are_shared() -> None:
    """Slots 1 and 5 share PIRQA; two functions of a slot share all; two links may lead to one interrupt."""
    machine = BusMachine()
    one, other, third = machine.plug(1, function=2), machine.plug(5), machine.plug(2)
    machine.config(PIRQA, 0x0A0A, 2)
    for card in (one, other, third):
        card.set_irq(True)
    assert machine.high() == [10, 20, 24, 36]
    machine.edges.clear()
    one.set_irq(False)
    other.set_irq(False)
    assert (machine.high(), machine.edges) == ([10, 24], [(20, False), (36, False)])
    third.set_irq(False)
    assert machine.high() == []
    same = [machine.plug(6), machine.plug(6, function=1)]
    for card in same:
        card.set_irq(True)
    same[0].set_irq(False)
    assert machine.high() == [10, 40]
    same[1].set_irq(False)
    assert machine.high() == []


def test_a_device_without_a_pin_drives_nothing() -> None:
    machine = BusMachine()
    machine.plug(3, pin=0).set_irq(True)
    assert machine.high() == []


def test_reset_lowers_the_lines() -> None:
    machine = BusMachine()
    machine.config(PIRQA + 2, 5, 1)
    machine.plug(3).set_irq(True)
    assert machine.high() == [5, 28]
    machine.bus.reset()
    assert machine.high() == []
    assert machine.inp(ADDRESS, 4) == 0


def _random_driver(machine: BusMachine, dice: random.Random, steps: int) -> list[Any]:
    seen: list[Any] = []
    cards = [device for device in machine.bus.devices.values() if device is not machine.bridge]
    for _ in range(steps):
        match dice.randrange(4):
            case 0:
                dice.choice(cards).set_irq(dice.random() < 0.5)
            case 1:
                address = 0x8000_0000 | dice.choice([0, 0x0800, 0x2000, 0x2800, 0xFFFFF0]) | dice.randrange(256)
                machine.config(address, dice.getrandbits(32), 4)
            case 2:
                port, size = dice.randrange(ADDRESS, DATA + 4), dice.choice([1, 2, 4])
                machine.out(port, dice.getrandbits(8 * size), size)
            case _:
                seen.append(machine.inp(dice.randrange(ADDRESS, DATA + 4), dice.choice([1, 2, 4])))
        assert all(0 < line < 48 for line in machine.lines)
    return [*seen, machine.lines]


def test_hostile_accesses_and_saving_in_between() -> None:
    def fresh() -> BusMachine:
        machine = BusMachine()
        for slot in (4, 5, 9):
            machine.plug(slot, pin=slot % 4 + 1)
        return machine

    for seed in range(10):
        first, second, dice = fresh(), fresh(), random.Random(seed)
        _random_driver(first, dice, 300)
        for mine, other in zip(first.bus.devices.values(), second.bus.devices.values(), strict=True):
            other.load(mine.save())
        second.bus.load(first.bus.save())
        second.lines = dict(first.lines)
        state = dice.getstate()
        going_on = _random_driver(first, dice, 300)
        dice.setstate(state)
        assert _random_driver(second, dice, 300) == going_on
        assert second.bus.canonical() == first.bus.canonical()
