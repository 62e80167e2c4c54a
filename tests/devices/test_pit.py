"""The 8254: by ports as a driver programs it, and against a model that counts clock by clock."""

import itertools
import random

import pytest

from hv.devices.pit import Pit
from hv.devices.pit_channel import BOTH_BYTES, NONE, Counter
from hv.devices.ticks import PIT_CLOCK, SHORTEST_NS
from tests.devices.machine import TestMachine

IRQ0 = 0


class CountingModel:
    """A counter as the data sheet tells it, one clock after the other."""

    def __init__(self, mode: int, count: int, gate: bool) -> None:
        self.mode, self.reload, self.gate = mode, count, gate
        self.out = mode != 0
        self.value = 0
        self.load = mode not in (1, 5)  # the next clock loads the counting element
        self.running = False
        self.done = False

    def write(self, count: int) -> None:
        self.reload = count
        if self.mode in (0, 4):
            self.load, self.done = True, False
            self.out = self.mode != 0

    def set_gate(self, level: bool) -> None:
        rising, self.gate = level and not self.gate, level
        if rising and self.mode in (1, 2, 3, 5):
            self.load, self.done = True, False
        if not level and self.mode in (2, 3):
            self.out = True

    def clock(self) -> None:
        if self.load:
            if self.mode in (2, 3) and not self.gate:
                return
            self.load, self.running, self.done = False, True, False
            self.value = self.reload
            self.half, self.high = (self.reload + 1) // 2, True
            self.out = {0: False, 1: False}.get(self.mode, True)
            return
        if not self.running or (not self.gate and self.mode not in (1, 5)):
            return
        self.value = (self.value - 1) % 0x10000
        if self.mode in (0, 1):
            self.out = self.out or self.value == 0
        elif self.mode == 2:
            self.out = self.value != 1
            if self.value == 0:
                self.value, self.out = self.reload, True
        elif self.mode == 3:
            self.half -= 1
            if self.half == 0:
                self.high = self.out = not self.out
                self.half = (self.reload + 1) // 2 if self.high else self.reload // 2
        else:
            self.out = self.done or self.value != 0
            self.done = self.done or self.value == 0


@pytest.mark.parametrize("mode", range(6))
def test_each_mode_is_as_a_model_that_counts(mode: int) -> None:
    random_source = random.Random(mode)
    for _ in range(60):
        count = random_source.choice([2, 3, 4, 5, 7, 8, 20])
        gate = random_source.random() < 0.7
        counter = Counter(gate=gate).control(mode, 1, False).write(0, count)
        model = CountingModel(mode, count, gate)
        for tick in range(1, 120):
            model.clock()
            counter = counter.settled(tick)
            assert counter.output(tick) == model.out, (mode, count, tick)
            if mode != 3 and model.running and not model.load and not model.done:
                assert counter.value(tick) == model.value, (mode, count, tick)
            what = random_source.random()
            if what < 0.04:
                gate = not gate
                counter = counter.set_gate(tick, gate)
                model.set_gate(gate)
            elif what < 0.08:
                count = random_source.choice([2, 3, 4, 6, 9])
                counter = counter.write(tick, count)
                model.write(count)


def test_a_square_wave_counts_by_twos() -> None:
    counter = Counter().control(3, BOTH_BYTES, False).write(0, 8).write(0, 0)
    assert [counter.value(tick) for tick in range(1, 10)] == [8, 6, 4, 2, 8, 6, 4, 2, 8]
    assert [counter.output(tick) for tick in range(1, 9)] == [True] * 4 + [False] * 4


def test_the_next_rise_is_the_next_rise() -> None:
    for mode in (0, 2, 3, 4):
        counter = Counter().control(mode, 1, False).write(5, 13)
        for tick in range(5, 60):
            rise = counter.next_rise(tick)
            seen = [t for t in range(tick + 1, 100) if counter.output(t) and not counter.output(t - 1) and t > 6]
            assert rise == (seen[0] if seen else NONE), (mode, tick)


def test_the_output_stays_until_it_may_change() -> None:
    rng = random.Random(3)
    for _ in range(300):
        counter = Counter(gate=rng.random() < 0.7).control(rng.randrange(6), 1, False)
        counter = counter.write(0, rng.choice([2, 3, 5, 9]))
        for tick in range(1, 40):
            counter = counter.settled(tick)
            if rng.random() < 0.1:
                counter = counter.set_gate(tick, not counter.gate)
            if rng.random() < 0.1:
                counter = counter.write(tick, rng.choice([2, 4, 7]))
            change, now = counter.next_change(tick), counter.output(tick)
            until = tick + 40 if change == NONE else change
            assert tick < until and all(counter.output(later) == now for later in range(tick, until)), (counter, tick)


