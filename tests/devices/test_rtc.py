"""The MC146818: calendar, interrupts, memory."""

import datetime
import random

import pytest

from hv.devices.rtc import PERIODIC, Rtc, boot_registers
from hv.devices.rtc_calendar import Form, decode, encode, next_alarm
from tests.devices.machine import TestMachine

SECOND = 10**9
START = datetime.datetime(2024, 2, 28, 23, 59, 58, tzinfo=datetime.UTC)
A, B, C, D = 10, 11, 12, 13
IRQ8 = 8


def build(start: datetime.datetime = START, **contents: int) -> tuple[TestMachine, Rtc]:
    machine = TestMachine()
    rtc = Rtc(machine, int(start.timestamp()) * SECOND, {int(k[1:], 16): v for k, v in contents.items()})
    rtc.reset()
    machine.edges.clear()
    return machine, rtc


def get(machine: TestMachine, index: int) -> int:
    machine.out(0x70, index)
    return machine.inp(0x71)


def put(machine: TestMachine, index: int, value: int) -> None:
    machine.out(0x70, index)
    machine.out(0x71, value)


def date(machine: TestMachine) -> list[str]:
    return [f"{get(machine, index):02x}" for index in (0x32, 9, 8, 7, 4, 2, 0)]


# ---- calendar ----


def test_it_shows_the_wall_clock_in_bcd() -> None:
    machine, _ = build()
    assert date(machine) == ["20", "24", "02", "28", "23", "59", "58"]
    assert get(machine, 6) == 4  # a Wednesday; Sunday is 1
    machine.advance(2 * SECOND)
    assert date(machine) == ["20", "24", "02", "29", "00", "00", "00"]
    assert get(machine, 6) == 5


def test_fractions_of_the_wall_clock_count() -> None:
    machine = TestMachine()
    Rtc(machine, 100 * SECOND + 900_000_000)
    assert get(machine, 0) == 0x40
    machine.advance(100_000_000 - 1)
    assert get(machine, 0) == 0x40
    machine.advance(1)
    assert get(machine, 0) == 0x41


def test_every_form_gives_back_what_it_was_given() -> None:
    source = random.Random(1)
    for _ in range(500):
        seconds, shift = source.randrange(0, 2**36), source.randrange(7)
        for form in (Form(b, h) for b in (False, True) for h in (False, True)):
            raw = encode(seconds, shift, form)
            assert decode(raw, form) == (seconds, shift)
            when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
            assert form.value(raw[5]) == when.month and form.value(raw[7]) * 100 + form.value(raw[6]) == when.year


def test_twelve_hours_have_an_afternoon() -> None:
    machine, _ = build(START.replace(hour=0))
    put(machine, B, 0x00)
    seen = []
    for _ in range(24):
        seen.append(get(machine, 4))
        machine.advance(3600 * SECOND)
    morning = [0x12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11]
    assert seen == morning + [hour | 0x80 for hour in morning]


