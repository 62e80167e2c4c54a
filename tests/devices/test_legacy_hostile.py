"""All devices of this family under a guest that accesses anything, in any width, at any time: never an exception, never
more than bounded state, and a copy of the state goes on as the original does."""

import random
from typing import Any

import pytest

from hv.devices import keys
from hv.devices.debug_ports import CONSOLES, DebugConsole, PostCode
from hv.devices.device import Device
from hv.devices.hpet import Hpet
from hv.devices.i8042 import I8042
from hv.devices.piix4_pm import Piix4Pm
from hv.devices.pit import Pit
from hv.devices.ps2_keyboard import Ps2Keyboard
from hv.devices.ps2_mouse import Ps2Mouse
from hv.devices.rtc import Rtc
from hv.devices.system_control import SystemControl
from hv.devices.ticks import SHORTEST_NS
from hv.devices.uart import COM1, COM2, Uart
from tests.devices.machine import TestMachine

PORTS = [
    *range(0x40, 0x44), 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92, 0xB2, 0xB3, 0xCF9, 0xE9, 0x12, 0x402,
    *range(0x2F8, 0x300), *range(0x3F8, 0x400), *range(0xAFE0, 0xAFE4), *range(0xB000, 0xB040),
]  # fmt: skip
INPUTS = [keys.typed("Hi!"), keys.chord("alt+print"), b"move 9 -300\nwheel 1\npress left", b"power-button"]
HPET_OFFSETS = [*range(0, 0x30, 4), 0xF0, 0xF4, *range(0x100, 0x168, 4)]


class Pc:
    """Everything at once."""

    def __init__(self) -> None:
        self.machine = TestMachine()
        machine = self.machine
        pit, rtc = Pit(machine), Rtc(machine, 1_704_067_200 * 10**9)
        keyboard, mouse, control = Ps2Keyboard(machine), Ps2Mouse(machine), SystemControl(machine)
        self.pm = Piix4Pm(machine)
        self.devices: list[Device] = [
            pit, rtc, Hpet(machine, (pit, rtc)), self.pm, keyboard, mouse, control,
            I8042(machine, keyboard, mouse, control), Uart(machine, "serial0", *COM1), Uart(machine, "serial1", *COM2),
            PostCode(machine), *(DebugConsole(machine, kind) for kind in CONSOLES),
        ]  # fmt: skip
        for device in self.devices:
            device.reset()
        self.pm.config_write(0x40, 4, 0xB001)
        self.pm.config_write(0x80, 1, 1)

    def copy(self) -> "Pc":
        other = Pc()
        mine, its = self.machine, other.machine
        its.now, its.lines, its.a20 = mine.now, dict(mine.lines), mine.a20
        its.deadlines.clear()
        copies = {device.name: device for device in other.devices}
        for device in self.devices:
            copies[device.name].load(device.save())
        for name, (when, _) in mine.deadlines.items():
            its.set_timer(copies[name], when)
        mine.edges.clear()
        its.edges.clear()
        mine.printed = its.printed = b""
        return other

    def act(self, source: random.Random) -> Any:
        """One step of a hostile guest and a nervous user."""
        machine, what, size = self.machine, source.random(), source.choice([1, 1, 1, 2, 4, 8])
        value = source.choice([0, 1, source.randrange(256), source.getrandbits(8 * size), (1 << 8 * size) - 1])
        value &= (1 << 8 * size) - 1
        if what < 0.35:
            return machine.out(source.choice(PORTS), value, min(size, 4))
        if what < 0.65:
            return machine.inp(source.choice(PORTS), min(size, 4))
        if what < 0.75:
            offset = source.choice(HPET_OFFSETS) + source.choice([0, 0, 0, 1])
            return machine.memory.write(0xFED00000 + offset, size, value)
        if what < 0.83:
            return machine.memory.read(0xFED00000 + source.choice(HPET_OFFSETS), size)
        if what < 0.86:
            return self.pm.config_write(source.randrange(256), source.choice([1, 2, 4]), value)
        if what < 0.9:
            return source.choice(self.devices).accept(source.choice([*INPUTS, value.to_bytes(8, "big")]))
        if what < 0.995:
            return machine.advance(int(10 ** source.uniform(0, 6)))
        return source.choice(self.devices).reset()


@pytest.mark.parametrize("seed", range(8))
def test_anything_goes_and_a_copy_goes_on_the_same(seed: int) -> None:
    source = random.Random(seed)
    pc = Pc()
    for _ in range(6):
        for _ in range(700):
            pc.act(source)
        other = pc.copy()
        again = source.getstate()
        first = [pc.act(source) for _ in range(300)]
        source.setstate(again)
        second = [other.act(source) for _ in range(300)]
        assert first == second
        assert pc.machine.edges == other.machine.edges and pc.machine.printed == other.machine.printed
        for device, copy in zip(pc.devices, other.devices, strict=True):
            assert device.canonical() == copy.canonical(), device.name
        assert {name: when for name, (when, _) in pc.machine.deadlines.items()} == {
            name: when for name, (when, _) in other.machine.deadlines.items()
        }
        assert all(len(device.canonical()) < 1 << 17 for device in pc.devices)


@pytest.mark.parametrize("seed", range(4))
def test_no_guest_gets_more_events_than_the_bound(seed: int) -> None:
    """Whatever was programmed, time passes with at most an event per SHORTEST_NS for each timer."""
    source = random.Random(100 + seed)
    pc = Pc()
    for _ in range(20):
        for _ in range(200):
            pc.act(source)
        pc.machine.edges.clear()
        pc.machine.advance(10**7)
        timers = 6  # counter 0, three comparators, the clock, and what the others have together
        assert len(pc.machine.edges) <= 2 * timers * (10**7 // SHORTEST_NS + 2)


def test_deadlines_are_never_in_the_past_for_long() -> None:
    """A device that is called sets its next deadline ahead of now, or none: time always moves on."""
    source = random.Random(77)
    pc = Pc()
    for _ in range(3000):
        pc.act(source)
        for name, (when, _) in pc.machine.deadlines.items():
            assert 0 < when < 1 << 63, name