def test_a_periodic_output_changes_when_it_says() -> None:
    for mode, edges in ((2, [12, 13, 25, 26]), (3, [7, 13, 20, 26])):
        counter = Counter().control(mode, 1, False).write(-1, 13)
        assert sorted({counter.next_change(tick) for tick in range(26)}) == edges


def test_bcd_counts_in_decimal_digits() -> None:
    counter = Counter().control(0, BOTH_BYTES, True).write(0, 0x00).write(0, 0x10)
    assert counter.value(1) == 0x1000
    assert counter.value(2) == 0x0999
    assert counter.value(1002) == 0x9999
    assert Counter().control(2, BOTH_BYTES, True).write(0, 0).write(0, 0).initial == 10_000


# ---- by ports ----


@pytest.fixture
def machine() -> TestMachine:
    machine = TestMachine()
    Pit(machine).reset()
    machine.edges.clear()
    return machine


def program(machine: TestMachine, number: int, mode: int, count: int) -> None:
    machine.out(0x43, number << 6 | 0x30 | mode << 1)
    machine.out(0x40 + number, count & 0xFF)
    machine.out(0x40 + number, count >> 8 & 0xFF)


def read(machine: TestMachine, number: int) -> int:
    machine.out(0x43, number << 6)
    return machine.inp(0x40 + number) | machine.inp(0x40 + number) << 8


def rises(machine: TestMachine) -> int:
    return machine.edges.count((IRQ0, True))


def test_nothing_ticks_after_a_reset(machine: TestMachine) -> None:
    machine.advance(10**10)
    assert machine.edges == [] and machine.deadlines == {}


def test_the_usual_18_hz_do_not_drift(machine: TestMachine) -> None:
    program(machine, 0, 2, 0)
    machine.edges.clear()
    for _ in range(1000):
        machine.advance(10**9 - 1)
    assert rises(machine) == (PIT_CLOCK.ticks(machine.now) - 1) // 65536
    machine.advance(PIT_CLOCK.ns(1 + 65536 * (rises(machine) + 1)) - machine.now - 1)
    before = rises(machine)
    machine.advance(1)
    assert rises(machine) == before + 1


def test_one_shot_comes_once_and_its_line_stays(machine: TestMachine) -> None:
    program(machine, 0, 0, 1000)
    assert not machine.lines[IRQ0]
    machine.advance(PIT_CLOCK.ns(1001) - 1)
    assert not machine.lines[IRQ0]
    machine.advance(1)
    assert machine.lines[IRQ0]
    machine.advance(10**9)
    assert rises(machine) == 1 and machine.deadlines == {}
    program(machine, 0, 0, 1000)
    assert not machine.lines[IRQ0]


def test_a_very_fast_timer_is_bounded_and_in_phase(machine: TestMachine) -> None:
    program(machine, 0, 2, 2)
    machine.edges.clear()
    machine.advance(10**7)
    assert 10**7 // (SHORTEST_NS * 2) < rises(machine) <= 10**7 // SHORTEST_NS
    (deadline, _), = machine.deadlines.values()
    assert (PIT_CLOCK.ticks(deadline) - 1) % 2 == 0


def test_a_new_rate_begins_with_the_next_period(machine: TestMachine) -> None:
    program(machine, 0, 2, 1000)
    machine.advance(PIT_CLOCK.ns(501))
    machine.out(0x40, 0x64)
    machine.out(0x40, 0x00)
    machine.edges.clear()
    machine.advance(PIT_CLOCK.ns(1001) - machine.now - 1)
    assert rises(machine) == 0
    machine.advance(1)
    assert rises(machine) == 1
    machine.advance(PIT_CLOCK.ns(1101) - machine.now)
    assert rises(machine) == 2


def test_latched_counts_wait_to_be_read(machine: TestMachine) -> None:
    program(machine, 0, 2, 10_000)
    machine.advance(PIT_CLOCK.ns(101))
    machine.out(0x43, 0x00)
    machine.advance(PIT_CLOCK.ns(1000))
    machine.out(0x43, 0x00)
    assert machine.inp(0x40) | machine.inp(0x40) << 8 == 9900
    assert read(machine, 0) == 8900