def test_the_guest_sets_the_time_with_the_clock_stopped() -> None:
    machine, _ = build()
    machine.advance(SECOND // 2)
    put(machine, B, 0x82)
    for index, value in ((0, 0x55), (2, 0x59), (4, 0x23), (7, 0x31), (8, 0x12), (9, 0x99), (0x32, 0x19), (6, 0x06)):
        put(machine, index, value)
    machine.advance(100 * SECOND)
    assert date(machine) == ["19", "99", "12", "31", "23", "59", "55"]
    put(machine, B, 0x02)
    machine.advance(SECOND // 2)
    assert get(machine, 0) == 0x56
    machine.advance(4 * SECOND)
    assert date(machine) == ["20", "00", "01", "01", "00", "00", "00"]
    assert get(machine, 6) == 7


def test_a_time_that_is_none_is_taken_as_far_as_it_goes() -> None:
    source = random.Random(2)
    for _ in range(2000):
        raw = bytes(source.randrange(256) for _ in range(8))
        form = Form(source.random() < 0.5, source.random() < 0.5)
        seconds, shift = decode(raw, form)
        assert len(encode(seconds, shift, form)) == 8


def test_an_update_is_announced() -> None:
    machine, _ = build()
    machine.advance(SECOND - 244_142)
    assert not get(machine, A) & 0x80
    machine.advance(1)
    assert get(machine, A) & 0x80
    machine.advance(244_141)
    assert not get(machine, A) & 0x80


def test_the_first_update_after_a_divider_reset_is_half_a_second_later() -> None:
    machine, _ = build()
    put(machine, A, 0x66)
    machine.advance(10 * SECOND)
    assert get(machine, 0) == 0x58
    put(machine, A, 0x26)
    machine.advance(SECOND // 2 - 1)
    assert get(machine, 0) == 0x58
    machine.advance(1)
    assert get(machine, 0) == 0x59


# ---- interrupts ----


def test_nothing_waits_while_nothing_is_enabled() -> None:
    machine, _ = build()
    machine.advance(10 * SECOND)
    assert machine.deadlines == {} and machine.edges == []
    assert get(machine, C) == 0x70  # all three have come meanwhile, the alarm at midnight
    assert get(machine, C) == 0


def test_the_periodic_interrupt_does_not_drift() -> None:
    machine, _ = build()
    put(machine, A, 0x26)
    put(machine, B, 0x42)
    get(machine, C)
    count = 0
    while machine.now < 10 * SECOND:
        machine.advance(machine.deadlines["rtc"][0] - machine.now)
        assert machine.lines[IRQ8] and get(machine, C) & 0xC0 == 0xC0
        assert not machine.lines[IRQ8]
        count += 1
        assert machine.now == -(-count * SECOND // 1024)
    assert count == 10 * 1024


def test_who_does_not_acknowledge_gets_no_more() -> None:
    machine, _ = build()
    put(machine, A, 0x23)
    put(machine, B, 0x42)
    machine.advance(SECOND)
    assert machine.edges == [(IRQ8, True)] and machine.deadlines == {}


@pytest.mark.parametrize(("rate", "hertz"), [(1, 256), (2, 128), (3, 8192), (6, 1024), (15, 2)])
def test_rates(rate: int, hertz: int) -> None:
    machine, _ = build()
    put(machine, A, 0x20 | rate)
    put(machine, B, 0x02 | PERIODIC)
    get(machine, C)
    assert machine.deadlines["rtc"][0] == -(-SECOND // hertz)


def test_update_and_alarm_interrupts() -> None:
    machine, _ = build()
    put(machine, B, 0x12)
    machine.advance(SECOND)
    assert machine.edges == [(IRQ8, True)]
    assert get(machine, C) & 0x90 == 0x90
    put(machine, B, 0x22)
    for index, value in ((1, 0x05), (3, 0xC0), (5, 0xFF)):
        put(machine, index, value)
    machine.edges.clear()
    machine.advance(6 * SECOND - 1)
    assert machine.edges == []
    machine.advance(1)
    assert machine.edges == [(IRQ8, True)] and get(machine, C) & 0xA0 == 0xA0
    machine.advance(60 * SECOND)
    assert machine.edges[-1] == (IRQ8, True)


def test_an_alarm_is_the_first_second_that_matches() -> None:
    source = random.Random(3)
    form = Form(False, True)
    for _ in range(40):
        alarm = [source.choice([0xC0, form.number(source.randrange(n))]) for n in (60, 60, 24)]
        alarm[2] = alarm[2] if source.random() < 0.1 else 0xC0
        after = source.randrange(10**9)
        found = next_alarm(after, alarm, form)
        second = after + 1
        while any(a < 0xC0 and a != b for a, b in zip(alarm, encode(second, 0, form)[:3], strict=True)):
            second += 1
        assert found == second
    assert next_alarm(0, [0x7A, 0xC0, 0xC0], form) is None


# ---- memory ----


def test_memory_is_kept_over_a_reset_and_interrupts_are_not() -> None:
    machine, rtc = build(x34=0x12)
    assert get(machine, 0x34) == 0x12
    put(machine, 0x40, 0xA5)
    put(machine, B, 0x72)
    machine.out(0x70, 0x8F)
    assert rtc.state.nmi_masked
    machine.advance(2 * SECOND)
    assert machine.lines[IRQ8]
    rtc.reset()
    assert not machine.lines[IRQ8] and machine.deadlines == {} and not rtc.state.nmi_masked
    assert get(machine, 0x40) == 0xA5 and get(machine, B) == 0x02 and date(machine)[-3:] == ["00", "00", "00"]


def test_what_cannot_be_written() -> None:
    machine, _ = build()
    put(machine, D, 0)
    assert get(machine, D) == 0x80
    put(machine, C, 0xFF)
    assert get(machine, C) & 0x0F == 0
    assert machine.inp(0x70) == 0xFF


def test_boot_order_as_seabios_reads_it() -> None:
    assert boot_registers("dc") == {0x3D: 0x23, 0x38: 0x01, 0x14: 0x06}
    assert boot_registers("can") == {0x3D: 0x12, 0x38: 0x41, 0x14: 0x06}
    with pytest.raises(ValueError, match="boot order x"):
        boot_registers("x")
    with pytest.raises(ValueError, match="up to three"):
        boot_registers("cadn")
    with pytest.raises(ValueError, match="no register 0x80"):
        build(x80=1)


def test_what_the_hpet_takes_it_gives_back() -> None:
    machine, rtc = build()
    put(machine, B, 0x12)
    rtc.replace(True)
    machine.advance(3 * SECOND)
    assert machine.edges == [] and machine.deadlines == {}
    rtc.replace(False)
    assert machine.lines[IRQ8]
