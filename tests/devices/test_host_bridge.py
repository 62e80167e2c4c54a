"""The i440FX host bridge and the PIIX3 ISA bridge: PAM, SMRAM, and what firmware looks for."""

import random

from hv.devices.i440fx import SHADOW_RANGES, HostBridge
from hv.devices.pci_bus import PciBus
from hv.devices.piix3 import IsaBridge
from tests.devices.machine import TestMachine

ROM, RAM, READ_ONLY, WRITE_ONLY = (False, False), (True, True), (True, False), (False, True)


def test_identities_are_those_that_firmware_looks_for() -> None:
    machine = TestMachine()
    host, isa = HostBridge(machine), IsaBridge(machine, PciBus(machine))
    assert [host.config_read(at, 4) for at in (0x00, 0x08, 0x2C)] == [0x1237_8086, 0x0600_0002, 0x1100_1AF4]
    assert [isa.config_read(at, 4) for at in (0x00, 0x08, 0x0C)] == [0x7000_8086, 0x0601_0000, 0x0080_0000]


def test_the_ranges_cover_everything_once() -> None:
    pages = [page for one in SHADOW_RANGES for page in range(one.first, one.first + one.size, 4096)]
    assert sorted(pages) == list(range(0xC0000, 0x100000, 4096))
    assert len({(one.register, one.shift) for one in SHADOW_RANGES}) == 13


def test_pam_maps_ram_and_rom() -> None:
    """The way SeaBIOS goes: all of it writable, later read-only from the bottom up."""
    machine = TestMachine()
    host = HostBridge(machine)
    host.reset()
    assert set(machine.shadow.values()) == {ROM} and len(machine.shadow) == 64
    host.config_write(0x58, 4, 0x3333_3000)
    host.config_write(0x5C, 4, 0x3333_3333)
    assert set(machine.shadow.values()) == {RAM}
    host.config_write(0x5A, 1, 0x31)
    assert [machine.shadow[page] for page in (0xC0000, 0xC3000, 0xC4000, 0xC7000, 0xC8000)] == [
        READ_ONLY, READ_ONLY, RAM, RAM, RAM,
    ]  # fmt: skip
    host.config_write(0x59, 1, 0x2F)
    assert (machine.shadow[0xF0000], machine.shadow[0xEF000]) == (WRITE_ONLY, RAM)
    assert host.config_read(0x59, 1) == 0x20
    host.reset()
    assert set(machine.shadow.values()) == {ROM}


def test_only_what_changes_is_mapped_again_and_loading_maps_nothing() -> None:
    machine = TestMachine()
    host = HostBridge(machine)
    host.config_write(0x5F, 1, 0x30)
    assert set(machine.shadow) == {0xEC000, 0xED000, 0xEE000, 0xEF000}
    saved = host.save()
    machine.shadow.clear()
    host.config_write(0x5F, 1, 0x30)
    host.load(saved)
    assert machine.shadow == {}
    assert host.config_read(0x5F, 1) == 0x30


def test_smram_locks() -> None:
    host = HostBridge(TestMachine())
    host.config_write(0x72, 1, 0x4A)
    assert host.config_read(0x72, 1) == 0x4A
    host.config_write(0x72, 1, 0x58)
    assert host.config_read(0x72, 1) == 0x1A, "the lock closes it"
    host.config_write(0x72, 1, 0x60)
    assert host.config_read(0x72, 1) == 0x3A, "only D_CLS changes any more"
    host.reset()
    assert host.config_read(0x72, 1) == 0x02


def test_isa_bridge_registers_after_reset() -> None:
    machine = TestMachine()
    isa = IsaBridge(machine, PciBus(machine))
    isa.config_write(0x60, 4, 0x0B0B_0A0A)
    assert isa.link_interrupts() == (10, 10, 11, 11)
    isa.config_write(0x4E, 2, 0xFFFF)
    assert isa.config_read(0x4E, 2) == 0x01FF
    isa.reset()
    assert (isa.config_read(0x60, 4), isa.config_read(0x4E, 2)) == (0x8080_8080, 0x0003)
    assert isa.link_interrupts() == (0, 0, 0, 0)


def test_hostile_configuration_writes() -> None:
    machine, dice = TestMachine(), random.Random(1)
    for device in (HostBridge(machine), IsaBridge(machine, PciBus(machine))):
        device.reset()
        identity = device.config_read(0, 4)
        for _ in range(3000):
            size = dice.choice([1, 2, 4])
            device.config_write(dice.randrange(0, 257 - size), size, dice.getrandbits(8 * size))
        assert device.config_read(0, 4) == identity
        again = type(device)(machine) if isinstance(device, HostBridge) else IsaBridge(machine, PciBus(machine))
        again.load(device.save())
        assert again.canonical() == device.canonical()
