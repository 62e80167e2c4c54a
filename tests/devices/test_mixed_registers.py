"""Registers of different widths beside each other, met by accesses of every width."""

from dataclasses import dataclass
from typing import Any

from hv.devices.device import Device
from hv.devices.registers import Register, mixed_region
from tests.devices.machine import TestMachine


@dataclass
class State:
    byte: int = 0x11
    word: int = 0x2233
    causes: int = 0xF00F


class Thing(Device):
    State: type[Any] = State
    written = 0

    def note(self, value: int) -> None:
        self.written = value


TABLE = {
    0: (1, Register("byte", "byte", writable=0xFF)),
    2: (2, Register("word", "word", writable=0x0FFF, write=Thing.note)),
    4: (2, Register("causes", "causes", clears=0xFFFF)),
}


def thing() -> tuple[TestMachine, Thing]:
    machine = TestMachine()
    device = Thing(machine, "thing")
    machine.ports.map(mixed_region(device, "thing", 8, TABLE), 0x100)
    return machine, device


def test_reads_take_in_parts_and_neighbours() -> None:
    machine, _ = thing()
    assert [machine.inp(0x100, 4), machine.inp(0x103, 1), machine.inp(0x103, 2), machine.inp(0x104, 4)] == [
        0x22330011, 0x22, 0x0F22, 0x0000F00F,
    ]  # fmt: skip


def test_a_write_to_a_part_leaves_the_rest() -> None:
    machine, device = thing()
    machine.out(0x103, 0xFF)
    assert device.state.word == 0x2F33 and device.written == 0xFF33
    machine.out(0x102, 0x44)
    assert device.state.word == 0x2F44
    machine.out(0x104, 0x01)
    assert device.state.causes == 0xF00E
    machine.out(0x105, 0x10)
    assert device.state.causes == 0xE00E


def test_a_wide_write_reaches_all() -> None:
    machine, device = thing()
    machine.out(0x100, 0x05550077, 4)
    assert (device.state.byte, device.state.word) == (0x77, 0x2555)