def test_read_back_gives_status_then_count(machine: TestMachine) -> None:
    program(machine, 2, 0, 100)
    machine.out(0x43, 0xC0 | 1 << 3)
    assert machine.inp(0x42) == 0x40 | 0x30  # OUT low, not loaded yet, both bytes, mode 0
    machine.inp(0x42), machine.inp(0x42)
    machine.out(0x61, 0x01)
    machine.advance(PIT_CLOCK.ns(300))
    machine.out(0x43, 0xE0 | 1 << 3)
    assert machine.inp(0x42) == 0x80 | 0x30


def test_linux_calibrates_by_counter_2_and_port_61(machine: TestMachine) -> None:
    """pit_calibrate_tsc(): gate up, one shot of 50 ms, and OUT in bit 5 tells its end."""
    machine.out(0x61, machine.inp(0x61) & ~0x02 | 0x01)
    machine.out(0x43, 0xB0)
    latch = 1193182 // 20
    machine.out(0x42, latch & 0xFF)
    machine.out(0x42, latch >> 8)
    while not machine.inp(0x61) & 0x20:
        machine.advance(1000)
    assert machine.now == pytest.approx(50_000_000, abs=2000)


def test_the_gate_stops_a_count(machine: TestMachine) -> None:
    machine.out(0x61, 1)
    program(machine, 2, 0, 1000)
    machine.advance(PIT_CLOCK.ns(101))
    machine.out(0x61, 0)
    machine.advance(10**9)
    assert read(machine, 2) == 900
    machine.out(0x61, 1)
    machine.advance(PIT_CLOCK.ns(100))
    assert read(machine, 2) in (800, 801)


def test_the_refresh_bit_toggles_every_15_microseconds(machine: TestMachine) -> None:
    seen = []
    for _ in range(3000):
        seen.append(machine.inp(0x61) & 0x10)
        machine.advance(100)
    changes = sum(a != b for a, b in itertools.pairwise(seen))
    assert changes == pytest.approx(300_000 / 15_085, abs=1)


def test_port_61_holds_what_it_gave_until_it_changes(machine: TestMachine) -> None:
    """TestMachine compares each read with what was held."""
    machine.out(0x61, 1)
    program(machine, 2, 3, 100)
    for turn in range(500):
        machine.advance(701)
        value = machine.inp(0x61)
        assert machine.held is not None and machine.held[:3] == (0x61, 1, value)
        until = machine.held[3]
        if turn % 9 == 0:
            machine.advance(until - 1 - machine.now)
            assert machine.inp(0x61) == value
            machine.advance(1)
            assert machine.inp(0x61) != value
    machine.inp(0x60, 2)          # not the port alone
    assert machine.held is None


def test_the_speaker_has_a_tone_while_both_bits_are_set(machine: TestMachine) -> None:
    pit = Pit(TestMachine())
    assert pit.speaker_period_ns == 0
    pit.machine.ports.write(0x43, 1, 0xB6)
    pit.machine.ports.write(0x42, 1, 0xA9)
    pit.machine.ports.write(0x42, 1, 0x04)
    pit.machine.ports.write(0x61, 1, 3)
    assert 1e9 / pit.speaker_period_ns == pytest.approx(1000, rel=0.001)


def test_what_the_hpet_takes_it_gives_back() -> None:
    machine = TestMachine()
    pit = Pit(machine)
    program(machine, 0, 2, 1000)
    pit.replace(True)
    machine.edges.clear()
    machine.advance(10**8)
    assert machine.edges == [] and machine.deadlines == {}
    pit.replace(False)
    assert rises(machine) == 1  # OUT is high
    machine.advance(PIT_CLOCK.ns(1000))
    assert rises(machine) == 2


def test_saved_in_the_middle_it_goes_on_the_same() -> None:
    one = TestMachine()
    pit = Pit(one)
    program(one, 0, 3, 777)
    one.out(0x43, 0x00)
    one.inp(0x40)
    one.out(0x40, 0x12)
    other = TestMachine()
    copy = Pit(other)
    copy.load(pit.save())
    assert copy.canonical() == pit.canonical()
    for machine, device in ((one, pit), (other, copy)):
        machine.lines[IRQ0] = True
        machine.set_timer(device, one.deadlines["pit"][0])
        machine.edges.clear()
        machine.out(0x40, 0x01)
        machine.advance(10**7)
    assert one.edges == other.edges and len(one.edges) > 10
    assert [read(one, 0), one.inp(0x40)] == [read(other, 0), other.inp(0x40)]
