"""The HPET, as Linux's driver and others use it."""

import pytest

from hv.devices.hpet import Hpet
from hv.devices.pit import Pit
from hv.devices.rtc import Rtc
from hv.devices.ticks import SHORTEST_NS
from tests.devices.machine import TestMachine

BASE, TICK = 0xFED00000, 10
CONFIGURATION, STATUS, COUNTER = 0x10, 0x20, 0xF0
LEVEL, INTERRUPT, PERIODIC, SET_VALUE, NARROW = 0x02, 0x04, 0x08, 0x40, 0x100


@pytest.fixture
def machine() -> TestMachine:
    machine = TestMachine()
    Hpet(machine).reset()
    return machine


def get(machine: TestMachine, offset: int, size: int = 8) -> int:
    return machine.memory.read(BASE + offset, size)


def put(machine: TestMachine, offset: int, value: int, size: int = 8) -> None:
    machine.memory.write(BASE + offset, size, value)


def timer(number: int) -> int:
    return 0x100 + 0x20 * number


def route(line: int) -> int:
    return line << 9


def test_capabilities(machine: TestMachine) -> None:
    assert get(machine, 0) == 10_000_000 << 32 | 0x8086A201
    assert get(machine, 4, 4) == 10_000_000
    assert get(machine, timer(2)) == 0x00F00000_00000030


def test_the_counter_stands_until_it_is_enabled(machine: TestMachine) -> None:
    machine.advance(10**6)
    assert get(machine, COUNTER) == 0
    put(machine, COUNTER, 0xFFFFFFF0)
    put(machine, CONFIGURATION, 1)
    machine.advance(32 * TICK)
    assert get(machine, COUNTER) == 0x100000010
    assert get(machine, COUNTER + 4, 4) == 1
    put(machine, CONFIGURATION, 0)
    machine.advance(10**6)
    assert get(machine, COUNTER) == 0x100000010
    assert machine.deadlines == {}


def test_one_shot_by_edge(machine: TestMachine) -> None:
    put(machine, timer(0), INTERRUPT | route(20))
    put(machine, timer(0) + 8, 1000)
    put(machine, CONFIGURATION, 1)
    machine.edges.clear()
    machine.advance(1000 * TICK - 1)
    assert machine.edges == []
    machine.advance(1)
    assert machine.edges == [(20, True), (20, False)]
    machine.advance(10**12)
    assert len(machine.edges) == 2 and machine.deadlines == {}


def test_a_narrow_comparator_comes_round(machine: TestMachine) -> None:
    put(machine, timer(1), INTERRUPT | NARROW | route(21))
    put(machine, COUNTER, 2000)
    put(machine, timer(1) + 8, 1000)
    put(machine, CONFIGURATION, 1)
    machine.edges.clear()
    machine.advance(((1 << 32) - 1000) * TICK - 1)
    assert machine.edges == []
    machine.advance(1)
    assert machine.edges == [(21, True), (21, False)]
    machine.advance((1 << 32) * TICK)
    assert len(machine.edges) == 4


def start_periodic(machine: TestMachine, number: int, period: int, flags: int) -> None:
    """As Linux does: configuration with SET_VALUE, the first match, the period."""
    put(machine, timer(number), INTERRUPT | PERIODIC | SET_VALUE | NARROW | flags, 4)
    put(machine, timer(number) + 8, (get(machine, COUNTER, 4) + period) & 0xFFFFFFFF, 4)
    put(machine, timer(number) + 8, period, 4)


def test_periodic_does_not_drift(machine: TestMachine) -> None:
    put(machine, CONFIGURATION, 1)
    start_periodic(machine, 0, 100_003, route(22))
    machine.edges.clear()
    for _ in range(100):
        machine.advance(10**8)
    assert machine.edges.count((22, True)) == 10**10 // (100_003 * TICK)
    assert get(machine, timer(0) + 8) == (10**9 // 100_003 + 1) * 100_003 & 0xFFFFFFFF
    assert machine.deadlines["hpet"][0] == (10**9 // 100_003 + 1) * 100_003 * TICK


def test_a_very_fast_timer_is_bounded_and_in_phase(machine: TestMachine) -> None:
    put(machine, CONFIGURATION, 1)
    start_periodic(machine, 0, 3, route(23))
    machine.edges.clear()
    machine.advance(10**7)
    assert 10**7 // SHORTEST_NS - 10 < machine.edges.count((23, True)) <= 10**7 // SHORTEST_NS
    assert machine.deadlines["hpet"][0] // TICK % 3 == 0
    machine.advance(5 * TICK)
    value = get(machine, timer(0) + 8)
    assert value % 3 == 0 and 0 < value - get(machine, COUNTER) <= 3


def test_a_period_of_zero_is_none(machine: TestMachine) -> None:
    put(machine, CONFIGURATION, 1)
    start_periodic(machine, 0, 0, route(23))
    machine.edges.clear()
    machine.advance(10**9)
    assert len(machine.edges) <= 2


def test_a_level_stays_until_it_is_cleared(machine: TestMachine) -> None:
    put(machine, CONFIGURATION, 1)
    start_periodic(machine, 2, 1000, LEVEL | route(20))
    machine.advance(1000 * TICK)
    assert machine.lines[20] and get(machine, STATUS) == 4
    assert machine.deadlines == {}
    put(machine, STATUS, 3, 4)
    assert machine.lines[20]
    put(machine, STATUS, 4, 4)
    assert not machine.lines[20] and get(machine, STATUS) == 0
    machine.advance(1000 * TICK)
    assert machine.lines[20]
    put(machine, timer(2), 0)
    assert not machine.lines[20]


def test_status_is_found_out_though_nothing_interrupts(machine: TestMachine) -> None:
    put(machine, timer(0), LEVEL)
    put(machine, timer(0) + 8, 500)
    put(machine, CONFIGURATION, 1)
    machine.advance(499 * TICK)
    assert get(machine, STATUS) == 0
    machine.advance(TICK)
    assert get(machine, STATUS) == 1 and machine.deadlines == {}


def test_legacy_replacement_takes_interrupts_0_and_8() -> None:
    machine = TestMachine()
    pit, rtc = Pit(machine), Rtc(machine, 0)
    hpet = Hpet(machine, (pit, rtc))
    machine.out(0x43, 0x34)
    machine.out(0x40, 0xE8)
    machine.out(0x40, 0x03)
    machine.advance(10**7)
    put(machine, CONFIGURATION, 3)
    start_periodic(machine, 0, 50_000, 0)
    start_periodic(machine, 1, 70_000, 0)
    machine.edges.clear()
    machine.advance(3_500_000)
    assert machine.edges.count((0, True)) == 7 and machine.edges.count((8, True)) == 5
    assert machine.lines[0] and machine.lines[8]
    hpet.reset()
    assert not machine.lines[8]
    machine.edges.clear()
    machine.advance(10**7)
    assert machine.edges.count((0, True)) > 10


def test_only_offered_routes_are_wired(machine: TestMachine) -> None:
    put(machine, timer(0), INTERRUPT | route(5))
    put(machine, timer(0) + 8, 10)
    put(machine, CONFIGURATION, 1)
    machine.edges.clear()
    machine.advance(10**6)
    assert machine.edges == []


def test_halves_are_written_apart(machine: TestMachine) -> None:
    put(machine, timer(0) + 12, 5, 4)
    put(machine, timer(0) + 8, 7, 4)
    assert get(machine, timer(0) + 8) == 5 << 32 | 7
    put(machine, COUNTER + 4, 9, 4)
    assert get(machine, COUNTER) == 9 << 32


def test_saved_in_the_middle_it_goes_on_the_same(machine: TestMachine) -> None:
    put(machine, CONFIGURATION, 1)
    start_periodic(machine, 0, 777, route(20))
    start_periodic(machine, 1, 1234, LEVEL | route(21))
    machine.advance(12_345)
    other = TestMachine()
    copy = Hpet(other)
    hpet = machine.deadlines["hpet"][1]
    copy.load(hpet.save())
    other.now, other.lines = machine.now, dict(machine.lines)
    other.set_timer(copy, machine.deadlines["hpet"][0])
    machine.edges.clear()
    for one in (machine, other):
        one.advance(10**6)
        put(one, STATUS, 7)
        one.advance(10**6)
    assert machine.edges == other.edges and len(machine.edges) > 100
    assert hpet.canonical() == copy.canonical()
